//! The plugin's end of the broker stream: what the host announced and nobody has claimed yet (plugin-protocol §1.12).

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::proto::plugin::ConnInfo;
use crate::proto::plugin::grpc_broker_server::GrpcBroker;
use crate::tasks::Tasks;

/// How long a claim waits for its announcement.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many unclaimed announcements are kept; the host sends each right before the call that claims it.
const KEPT: usize = 1024;

/// Announced addresses by service id.
#[derive(Clone)]
pub(super) struct Broker {
    known: Arc<Known>,
    tasks: Tasks,
    /// Cancelled by a plugin that is to behave badly.
    end: CancellationToken,
}

#[derive(Default)]
struct Known {
    addresses: Mutex<HashMap<u32, PathBuf>>,
    arrived: Notify,
}

impl Broker {
    pub(super) fn new(tasks: Tasks, end: CancellationToken) -> Self {
        Self {
            known: Arc::default(),
            tasks,
            end,
        }
    }

    /// Where the host serves `id`; waits for the announcement.
    pub(super) async fn claim(&self, id: u32) -> Result<PathBuf, Status> {
        let claimed = tokio::time::timeout(PATIENCE, async {
            loop {
                // Registered before looking, so that no arrival in between is missed.
                let arrived = self.known.arrived.notified();
                tokio::pin!(arrived);
                arrived.as_mut().enable();
                if let Some(address) = self.known.addresses.lock().remove(&id) {
                    return address;
                }
                arrived.await;
            }
        });
        claimed
            .await
            .map_err(|_| Status::unknown("timeout waiting for connection info"))
    }
}

impl Known {
    fn take_in(&self, info: ConnInfo) {
        if info.network != "unix" || info.knock.is_some() {
            return;
        }
        let mut addresses = self.addresses.lock();
        if addresses.len() < KEPT {
            addresses.insert(info.service_id, info.address.into());
        }
        drop(addresses);
        self.arrived.notify_waiters();
    }
}

#[tonic::async_trait]
impl GrpcBroker for Broker {
    type StartStreamStream = Pin<Box<dyn Stream<Item = Result<ConnInfo, Status>> + Send>>;

    /// Takes announcements in. The other direction stays silent and open, unless the plugin is to end it: no interface of Vault's uses it.
    async fn start_stream(
        &self,
        request: Request<Streaming<ConnInfo>>,
    ) -> Result<Response<Self::StartStreamStream>, Status> {
        let mut announcements = request.into_inner();
        let known = Arc::clone(&self.known);
        let (end, ended) = (self.end.clone(), self.end.clone());
        self.tasks.spawn(async move {
            let listening = async {
                while let Ok(Some(info)) = announcements.message().await {
                    known.take_in(info);
                }
            };
            // What comes after the end is lost, as with a Go plugin.
            let _ = ended.run_until_cancelled(listening).await;
        });
        Ok(Response::new(Box::pin(
            tokio_stream::pending().take_until(end.cancelled_owned()),
        )))
    }
}
