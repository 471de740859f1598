//! `pb.Backend`: the calls of a host to its instances (plugin-protocol §3.2).

use std::sync::Arc;

use linchpin_engine::{Backend, Context, Error};
use linchpin_model::{
    JsonObject, Operation, PluginType, Request as EngineRequest, Response as Answer,
};
use tokio_rustls::rustls::ClientConfig;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::broker::Broker;
use super::callback::Callback;
use super::host_calls::Host;
use super::instances::{Instance, Instances};
use super::storage::Storage;
use super::system::System;
use super::work::{self, Failure};
use super::{Factory, Setup};
use crate::convert::{ErrorClass, PluginError, answer_to_wire, request_from_wire};
use crate::proto::pb;
use crate::tasks::Tasks;

type Reply<T> = Result<Response<T>, Status>;

/// The text of refused calls in metadata mode.
const METADATA_MODE: &str = "plugin server can not perform action while in metadata mode";

/// The backend service of a process.
#[derive(Clone)]
pub(super) struct BackendService(Arc<Inner>);

struct Inner {
    broker: Broker,
    client_tls: Arc<ClientConfig>,
    tasks: Tasks,
    factory: Arc<dyn Factory>,
    instances: Instances,
    metadata_mode: bool,
}

impl BackendService {
    pub(super) fn new(
        broker: Broker,
        client_tls: Arc<ClientConfig>,
        tasks: Tasks,
        factory: Arc<dyn Factory>,
        multiplexed: bool,
        metadata_mode: bool,
    ) -> Self {
        Self(Arc::new(Inner {
            broker,
            client_tls,
            tasks,
            factory,
            instances: Instances::new(multiplexed),
            metadata_mode,
        }))
    }

    /// The instance of a call that does work.
    fn working(&self, metadata: &MetadataMap) -> Result<Arc<Instance>, Status> {
        if self.0.metadata_mode {
            return Err(Status::unknown(METADATA_MODE));
        }
        self.0.instances.find(metadata)
    }

    /// Runs engine code for a call.
    async fn run<T, F>(
        &self,
        metadata: &MetadataMap,
        request_id: Arc<str>,
        work: impl FnOnce(Context) -> F,
    ) -> Result<Result<T, Failure>, Status>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        work::run(&self.0.tasks, metadata, request_id, work).await
    }
}

/// The request in a message. `Err` is the answer to one that cannot be run at all.
fn read(request: Option<pb::Request>) -> Result<EngineRequest, pb::ProtoError> {
    let refusal = |class, message: String| {
        PluginError {
            class,
            message,
            code: 0,
            shown: None,
            response: None,
        }
        .to_wire()
    };
    let request = request
        .ok_or_else(|| refusal(ErrorClass::InvalidRequest, "request is missing".to_owned()))?;
    let request = request_from_wire(request)
        .map_err(|error| refusal(ErrorClass::StatusBadRequest, error.to_string()))?;
    // Whatever word we do not know is an operation that we do not have: OpenBao sends one ahead of every request.
    if request.operation.is_none() {
        let text = "unsupported operation".to_owned();
        return Err(refusal(ErrorClass::UnsupportedOperation, text));
    }
    Ok(request)
}

async fn serve(
    backend: &dyn Backend,
    ctx: &Context,
    request: EngineRequest,
) -> Result<Option<Answer>, Error> {
    match request.operation {
        Some(Operation::ResolvePath) => {}
        // Every mount is asked once a minute, and most engines have nothing to do then.
        Some(Operation::Rollback) => {
            return match backend.handle(ctx, request).await {
                Err(error) if PluginError::from_engine(&error).is_unsupported() => Ok(None),
                outcome => outcome,
            };
        }
        _ => return backend.handle(ctx, request).await,
    }
    if !backend.resolves_paths() {
        return Err(Error::unsupported_operation());
    }
    let path = backend.resolve_path(ctx, &request).await?;
    path.map(|path| {
        let data = std::collections::BTreeMap::from([("path", path)]);
        JsonObject::from_serialize(&data)
            .map(Answer::data)
            .map_err(|error| Error::internal(error.to_string()))
    })
    .transpose()
}

#[tonic::async_trait]
impl pb::backend_server::Backend for BackendService {
    async fn setup(&self, request: Request<pb::SetupArgs>) -> Reply<pb::SetupReply> {
        let inner = &self.0;
        let id = inner.instances.id(request.metadata())?;
        let (metadata, _, args) = request.into_parts();
        let address = inner.broker.claim(args.broker_id).await?;
        let callback =
            Callback::dial(address, inner.client_tls.clone(), inner.tasks.child()).await?;
        let system = System::new(Arc::clone(&callback));
        system.fetch().await;
        let setup = Setup {
            config: args.config,
            backend_uuid: args.backend_uuid,
            storage: Storage::new(Arc::clone(&callback)),
            system: Arc::clone(&system) as _,
            host: Host::new(Arc::clone(&callback)),
        };
        let making = inner.factory.create(setup);
        let made = self.run(&metadata, Arc::from(""), |_| making).await?;
        let err = match made {
            Ok(backend) => {
                let instance = Instance {
                    backend,
                    system,
                    callback,
                };
                if let Some(replaced) = inner.instances.add(id, instance) {
                    replaced.callback.close();
                }
                String::new()
            }
            Err(error) => error.to_string(),
        };
        Ok(Response::new(pb::SetupReply { err }))
    }

