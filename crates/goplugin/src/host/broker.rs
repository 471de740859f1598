//! The broker stream: tells the plugin where the host listens for a service id (plugin-protocol §1.12).

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::Error;
use crate::link::Link;
use crate::proto::plugin::ConnInfo;
use crate::proto::plugin::grpc_broker_client::GrpcBrokerClient;
use crate::tasks::Tasks;

/// How many announcements may wait for the connection to take them.
const QUEUE: usize = 64;

/// The one broker stream of a process. A Go plugin's broker cannot be reopened, not even after a half-close, so the sender lives until
/// [`Broker::close`], and an ended stream is the end of the process for new instances.
pub(super) struct Broker {
    announcements: Mutex<Option<mpsc::Sender<ConnInfo>>>,
    next_id: AtomicU32,
    ended: CancellationToken,
}

impl Broker {
    /// Opens the stream in a task and does not wait for it: a Go server sends the head of its response with the first message, which
    /// for a broker is normally never.
    pub(super) fn open(link: Link, tasks: &Tasks) -> Self {
        let (announcements, queue) = mpsc::channel(QUEUE);
        let ended = CancellationToken::new();
        let guard = ended.clone().drop_guard();
        tasks.spawn(async move {
            let _ended = guard;
            let mut client = GrpcBrokerClient::with_origin(link, Link::origin());
            let Ok(stream) = client.start_stream(ReceiverStream::new(queue)).await else {
                return;
            };
            let mut stream = stream.into_inner();
            // What a plugin announces of its own nobody dials: no interface of Vault's uses that direction.
            while let Some(Ok(_)) = stream.next().await {}
        });
        Self {
            announcements: Mutex::new(Some(announcements)),
            next_id: AtomicU32::new(1),
            ended,
        }
    }

    /// A service id that this process has never seen.
    pub(super) fn allocate(&self) -> u32 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Tells the plugin where `id` is served. The plugin forgets it after five seconds, so the call that carries the id follows at once.
    pub(super) async fn announce(&self, id: u32, path: &Path) -> Result<(), Error> {
        let announcements = self.announcements.lock().clone();
        let info = ConnInfo {
            service_id: id,
            network: "unix".to_owned(),
            address: path.display().to_string(),
            knock: None,
        };
        match announcements {
            Some(queue) if !self.ended.is_cancelled() => {
                queue.send(info).await.map_err(|_| Error::BrokerEnded)
            }
            _ => Err(Error::BrokerEnded),
        }
    }

    /// Whether the stream is over.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Ends the stream from our side: the process is being stopped.
    pub(super) fn close(&self) {
        self.announcements.lock().take();
    }
}
