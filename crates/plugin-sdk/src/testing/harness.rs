//! One mount, driven as a server drives it (plugin-protocol §2.3, §2.4, §5).

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use linchpin_engine::{Backend, BoxFuture, Context, Error, SpecialPaths, StorageView};
use linchpin_goplugin::convert::{
    answer_from_wire, answer_to_wire, request_from_wire, request_to_wire,
};
use linchpin_goplugin::guest::Setup;
use linchpin_model::{JsonObject, Operation, PluginType, Request, Response, Secret};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::memory::{Missing, View};
use super::{Memory, Node};

type Made = BoxFuture<'static, Result<Arc<dyn Backend>, Error>>;

/// A mount of a plugin, without a server and without a process. Nothing is cleaned up when it is dropped; [`Harness::unmount`] is.
pub struct Harness {
    make: Box<dyn Fn(Setup) -> Made + Send + Sync>,
    options: BTreeMap<String, String>,
    memory: Memory,
    node: Node,
    backend: Arc<dyn Backend>,
    tasks: TaskTracker,
}

/// A lease as a server keeps it: renew it with [`Harness::renew`], end it with [`Harness::revoke`].
#[derive(Debug, Clone)]
pub struct IssuedLease {
    path: String,
    /// What the caller got; gone after a renewal that answered none.
    pub data: Option<JsonObject>,
    /// The secret, with its times.
    pub secret: Secret,
}

impl IssuedLease {
    /// What the caller got.
    ///
    /// # Errors
    /// When it does not have the shape of `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let data = self.data.clone().unwrap_or_default();
        data.decode()
            .map_err(|error| Error::internal(error.to_string()))
    }
}

impl Harness {
    /// Probes and mounts the plugin that `factory` makes, which is the function that [`crate::serve`] is given.
    ///
    /// # Errors
    /// What the plugin answers, and what a server would not take.
    pub async fn new<F, Fut, B>(factory: F) -> Result<Self, Error>
    where
        F: Fn(Setup) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<B, Error>> + Send + 'static,
        B: Backend,
    {
        Self::with(factory, &[], Memory::default(), Node::default()).await
    }

    /// The same with options of the mount, on storage that something else has written, and on a node of the test's.
    ///
    /// # Errors
    /// As [`Harness::new`].
    pub async fn with<F, Fut, B>(
        factory: F,
        options: &[(&str, &str)],
        memory: Memory,
        node: Node,
    ) -> Result<Self, Error>
    where
        F: Fn(Setup) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<B, Error>> + Send + 'static,
        B: Backend,
    {
        let make = move |setup| -> Made {
            let made = factory(setup);
            Box::pin(async move { Ok(Arc::new(made.await?) as Arc<dyn Backend>) })
        };
        let nobody = Node::default();
        nobody.set_host_calls(false);
        let probe = make(Setup {
            config: BTreeMap::new(),
            backend_uuid: String::new(),
            storage: Arc::new(Missing),
            system: Arc::new(node.clone()),
            host: Arc::new(nobody),
        });
        let probed = probe
            .await
            .map_err(|error| error.prefixed("as a probe, without configuration and storage: "))?;
        probed.cleanup(&background()).await;
        let mut harness = Self {
            make: Box::new(make),
            options: options
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            memory,
            node,
            backend: probed,
            tasks: TaskTracker::new(),
        };
        harness.backend = harness.instance().await?;
        Ok(harness)
    }

    /// A new instance on the same storage, initialised.
    async fn instance(&self) -> Result<Arc<dyn Backend>, Error> {
        let view = View::new(&self.memory);
        let mut config = self.options.clone();
        config.insert("plugin_name".to_owned(), "plugin".to_owned());
        config.insert("plugin_type".to_owned(), "secret".to_owned());
        config.insert("plugin_version".to_owned(), String::new());
        let setup = Setup {
            config,
            backend_uuid: "6f4a0b8e-1f6a-7e21-9d35-0c52d1a3b7c4".to_owned(),
            storage: Arc::clone(&view) as Arc<dyn StorageView>,
            system: Arc::new(self.node.clone()),
            host: Arc::new(self.node.clone()),
        };
        let backend = (self.make)(setup)
            .await
            .map_err(|error| error.prefixed("in Setup: "))?;
        if let Some(path) = backend.special_paths().first_invalid() {
            return Err(Error::internal(format!(
                "the unauthenticated path {path:?} is malformed"
            )));
        }
        view.open();
        backend
            .initialize(&background())
            .await
            .map_err(|error| error.prefixed("in Initialize: "))?;
        Ok(backend)
    }

    /// What the mount has stored.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The node that it is mounted on.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// The special paths.
    #[must_use]
    pub fn special_paths(&self) -> Arc<SpecialPaths> {
        self.backend.special_paths()
    }

    /// Reads; `None` is a 404.
    ///
    /// # Errors
    /// What the plugin answers, as a server sees it.
    pub async fn read(&self, path: &str) -> Result<Option<Response>, Error> {
        self.ask(Operation::Read, path, None).await
    }

