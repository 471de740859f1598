//! What every call carries: the first argument of every method of `Backend`, `StorageView` and
//! `SystemView`.

use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The circumstances of a request or of a host-internal operation. Cloning is cheap.
///
/// A client that goes away, the time limit and the end of the server are all `cancel`; the work is
/// never dropped (design §5).
#[derive(Debug, Clone)]
pub struct Context {
    /// The request's UUID; `reload_id` of a reload.
    pub request_id: Arc<str>,
    /// When the request must have ended; `None` = no limit.
    pub deadline: Option<Instant>,
    /// Cancelled when the work should stop.
    pub cancel: CancellationToken,
    /// The namespace that the request runs in.
    pub namespace: Namespace,
}

/// A namespace. Only the root exists yet; it is in the route, the keys and every id all the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Namespace {
    /// `root`, or six base-62 characters.
    pub id: Arc<str>,
    /// The full path with its trailing `/`; empty for the root.
    pub path: Arc<str>,
}

impl Namespace {
    /// The root namespace.
    #[must_use]
    pub fn root() -> Self {
        Self {
            id: Arc::from("root"),
            path: Arc::from(""),
        }
    }
}

/// The work was cancelled: the client is gone, the time is over, or the server stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("context canceled")]
pub struct Cancelled;

impl Context {
    /// The context of work that nobody's request asked for; it ends with `cancel`.
    #[must_use]
    pub fn internal(cancel: CancellationToken) -> Self {
        Self {
            request_id: Arc::from(""),
            deadline: None,
            cancel,
            namespace: Namespace::root(),
        }
    }

    /// The same, ending at the latest `limit` from now.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        let end = Instant::now() + limit;
        Self {
            deadline: Some(self.deadline.map_or(end, |d| d.min(end))),
            ..self.clone()
        }
    }

    /// The same with a cancellation of its own, which the outer one triggers too.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            cancel: self.cancel.child_token(),
            ..self.clone()
        }
    }

    /// Runs `work` until it ends, the deadline passes or the context is cancelled.
    ///
    /// # Cancel safety
    /// `work` is dropped where it stands; use it only for waiting and for calls that are safe to
    /// drop (an RPC, which it resets).
    ///
    /// # Errors
    /// [`Cancelled`] when `work` did not end by itself.
    pub async fn race<T>(&self, work: impl Future<Output = T>) -> Result<T, Cancelled> {
        let deadline = self.deadline;
        let expired = async move {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            out = work => Ok(out),
            () = self.cancel.cancelled() => Err(Cancelled),
            () = expired => Err(Cancelled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_race_ends_with_the_work_the_cancellation_or_the_deadline() {
        let ctx = Context::internal(CancellationToken::new());
        assert_eq!(ctx.race(async { 1 }).await, Ok(1));
        let late = ctx.within(Duration::from_millis(1));
        assert_eq!(
            late.race(std::future::pending::<()>()).await,
            Err(Cancelled)
        );
        ctx.child().cancel.cancel();
        assert!(!ctx.cancel.is_cancelled());
        let child = ctx.child();
        ctx.cancel.cancel();
        assert_eq!(
            child.race(std::future::pending::<()>()).await,
            Err(Cancelled)
        );
    }
}
