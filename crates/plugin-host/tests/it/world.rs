//! A plugin host on the fault plugin, and mounts of it with a storage in memory.

use crate::scratch::Scratch;
use linchpin_engine::{
    Backend, BackendFactory, Context, Error, Joining, MountInfo, PluginSource, Prepare, Prepared,
};
use linchpin_model::{JsonObject, Operation, PluginEntry, PluginType, Request, Sha256};
use linchpin_plugin_host::launch::Launcher;
use linchpin_plugin_host::{PluginHost, Settings};
use linchpin_plugin_sdk::testing::{Memory, Node};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
            storage: Memory::default().view(),
            system: Arc::new(Node::default()),
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