    /// Reads and decodes the data.
    ///
    /// # Errors
    /// As [`Harness::read`], and when the data does not have the shape of `T`.
    pub async fn read_as<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Error> {
        let data = self.read(path).await?.and_then(|response| response.data);
        data.map(|data| {
            data.decode()
                .map_err(|error| Error::internal(format!("{path}: {error}")))
        })
        .transpose()
    }

    /// Writes; whether that creates or updates is what the existence check says.
    ///
    /// # Errors
    /// What the plugin answers, as a server sees it.
    pub async fn write<T: Serialize + ?Sized>(
        &self,
        path: &str,
        data: &T,
    ) -> Result<Option<Response>, Error> {
        let data = JsonObject::from_serialize(data)
            .map_err(|error| Error::internal(format!("the body of a write: {error}")))?;
        self.ask(Operation::Update, path, Some(data)).await
    }

    /// The names below a path; empty is a 404.
    ///
    /// # Errors
    /// What the plugin answers, as a server sees it.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        #[derive(serde::Deserialize)]
        struct Keys {
            #[serde(default)]
            keys: Vec<String>,
        }
        let mut path = path.to_owned();
        if !path.is_empty() && !path.ends_with('/') {
            path.push('/');
        }
        let answer = self.ask(Operation::List, &path, None).await?;
        let Some(data) = answer.and_then(|response| response.data) else {
            return Ok(Vec::new());
        };
        let keys: Keys = data
            .decode()
            .map_err(|error| Error::internal(format!("{path}: {error}")))?;
        Ok(keys.keys)
    }

    /// Deletes.
    ///
    /// # Errors
    /// What the plugin answers, as a server sees it.
    pub async fn delete(&self, path: &str) -> Result<Option<Response>, Error> {
        self.ask(Operation::Delete, path, None).await
    }

    /// The help text of a path; of the whole mount for an empty one.
    ///
    /// # Errors
    /// What the plugin answers, as a server sees it.
    pub async fn help(&self, path: &str) -> Result<String, Error> {
        #[derive(serde::Deserialize)]
        struct Help {
            help: String,
        }
        let answer = self.ask(Operation::Help, path, None).await?;
        let data = answer
            .and_then(|response| response.data)
            .unwrap_or_default();
        let help: Help = data
            .decode()
            .map_err(|error| Error::internal(format!("help: {error}")))?;
        Ok(help.help)
    }

    /// Reads a path and keeps the lease that comes with it.
    ///
    /// # Errors
    /// As [`Harness::read`], and when there is no lease.
    pub async fn lease(&self, path: &str) -> Result<IssuedLease, Error> {
        let response = self.read(path).await?.unwrap_or_default();
        let mut secret = response
            .secret
            .ok_or_else(|| Error::internal(format!("{path} answered no secret with a lease")))?;
        secret.lease.issue_time = Some(SystemTime::now());
        Ok(IssuedLease {
            path: path.to_owned(),
            data: response.data,
            secret,
        })
    }

    /// Renews a lease as a server does: what the plugin answers replaces what is kept, the data, too.
    ///
    /// # Errors
    /// What the plugin answers, and an answer without a secret.
    pub async fn renew(&self, lease: &mut IssuedLease, increment: Duration) -> Result<(), Error> {
        let mut secret = lease.secret.clone();
        secret.lease.increment = increment;
        let answer = self
            .request(Request {
                operation: Some(Operation::Renew),
                path: lease.path.clone(),
                data: lease.data.clone(),
                secret: Some(secret),
                ..Request::default()
            })
            .await?
            .unwrap_or_default();
        let mut secret = answer
            .secret
            .ok_or_else(|| Error::internal("the renewal answered no secret"))?;
        secret.lease.issue_time = lease.secret.lease.issue_time;
        lease.secret = secret;
        lease.data = answer.data;
        Ok(())
    }

    /// Revokes a lease.
    ///
    /// # Errors
    /// What the plugin answers; a server would try again.
    pub async fn revoke(&self, lease: &IssuedLease) -> Result<(), Error> {
        self.request(Request {
            operation: Some(Operation::Revoke),
            path: lease.path.clone(),
            data: lease.data.clone(),
            secret: Some(lease.secret.clone()),
            ..Request::default()
        })
        .await?;
        Ok(())
    }

    /// The minute's work: the periodic function, and old entries of the write-ahead log.
    ///
    /// # Errors
    /// What the plugin answers.
    pub async fn rollback(&self) -> Result<(), Error> {
        self.ask(Operation::Rollback, "", None).await.map(|_| ())
    }

    /// The same with every entry of the write-ahead log, however young.
    ///
    /// # Errors
    /// What the plugin answers.
    pub async fn rollback_now(&self) -> Result<(), Error> {
        let data = BTreeMap::from([("immediate", true)]);
        let data = JsonObject::from_serialize(&data)
            .map_err(|error| Error::internal(error.to_string()))?;
        self.ask(Operation::Rollback, "", Some(data))
            .await
            .map(|_| ())
    }

    /// Tells the plugin that somebody else has changed a storage key; change it in [`Harness::memory`] before.
    pub async fn invalidate(&self, key: &str) {
        self.backend.invalidate(&background(), key).await;
    }

    /// Replaces the instance by a new one on the same storage, as an upgrade does.
    ///
    /// # Errors
    /// What Setup or Initialize answer; the old instance goes on then.
    pub async fn reload(&mut self) -> Result<(), Error> {
        let next = self.instance().await?;
        let old = std::mem::replace(&mut self.backend, next);
        old.cleanup(&background()).await;
        Ok(())
    }

    /// Replaces the plugin itself by another version on the same storage.
    ///
    /// # Errors
    /// As [`Harness::reload`].
    pub async fn upgrade<F, Fut, B>(&mut self, factory: F) -> Result<(), Error>
    where
        F: Fn(Setup) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<B, Error>> + Send + 'static,
        B: Backend,
    {
        let make = move |setup| -> Made {
            let made = factory(setup);
            Box::pin(async move { Ok(Arc::new(made.await?) as Arc<dyn Backend>) })
        };
        let old = std::mem::replace(&mut self.make, Box::new(make));
        let reloaded = self.reload().await;
        if reloaded.is_err() {
            self.make = old;
        }
        reloaded
    }

    /// The last minute's work and the last call, twice, as servers may send it.
    ///
    /// # Errors
    /// What the minute's work answers.
    pub async fn unmount(self) -> Result<(), Error> {
        self.rollback().await?;
        for _ in 0..2 {
            self.backend.cleanup(&background()).await;
        }
        Ok(())
    }

    async fn ask(
        &self,
        operation: Operation,
        path: &str,
        data: Option<JsonObject>,
    ) -> Result<Option<Response>, Error> {
        self.request(Request {
            operation: Some(operation),
            path: path.to_owned(),
            data,
            ..Request::default()
        })
        .await
    }

    /// Sends any request, filled with what a server would fill in.
    ///
    /// # Errors
    /// What the plugin answers, as a server sees it; a panic; and an answer that no server should see.
    pub async fn request(&self, mut request: Request) -> Result<Option<Response>, Error> {
        if request.mount_point.is_empty() {
            request.mount_point = Arc::from("plugin/");
            request.mount_type = Arc::from("plugin");
            request.mount_accessor = Arc::from("plugin_00000000");
        }
        request.unauthenticated = self.special_paths().is_unauthenticated(&request.path);
        let request = request_from_wire(request_to_wire(&request))
            .map_err(|error| Error::internal(error.to_string()))?;
        let backend = Arc::clone(&self.backend);
        let work = self.tasks.spawn(async move {
            let ctx = background();
            let mut request = request;
            if request.operation == Some(Operation::Update)
                && backend.exists(&ctx, &request).await? == Some(false)
            {
                request.operation = Some(Operation::Create);
            }
            let operation = request.operation();
            match backend.handle(&ctx, request).await {
                Err(error) if operation == Operation::Rollback && is_unsupported(&error) => {
                    Ok(None)
                }
                answer => answer,
            }
        });
        let answer = work
            .await
            .map_err(|error| Error::internal(format!("the plugin panicked: {error}")))?;
        let (response, error) = answer_to_wire(answer);
        let answer = answer_from_wire(response, error)
            .map_err(|error| Error::internal(error.to_string()))??;
        if let Some(response) = &answer {
            self.check(response)?;
        }
        Ok(answer)
    }

    /// What no server should see.
    fn check(&self, response: &Response) -> Result<(), Error> {
        let secret = response.secret.as_ref();
        match self.backend.plugin_type() {
            PluginType::Auth if secret.is_some() => {
                return Err(Error::internal(
                    "an auth method answered a secret with a lease",
                ));
            }
            PluginType::Secret if response.auth.is_some() => {
                return Err(Error::internal("a secrets engine answered a login"));
            }
            _ => {}
        }
        let internal = secret.and_then(|secret| secret.internal_data.as_ref());
        if secret.is_some()
            && !internal.is_some_and(|data| data.members().contains_key("secret_type"))
        {
            return Err(Error::internal(
                "the internal data of the lease has no secret_type: nothing can revoke it",
            ));
        }
        for data in response.data.iter().chain(internal) {
            if let Some(number) = altered(data) {
                return Err(Error::internal(format!(
                    "the number {number} is above 2^53: a Go server alters it; carry it as a string"
                )));
            }
        }
        Ok(())
    }
}

fn is_unsupported(error: &Error) -> bool {
    error.kind() == linchpin_model::ErrorKind::UnsupportedOperation
        || error.to_string() == "unsupported path"
}

fn background() -> Context {
    Context::internal(CancellationToken::new())
}

/// The first integer that a 64-bit float cannot hold.
fn altered(data: &JsonObject) -> Option<String> {
    const EXACT: u64 = 1 << 53;
    let mut left: Vec<serde_json::Value> = data.decode().into_iter().collect();
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::Number(number) => {
                let size = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
                if size.is_some_and(|size| size > EXACT) {
                    return Some(number.to_string());
                }
            }
            serde_json::Value::Array(values) => left.extend(values),
            serde_json::Value::Object(members) => {
                left.extend(members.into_iter().map(|(_, value)| value));
            }
            _ => {}
        }
    }
    None
}
