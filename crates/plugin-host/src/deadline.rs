//! Deadlines: nothing that a plugin or a disk may never answer is waited for without an end, and the
//! error says who did not answer, and in which time.

use crate::Error;
use crate::host::Host;
use linchpin_engine::Context;
use std::time::Duration;
use tokio::time::Instant;

/// What the deadline of a whole start calls it.
pub(crate) const START: &str = "the start of the plugin";

/// Waits for `work`, at most for `limit`.
///
/// # Errors
/// [`Error::Deadline`] with the name of the step.
pub(crate) async fn within<T>(
    limit: Duration,
    step: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| Error::Deadline {
            step,
            limit,
            stderr: Vec::new(),
        })
}

/// What `work` gives within the time that somebody has for it.
pub(crate) async fn soon<T>(patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(patience, work).await.ok()
}

/// Waits for `work` as long as the context lasts, from `began` on.
///
/// # Errors
/// [`Error::Deadline`] when it was the context's time that ended; the cancellation else.
pub(crate) async fn in_context<T>(
    ctx: &Context,
    began: Instant,
    step: &'static str,
    work: impl Future<Output = T>,
) -> Result<T, linchpin_engine::Error> {
    ctx.race(work).await.map_err(|cancelled| {
        let limit = ctx.deadline.filter(|_| !ctx.cancel.is_cancelled());
        match limit {
            Some(at) => Error::Deadline {
                step,
                limit: rounded(at.saturating_duration_since(began)),
                stderr: Vec::new(),
            }
            .into_refusal(),
            None => cancelled.into(),
        }
    })
}

/// Whether the time of a request is over.
pub(crate) fn is_over(ctx: &Context) -> bool {
    ctx.deadline.is_some_and(|at| at <= Instant::now())
}

/// The limit as it was set: since then a few microseconds have passed.
fn rounded(left: Duration) -> Duration {
    const STEP: u128 = 10;
    let steps = (left.as_millis() + STEP / 2) / STEP;
    Duration::from_millis(u64::try_from(steps * STEP).unwrap_or(u64::MAX))
}

impl Host {
    /// How long a start may take as a whole: reading the file, which may be as slow as the start of
    /// a process, that start, and the first question.
    pub(crate) fn start_limit(&self) -> Duration {
        let settings = &self.settings;
        settings.plugin_start_timeout * 2 + settings.plugin_setup_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_util::sync::CancellationToken;

    #[tokio::test]
    async fn a_deadline_of_the_context_is_told_from_its_cancellation() {
        let ctx = Context::internal(CancellationToken::new());
        let began = Instant::now();
        let limited = ctx.within(Duration::from_millis(50));
        let step = "Initialize";
        let never = || std::future::pending::<()>();
        let error = in_context(&limited, began, step, never()).await;
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "Initialize did not end within 0.05 s");
        ctx.cancel.cancel();
        let error = in_context(&limited, began, step, never()).await;
        assert_eq!(error.unwrap_err().to_string(), "context canceled");
    }

    #[test]
    fn what_a_few_microseconds_took_is_given_back() {
        let set = Duration::from_secs(30);
        assert_eq!(rounded(set - Duration::from_micros(700)), set);
        assert_eq!(rounded(Duration::MAX), Duration::from_millis(u64::MAX));
    }
}
