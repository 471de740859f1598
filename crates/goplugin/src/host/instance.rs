//! One mount's backend inside a plugin process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};
use linchpin_crypto::random;
use linchpin_engine::{SpecialPaths, StorageView, SystemView};
use linchpin_model::{PluginType, Request, Response};
use prost::Message;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::callbacks::Callbacks;
use super::transactions::Transactions;
use super::{Connection, Error};
use crate::convert::{ConvertError, ErrorClass, PluginError, answer_from_wire, request_to_wire};
use crate::listen::Socket;
use crate::names::MULTIPLEX_ID;
use crate::proto::logical;
use crate::proto::pb;
use crate::timeout;

/// The key of the multiplex id.
const ID: HeaderName = HeaderName::from_static(MULTIPLEX_ID);
/// How long a multiplex id is.
const ID_LENGTH: usize = 10;

/// What Setup gives to an instance.
pub struct Setup {
    /// Mount options, and `plugin_name`, `plugin_type`, `plugin_version` (plugin-protocol §3.2).
    pub config: BTreeMap<String, String>,
    /// The UUID that stays the same for the mount's life; not the one of the token hash.
    pub backend_uuid: String,
    /// The mount's storage, served to this instance and nobody else. It decides itself when writes are refused.
    pub storage: Arc<dyn StorageView>,
    /// The node as the mount sees it. Called without deadline and while lifecycle operations run.
    pub system: Arc<dyn SystemView>,
}

/// One instance. Every call carries its multiplex id; dropping a call's future resets its stream, which the plugin sees as cancellation.
///
/// The `deadline` of a call goes with it, as `grpc-timeout`: the plugin knows then how long somebody will wait. To stop waiting is the
/// caller's, for a plugin may look at neither (plugin-protocol §1.10).
///
/// Dropping the instance closes its socket. [`Instance::cleanup`] tells the plugin as well.
pub struct Instance {
    connection: Connection,
    id: HeaderValue,
    transactions: Arc<Transactions>,
    asks_transactional: Arc<AtomicBool>,
    stop: CancellationToken,
}

impl Instance {
    pub(super) async fn setup(connection: Connection, setup: Setup) -> Result<Self, Error> {
        let shared = Arc::clone(&connection.shared);
        let id = random::base62(ID_LENGTH);
        let id = HeaderValue::try_from(id).map_err(|_| Error::ShutDown)?;
        let tasks = shared.tasks.child();
        let broker_id = shared.broker.allocate();
        let socket = Socket::bind(shared.socket_dir.join(format!("b{broker_id}")));
        let socket = socket.map_err(|source| Error::Io {
            doing: "make the socket of a plugin instance",
            source,
        })?;
        let path = socket.path().to_owned();

        let transactions = Arc::new(Transactions::new(Arc::clone(&setup.storage), tasks.clone()));
        let asks_transactional = Arc::new(AtomicBool::new(false));
        let callbacks = Callbacks {
            storage: setup.storage,
            system: setup.system,
            transactions: Arc::clone(&transactions),
            asks_transactional: Arc::clone(&asks_transactional),
            cancel: tasks.stop().clone(),
        };
        // The plugin calls back while it is being set up, so the socket is served first.
        socket.serve(shared.tls.clone(), &tasks, move || {
            callbacks.for_connection()
        });
        let instance = Self {
            connection,
            id,
            transactions,
            asks_transactional,
            stop: tasks.stop().clone(),
        };

        shared.broker.announce(broker_id, &path).await?;
        let args = pb::SetupArgs {
            broker_id,
            config: setup.config,
            backend_uuid: setup.backend_uuid,
        };
        let reply: pb::SetupReply = instance.call("/pb.Backend/Setup", &args).await?;
        if reply.err.is_empty() {
            Ok(instance)
        } else {
            Err(Error::Setup(reply.err))
        }
    }

