//! The accept loop and the graceful end.

use crate::budget::Budget;
use crate::connection::{self, Peer};
use crate::{Handler, Limits};
use hyper_util::server::conn::auto;
use linchpin_engine::Namespace;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait after a failed `accept`: the usual cause, no free descriptor, needs a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The HTTP server of one handler.
pub struct Server {
    shared: Arc<Shared>,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) limits: Limits,
    pub(crate) bodies: Arc<Budget>,
    pub(crate) root: Namespace,
    pub(crate) protocol: auto::Builder<Spawner>,
    pub(crate) tasks: TaskTracker,
    /// No new requests: connections end after the one they are in.
    pub(crate) stop: CancellationToken,
    /// The parent of every request's cancellation.
    pub(crate) abort: CancellationToken,
    /// Connections are closed where they stand.
    pub(crate) close: CancellationToken,
}

/// Runs hyper's HTTP/2 streams in the server's own tracker, so that the drain waits for them.
#[derive(Clone)]
pub(crate) struct Spawner(TaskTracker);

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

impl Server {
    /// A server that hands requests to `handler` until `stop` is cancelled.
    #[must_use]
    pub fn new(handler: impl Handler, limits: Limits, stop: CancellationToken) -> Self {
        let tasks = TaskTracker::new();
        let mut protocol = auto::Builder::new(Spawner(tasks.clone()));
        protocol
            .http1()
            // `connection` has its own time limits: hyper's would make a timer for every request,
            // and would take an idle connection for a slow one.
            .header_read_timeout(None)
            .max_buf_size(limits.headers.max(64 << 10));
        protocol
            .http2()
            .max_header_list_size(u32::try_from(limits.headers).unwrap_or(u32::MAX))
            .max_concurrent_streams(250);
        Self {
            shared: Arc::new(Shared {
                handler: Box::new(handler),
                bodies: Arc::new(Budget::new(&limits)),
                limits,
                root: Namespace::root(),
                protocol,
                tasks,
                stop,
                abort: CancellationToken::new(),
                close: CancellationToken::new(),
            }),
        }
    }

    /// Accepts connections until `stop` is cancelled, then drains: idle connections close at once,
    /// running requests have `limits.drain`, then are cancelled and have `limits.abandon`. Returns
    /// when no connection is left.
    pub async fn run(self, listener: TcpListener) {
        let shared = self.shared;
        let slots = Arc::new(Semaphore::new(shared.limits.connections));
        loop {
            let slot = tokio::select! {
                biased;
                () = shared.stop.cancelled() => break,
                slot = Arc::clone(&slots).acquire_owned() => slot,
            };
            let accepted = tokio::select! {
                biased;
                () = shared.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let peer = Peer::new(address);
                    let shared_too = Arc::clone(&shared);
                    shared.tasks.spawn(async move {
                        connection::run(shared_too, stream, peer).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        drain(&shared).await;
    }
}

async fn drain(shared: &Shared) {
    shared.tasks.close();
    if timeout(shared.limits.drain, shared.tasks.wait())
        .await
        .is_ok()
    {
        return;
    }
    tracing::warn!(
        connections = shared.tasks.len(),
        "requests still run at shutdown and are cancelled"
    );
    shared.abort.cancel();
    if timeout(shared.limits.abandon, shared.tasks.wait())
        .await
        .is_ok()
    {
        return;
    }
    shared.close.cancel();
    shared.tasks.wait().await;
}
