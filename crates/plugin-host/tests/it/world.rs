//! A plugin host on the fault plugin, and mounts of it with a storage in memory.

use crate::scratch::Scratch;
use linchpin_engine::{
    Access, Backend, BackendFactory, BoxFuture, ClusterInfo, Context, Error, Joining, MountInfo,
    Page, PluginEnvironment, PluginSource, Prepare, Prepared, StorageEntry, StorageError,
    StorageView, SystemView, Transaction,
};
use linchpin_model::{JsonObject, Operation, PluginEntry, PluginType, Request, Sha256};
use linchpin_plugin_host::launch::Launcher;
use linchpin_plugin_host::{PluginHost, Settings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) scratch: Scratch,
    pub(crate) host: PluginHost,
    pub(crate) ctx: Context,
    sha256: Sha256,
}

/// Where the sockets of a world's processes are: short, and its own.
fn sockets(scratch: &Scratch) -> PathBuf {
    scratch.root().join("s")
}

pub(crate) fn settings(scratch: &Scratch) -> Settings {
    std::fs::create_dir_all(sockets(scratch)).unwrap();
    Settings {
        plugin_directory: Some(scratch.plugins()),
        socket_directory: sockets(scratch),
        ..Settings::default()
    }
}

pub(crate) fn launcher() -> Launcher {
    Launcher::open(Path::new(env!("CARGO_BIN_EXE_linchpin-plugin-exec"))).unwrap()
}

/// The bytes of one of this crate's examples.
pub(crate) fn example(name: &str) -> Vec<u8> {
    let built = Path::new(env!("CARGO_BIN_EXE_linchpin-plugin-exec"));
    std::fs::read(built.with_file_name("examples").join(name)).unwrap()
}

impl World {
    pub(crate) fn new(adjust: impl FnOnce(&mut Settings)) -> Self {
        Self::with(adjust, |settings| {
            PluginHost::start(settings, launcher()).unwrap()
        })
    }

    pub(crate) fn with(
        adjust: impl FnOnce(&mut Settings),
        start: impl FnOnce(Settings) -> PluginHost,
    ) -> Self {
        let scratch = Scratch::new();
        let sha256 = scratch.write("fault", example("fault"));
        let mut settings = settings(&scratch);
        adjust(&mut settings);
        Self {
            host: start(settings),
            ctx: Context::internal(CancellationToken::new()),
            scratch,
            sha256,
        }
    }

    /// An entry of the fault plugin with these variables.
    pub(crate) fn entry(&self, env: &[&str]) -> PluginEntry {
        PluginEntry {
            plugin_type: PluginType::Secret,
            name: "tp".to_owned(),
            version: None,
            command: "fault".to_owned(),
            args: Vec::new(),
            env: env.iter().map(|e| (*e).to_owned()).collect(),
            sha256: self.sha256,
            oci_image: String::new(),
            runtime: String::new(),
            overlap: true,
            execution: None,
        }
    }

    /// An entry of another file, which is put into the plugin directory.
    pub(crate) fn other(&self, command: &str, bytes: impl AsRef<[u8]>) -> PluginEntry {
        PluginEntry {
            command: command.to_owned(),
            sha256: self.scratch.write(command, bytes),
            ..self.entry(&[])
        }
    }

    pub(crate) async fn prepare(
        &self,
        entry: PluginEntry,
        path: &str,
        joining: Joining,
    ) -> Result<Prepared, Error> {
        let source = PluginSource::External(Arc::new(entry));
        self.prepare_from(source, path, joining).await
    }

    pub(crate) async fn prepare_from(
        &self,
        source: PluginSource,
        path: &str,
        joining: Joining,
    ) -> Result<Prepared, Error> {
        let prepare = Prepare {
            mount: MountInfo {
                path: format!("{path}/"),
                uuid: format!("uuid-{path}"),
                backend_uuid: format!("backend-{path}"),
                accessor: format!("tp_{path}"),
                mount_type: "tp".to_owned(),
                plugin_type: PluginType::Secret,
                options: BTreeMap::new(),
                local: false,
            },
            source,
            joining,
            storage: Arc::new(Memory::default()),
            system: Arc::new(Node),
        };
        self.host.prepare(&self.ctx, prepare).await
    }

    /// A mount that is ready for requests.
    pub(crate) async fn mount(&self, env: &[&str], path: &str) -> Arc<dyn Backend> {
        let made = self.prepare(self.entry(env), path, Joining::Newest).await;
        let backend = made.unwrap().backend;
        backend.initialize(&self.ctx).await.unwrap();
        backend
    }

    pub(crate) async fn read(
        &self,
        backend: &Arc<dyn Backend>,
        path: &str,
    ) -> Result<Value, Error> {
        self.send(backend, Operation::Read, path, None).await
    }

    pub(crate) async fn send(
        &self,
        backend: &Arc<dyn Backend>,
        operation: Operation,
        path: &str,
        data: Option<Value>,
    ) -> Result<Value, Error> {
        let request = Request {
            operation: Some(operation),
            path: path.to_owned(),
            data: data.map(|d| JsonObject::from_serialize(&d).unwrap()),
            ..Request::default()
        };
        let answer = backend.handle(&self.ctx, request).await?;
        let data = answer.and_then(|a| a.data);
        Ok(data.map_or(Value::Null, |d| serde_json::from_str(d.as_str()).unwrap()))
    }

    pub(crate) async fn pid(&self, backend: &Arc<dyn Backend>) -> u32 {
        let info = self.read(backend, "info").await.unwrap();
        info["pid"].as_u64().unwrap().try_into().unwrap()
    }

    /// The private directories that exist: one per process.
    pub(crate) fn directories(&self) -> usize {
        std::fs::read_dir(sockets(&self.scratch)).unwrap().count()
    }
}

/// A storage in memory, with transactions that see and write through.
#[derive(Default, Clone)]
struct Memory(Arc<Mutex<BTreeMap<String, StorageEntry>>>);

impl Memory {
    fn children(&self, prefix: &str) -> Vec<String> {
        let entries = self.0.lock().unwrap();
        let mut names: Vec<String> = entries
            .keys()
            .filter_map(|key| key.strip_prefix(prefix))
            .map(|rest| match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
            .collect();
        names.dedup();
        names
    }
}

impl StorageView for Memory {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move { Ok(self.0.lock().unwrap().get(key).cloned()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        prefix: &'a str,
        _: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async move { Ok(self.children(prefix)) })
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.0.lock().unwrap().insert(entry.key.clone(), entry);
            Ok(())
        })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.0.lock().unwrap().remove(key);
            Ok(())
        })
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        _: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(async { Err(StorageError::ReadOnly) })
    }
}

/// A node that nobody has configured.
struct Node;

impl SystemView for Node {
    fn default_lease_ttl(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn max_lease_ttl(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn tainted(&self) -> bool {
        false
    }

    fn caching_disabled(&self) -> bool {
        false
    }

    fn local_mount(&self) -> bool {
        false
    }

    fn plugin_environment(&self) -> PluginEnvironment {
        PluginEnvironment::default()
    }

    fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo::default()
    }

    fn generate_password<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async { Err(Error::refused("none")) })
    }
}