    async fn r#type(&self, request: Request<pb::Empty>) -> Reply<pb::TypeReply> {
        let instance = self.0.instances.find(request.metadata())?;
        let number = match instance.backend.plugin_type() {
            PluginType::Secret => 1,
            PluginType::Auth => 2,
            PluginType::Database => 0,
        };
        Ok(Response::new(pb::TypeReply { r#type: number }))
    }

    async fn special_paths(&self, request: Request<pb::Empty>) -> Reply<pb::SpecialPathsReply> {
        let instance = self.0.instances.find(request.metadata())?;
        let paths = instance.backend.special_paths();
        Ok(Response::new(pb::SpecialPathsReply {
            paths: Some(pb::Paths {
                root: paths.root.clone(),
                unauthenticated: paths.unauthenticated.clone(),
                local_storage: paths.local_storage.clone(),
                seal_wrap_storage: paths.seal_wrap_storage.clone(),
                ..pb::Paths::default()
            }),
        }))
    }

    async fn initialize(&self, request: Request<pb::InitializeArgs>) -> Reply<pb::InitializeReply> {
        let instance = self.working(request.metadata())?;
        let done = self
            .run(request.metadata(), Arc::from(""), |ctx| async move {
                instance.system.fetch().await;
                instance.backend.initialize(&ctx).await
            })
            .await?;
        let err = done.err().map(|failure| failure.to_wire());
        Ok(Response::new(pb::InitializeReply { err }))
    }

    async fn handle_request(
        &self,
        request: Request<pb::HandleRequestArgs>,
    ) -> Reply<pb::HandleRequestReply> {
        let instance = self.working(request.metadata())?;
        let (metadata, _, args) = request.into_parts();
        let (response, err) = match read(args.request) {
            Err(refusal) => (None, Some(refusal)),
            Ok(request) => {
                let answer = self
                    .run(&metadata, Arc::clone(&request.id), |ctx| async move {
                        instance.system.freshen().await;
                        serve(instance.backend.as_ref(), &ctx, request).await
                    })
                    .await?;
                match answer {
                    Ok(answer) => answer_to_wire(Ok(answer)),
                    Err(Failure::Engine(error)) => answer_to_wire(Err(error)),
                    Err(broken) => (None, Some(broken.to_wire())),
                }
            }
        };
        Ok(Response::new(pb::HandleRequestReply { response, err }))
    }

    async fn handle_existence_check(
        &self,
        request: Request<pb::HandleExistenceCheckArgs>,
    ) -> Reply<pb::HandleExistenceCheckReply> {
        let instance = self.working(request.metadata())?;
        let (metadata, _, args) = request.into_parts();
        let reply = match read(args.request) {
            Err(refusal) => pb::HandleExistenceCheckReply {
                err: Some(refusal),
                ..pb::HandleExistenceCheckReply::default()
            },
            Ok(request) => {
                let found = self
                    .run(&metadata, Arc::clone(&request.id), |ctx| async move {
                        instance.backend.exists(&ctx, &request).await
                    })
                    .await?;
                match found {
                    Ok(exists) => pb::HandleExistenceCheckReply {
                        check_found: exists.is_some(),
                        exists: exists.unwrap_or_default(),
                        err: None,
                    },
                    Err(failure) => pb::HandleExistenceCheckReply {
                        err: Some(failure.to_wire()),
                        ..pb::HandleExistenceCheckReply::default()
                    },
                }
            }
        };
        Ok(Response::new(reply))
    }

    async fn invalidate_key(&self, request: Request<pb::InvalidateKeyArgs>) -> Reply<pb::Empty> {
        let instance = self.working(request.metadata())?;
        let (metadata, _, args) = request.into_parts();
        // Nothing to report: a panic in it has been logged.
        let _ = self
            .run(&metadata, Arc::from(""), |ctx| async move {
                instance.backend.invalidate(&ctx, &args.key).await;
                Ok(())
            })
            .await;
        Ok(Response::new(pb::Empty {}))
    }

    /// Success for an id that is gone already: hosts ask twice.
    async fn cleanup(&self, request: Request<pb::Empty>) -> Reply<pb::Empty> {
        let id = self.0.instances.id(request.metadata())?;
        if let Some(instance) = self.0.instances.remove(&id) {
            let _ = self
                .run(request.metadata(), Arc::from(""), |ctx| async move {
                    instance.backend.cleanup(&ctx).await;
                    instance.callback.close();
                    Ok(())
                })
                .await;
        }
        Ok(Response::new(pb::Empty {}))
    }
}