    /// The multiplex id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// What the backend is; `None` for a number that means neither secrets nor auth.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn plugin_type(&self) -> Result<Option<PluginType>, Error> {
        let reply: pb::TypeReply = self.call("/pb.Backend/Type", &pb::Empty {}).await?;
        Ok(match reply.r#type {
            1 => Some(PluginType::Secret),
            2 => Some(PluginType::Auth),
            _ => None,
        })
    }

    /// The special paths (plugin-protocol §3.13); fixed from Setup on.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn special_paths(&self) -> Result<SpecialPaths, Error> {
        let path = "/pb.Backend/SpecialPaths";
        let reply: pb::SpecialPathsReply = self.call(path, &pb::Empty {}).await?;
        let paths = reply.paths.unwrap_or_default();
        Ok(SpecialPaths {
            root: paths.root,
            unauthenticated: paths.unauthenticated,
            local_storage: paths.local_storage,
            seal_wrap_storage: paths.seal_wrap_storage,
        })
    }

    /// The version that the plugin reports; empty when it reports none.
    ///
    /// # Errors
    /// Any failure but `Unimplemented`.
    pub async fn version(&self) -> Result<String, Error> {
        let path = "/logical.PluginVersion/Version";
        let answer: Result<logical::VersionReply, Error> =
            self.call(path, &logical::Empty {}).await;
        match answer {
            Ok(reply) => Ok(reply.plugin_version),
            Err(error) if error.is_unimplemented() => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Initialises the backend. A plugin without the method has nothing to initialise.
    ///
    /// # Errors
    /// [`Error::Plugin`] with the plugin's error, or the call's failure.
    pub async fn initialize(&self, deadline: Option<Instant>) -> Result<(), Error> {
        let path = "/pb.Backend/Initialize";
        let answer = self.call_by(deadline, path, &pb::InitializeArgs {}).await;
        match answer {
            Ok(pb::InitializeReply { err: None }) => Ok(()),
            Ok(pb::InitializeReply { err: Some(error) }) => {
                Err(PluginError::from_wire(error).into())
            }
            Err(error) if error.is_unimplemented() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Serves one request; `None` = nothing is there, or nothing is to be said.
    ///
    /// # Errors
    /// [`Error::Plugin`] with the plugin's error, or the call's failure; see [`Error::is_not_delivered`].
    pub async fn handle_request(
        &self,
        deadline: Option<Instant>,
        request: &Request,
    ) -> Result<Option<Response>, Error> {
        let args = pb::HandleRequestArgs {
            storage_id: 0,
            request: Some(request_to_wire(request)),
        };
        let path = "/pb.Backend/HandleRequest";
        let reply: pb::HandleRequestReply = self.call_by(deadline, path, &args).await?;
        Ok(answer_from_wire(reply.response, reply.err)??)
    }

    /// Whether what a write addresses exists; `None` = the path has no such check (plugin-protocol §3.10).
    ///
    /// # Errors
    /// As [`Instance::handle_request`].
    pub async fn existence_check(
        &self,
        deadline: Option<Instant>,
        request: &Request,
    ) -> Result<Option<bool>, Error> {
        let args = pb::HandleExistenceCheckArgs {
            storage_id: 0,
            request: Some(request_to_wire(request)),
        };
        let path = "/pb.Backend/HandleExistenceCheck";
        let reply: pb::HandleExistenceCheckReply = self.call_by(deadline, path, &args).await?;
        match reply.err.map(PluginError::from_wire) {
            None => Ok(reply.check_found.then_some(reply.exists)),
            Some(error) if error.class == ErrorClass::UnsupportedPath => Ok(None),
            Some(error) => Err(error.into()),
        }
    }

    /// The canonical path for `request`, whose operation must be `resolve-path`; `None` = as it is. To be asked only of plugins that
    /// [`Instance::asks_transactional`] is true of (plugin-protocol §3.11).
    ///
    /// # Errors
    /// As [`Instance::handle_request`], but *unsupported* and error responses are answers here.
    pub async fn resolve_path(
        &self,
        deadline: Option<Instant>,
        request: &Request,
    ) -> Result<Option<String>, Error> {
        let answer = match self.handle_request(deadline, request).await {
            Ok(answer) => answer,
            // An error *response* is ignored; so are the two classes that every plugin answers unknown operations with.
            Err(Error::Plugin(error)) if error.is_unsupported() || error.shown.is_some() => None,
            Err(error) => return Err(error),
        };
        let data = answer.and_then(|response| response.data);
        let path = data.and_then(|data| {
            let members = data.members();
            serde_json::from_str(members.get("path")?.get()).ok()
        });
        Ok(path)
    }

    /// Tells the backend that a storage key changed behind its back; `key` is relative to the mount's view.
    ///
    /// # Errors
    /// The call's failure.
    pub async fn invalidate_key(&self, deadline: Option<Instant>, key: &str) -> Result<(), Error> {
        let args = pb::InvalidateKeyArgs {
            key: key.to_owned(),
        };
        let path = "/pb.Backend/InvalidateKey";
        let pb::Empty {} = self.call_by(deadline, path, &args).await?;
        Ok(())
    }

    /// The last call of an instance: the plugin drops it, its open transactions are rolled back, its socket is closed. That an instance
    /// is gone already is not an error.
    ///
    /// # Cancel safety
    /// When dropped, the socket and the transactions are gone all the same.
    ///
    /// # Errors
    /// The call's failure; the host's side of the instance is gone even so.
    pub async fn cleanup(&self) -> Result<(), Error> {
        let _end = self.stop.clone().drop_guard();
        let path = "/pb.Backend/Cleanup";
        let answer = self.call::<_, pb::Empty>(path, &pb::Empty {}).await;
        self.transactions.roll_back_all();
        match answer {
            Ok(_) => Ok(()),
            Err(Error::Status { message, .. }) if message == "no backend instance found" => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether the plugin has ever asked if the storage has transactions. Only OpenBao's SDK and ours do, and only their plugins
    /// are asked for canonical paths (plugin-protocol §3.11).
    #[must_use]
    pub fn asks_transactional(&self) -> bool {
        self.asks_transactional.load(Ordering::Relaxed)
    }

    /// Rolls back what the instance has left open; returns how many transactions that were.
    pub fn roll_back_transactions(&self) -> usize {
        self.transactions.roll_back_all()
    }

    /// The connection to its process.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    async fn call<M, A>(&self, path: &'static str, message: &M) -> Result<A, Error>
    where
        M: Message,
        A: Message + Default,
    {
        self.call_by(None, path, message).await
    }

    async fn call_by<M, A>(
        &self,
        deadline: Option<Instant>,
        path: &'static str,
        message: &M,
    ) -> Result<A, Error>
    where
        M: Message,
        A: Message + Default,
    {
        // Room for what every call has, too.
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(ID, self.id.clone());
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if let Some(timeout) = left.and_then(timeout::to_header) {
            headers.insert(timeout::NAME, timeout);
        }
        self.connection.call(path, headers, message).await
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop.cancel();
        self.transactions.roll_back_all();
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("id", &self.id())
            .field("asks_transactional", &self.asks_transactional())
            .finish_non_exhaustive()
    }
}

impl From<ConvertError> for tonic::Status {
    fn from(error: ConvertError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}
