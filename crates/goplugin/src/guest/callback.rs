//! The brokered connection from an instance to its host, made again by address when it breaks (plugin-protocol §1.12).

use std::path::PathBuf;
use std::sync::Arc;

use linchpin_crypto::tls;
use parking_lot::Mutex;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tonic::Status;

use crate::link::Link;
use crate::tasks::Tasks;

/// Where one instance calls back to.
pub(super) struct Callback {
    address: PathBuf,
    tls: Arc<ClientConfig>,
    link: Mutex<Option<Link>>,
    /// Ends with the instance.
    pub(super) tasks: Tasks,
}

impl Callback {
    /// Connects for the first time.
    pub(super) async fn dial(
        address: PathBuf,
        tls: Arc<ClientConfig>,
        tasks: Tasks,
    ) -> Result<Arc<Self>, Status> {
        let callback = Self {
            address,
            tls,
            link: Mutex::new(None),
            tasks,
        };
        callback.link().await?;
        Ok(Arc::new(callback))
    }

    /// The connection, a new one if the last is over.
    pub(super) async fn link(&self) -> Result<Link, Status> {
        let current = self.link.lock().clone();
        if let Some(link) = current.filter(|link| !link.is_closed()) {
            return Ok(link);
        }
        if self.tasks.stop().is_cancelled() {
            return Err(Status::cancelled("the instance has ended"));
        }
        let link = self.connect().await.map_err(|error| {
            Status::unavailable(format!("cannot call back to the host: {error}"))
        })?;
        *self.link.lock() = Some(link.clone());
        Ok(link)
    }

    async fn connect(&self) -> Result<Link, Box<dyn std::error::Error + Send + Sync>> {
        let stream = UnixStream::connect(&self.address).await?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(tls::server_name(), stream).await?;
        Ok(Link::open(stream, &self.tasks).await?)
    }

    /// The instance is over: the host's end of the connection waits for that.
    pub(super) fn close(&self) {
        self.tasks.stop().cancel();
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        self.close();
    }
}
