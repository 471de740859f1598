//! The tasks of one process or one instance: tracked, and ended by one token.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Spawns tasks that somebody waits for.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Tasks that end when `stop` is cancelled.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop,
        }
    }

    /// A part of these tasks with an end of its own, which ends with the whole at the latest.
    pub(crate) fn child(&self) -> Self {
        Self {
            tracker: self.tracker.clone(),
            stop: self.stop.child_token(),
        }
    }

    /// Runs `work` until it ends or the tasks are stopped; then it is dropped where it stands.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled_owned() => {}
                () = work => {}
            }
        });
    }

    /// For work that ends by itself and must not be dropped.
    pub(crate) fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// The token that ends them.
    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Stops them and waits until the last one is gone.
    #[cfg(feature = "host")]
    pub(crate) async fn finish(&self) {
        self.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Polls once. What is left goes on in whatever task polls it next.
pub(crate) async fn poll_once<F: Future + ?Sized>(mut work: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await
}
