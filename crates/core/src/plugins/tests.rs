//! The catalog service over a real barrier, with files and processes that a test makes up.

use super::*;
use linchpin_barrier::{Barrier, Key};
use linchpin_catalog::{InUse, Resolved};
use linchpin_engine::{BoxFuture, FileFacts, InstanceStatus, Probe};
use linchpin_model::{ErrorKind, Sha256};
use linchpin_storage::{self as storage, Batch, ChangeIndex, Listing, MemoryStore, Page, Prefix};
use parking_lot::Mutex as Lock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::SystemTime;
use tokio_util::sync::CancellationToken;

mod legacy;
mod of_a_node;
mod pinning;
mod registering;
mod removing;
mod runtimes;
mod storing;

const DIGEST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// A store that can lose the answer to a commit, or take its time.
#[derive(Default)]
struct Disk {
    inner: MemoryStore,
    loses_answers: AtomicBool,
    is_slow: AtomicBool,
    finish: tokio::sync::Notify,
    commits: AtomicUsize,
}

impl storage::Storage for Disk {
    fn get(&self, key: &Key) -> impl Future<Output = storage::Result<Option<bytes::Bytes>>> + Send {
        self.inner.get(key)
    }
    fn list(
        &self,
        prefix: &Prefix,
        page: Page,
    ) -> impl Future<Output = storage::Result<Listing>> + Send {
        self.inner.list(prefix, page)
    }
    async fn commit(&self, batch: Batch) -> storage::Result<ChangeIndex> {
        self.commits.fetch_add(1, SeqCst);
        if self.is_slow.load(SeqCst) {
            self.finish.notified().await;
        }
        let written = self.inner.commit(batch).await?;
        if self.loses_answers.load(SeqCst) {
            return Err(storage::Error::Store("the answer was lost".into()));
        }
        Ok(written)
    }
}

/// What a made-up plugin does when it is run.
#[derive(Clone)]
enum Run {
    Reports(PluginType, &'static str),
    Fails(&'static str),
    Hangs,
}

/// Plugins that a test makes up. A file that is not among them is not there.
#[derive(Default)]
struct Files {
    digests: Lock<BTreeMap<String, Sha256>>,
    runs: Lock<BTreeMap<String, Run>>,
    probes: AtomicUsize,
    release: tokio::sync::Notify,
}

impl Files {
    fn add(&self, command: &str, run: Run) {
        let digest = DIGEST.parse().unwrap();
        self.digests.lock().insert(command.to_owned(), digest);
        self.runs.lock().insert(command.to_owned(), run);
    }
}

impl Fleet for Files {
    fn inspect<'a>(&'a self, command: &'a str) -> BoxFuture<'a, Result<FileFacts, Error>> {
        let found = self.digests.lock().get(command).copied();
        Box::pin(async move {
            let sha256 = found.ok_or_else(|| {
                Error::refused_wrapped(format!(
                    "error while validating the command path: lstat /p/{command}: no such file or directory"
                ))
            })?;
            Ok(FileFacts {
                sha256: Some(sha256),
            })
        })
    }
    fn artefacts(&self) -> Vec<String> {
        Vec::new()
    }
    fn probe<'a>(
        &'a self,
        ctx: &'a Context,
        entry: &'a PluginEntry,
        _: Option<PluginType>,
    ) -> BoxFuture<'a, Result<Probe, Error>> {
        self.probes.fetch_add(1, SeqCst);
        let run = self.runs.lock().get(&entry.command).cloned();
        Box::pin(async move {
            match run {
                Some(Run::Reports(plugin_type, version)) => Ok(Probe {
                    plugin_type,
                    version: version.to_owned(),
                }),
                Some(Run::Hangs) => {
                    ctx.race(self.release.notified()).await?;
                    Err(Error::refused("no handshake"))
                }
                Some(Run::Fails(reason)) => Err(Error::refused(reason)),
                None => Err(Error::refused("no such file")),
            }
        })
    }
    fn instances(&self) -> Vec<InstanceStatus> {
        Vec::new()
    }
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct World {
    plugins: Plugins,
    files: Arc<Files>,
    barrier: Arc<Barrier>,
    disk: Arc<Disk>,
    settings: Settings,
}

impl World {
    /// An empty catalog with the built-in `secret/totp`, and the file `tp1`, which reports nothing.
    async fn new() -> Self {
        Self::with(Settings {
            has_plugin_directory: true,
            ..Settings::default()
        })
        .await
    }

    async fn with(settings: Settings) -> Self {
        let disk = Arc::new(Disk::default());
        let barrier = Arc::new(Barrier::new(disk.clone(), Default::default()));
        let made = barrier.initialise(SystemTime::now()).await.unwrap();
        barrier.unseal(made.unseal_key.expose()).await.unwrap();
        let files = Arc::new(Files::default());
        files.add("tp1", Run::Reports(PluginType::Secret, ""));
        let plugins = open(&barrier, &files, &settings).await;
        Self {
            plugins,
            files,
            barrier,
            disk,
            settings,
        }
    }

    /// What the next start finds.
    async fn reopened(&self) -> Plugins {
        open(&self.barrier, &self.files, &self.settings).await
    }

    /// The plaintext below the catalog's prefix.
    async fn stored(&self, key: &str) -> Option<String> {
        let key = Key::new(format!("core/plugin-catalog/{key}"));
        let found = self.barrier.get(&key).await.unwrap();
        found.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
    }

    /// Writes a record as another server would.
    async fn write(&self, key: &str, value: &str) {
        let mut batch = linchpin_barrier::Batch::new();
        let key = Key::new(format!("core/plugin-catalog/{key}"));
        batch.put(key, value.to_owned().into_bytes());
        self.barrier.commit(batch).await.unwrap();
    }
}

async fn open(barrier: &Arc<Barrier>, files: &Arc<Files>, settings: &Settings) -> Plugins {
    let builtin = Builtin {
        plugin_type: PluginType::Secret,
        name: "totp".to_owned(),
        version: linchpin_model::BUILTIN_VERSION.parse().unwrap(),
        deprecation: None,
    };
    let store = Store::new(Arc::clone(barrier));
    Plugins::load(store, files.clone(), settings.clone(), vec![builtin])
        .await
        .unwrap()
}

/// Goes on with `work` until it waits for something.
async fn until_it_waits(work: std::pin::Pin<&mut (impl Future + ?Sized)>) {
    tokio::select! {
        biased;
        _ = work => panic!("it waits for nothing"),
        () = std::future::ready(()) => {}
    }
}

async fn register(plugins: &Plugins, registration: Registration) -> Result<Vec<String>, Error> {
    plugins.register(&ctx(), registration, &nobody).await
}

async fn deregister(
    plugins: &Plugins,
    name: &str,
    version: Option<&str>,
) -> Result<Vec<String>, Error> {
    let secret = PluginType::Secret;
    plugins
        .deregister(&ctx(), secret, name, version, &nobody)
        .await
}

/// Pins a secrets engine, and answers the entry in words.
async fn pin(plugins: &Plugins, name: &str, version: &str) -> Result<Vec<String>, Error> {
    let pinned = plugins
        .pin(&ctx(), PluginType::Secret, name, version)
        .await?;
    Ok(vec![EntryId::of(&pinned).to_string()])
}

fn ctx() -> Context {
    Context::internal(CancellationToken::new())
}

fn nobody(_: &EntryId) -> Vec<String> {
    Vec::new()
}

/// `secret/tp` from the file `tp1`.
fn tp(version: &str) -> Registration {
    Registration {
        plugin_type: Some(PluginType::Secret),
        name: "tp".to_owned(),
        version: version.to_owned(),
        sha256: DIGEST.to_owned(),
        command: "tp1".to_owned(),
        ..Registration::default()
    }
}

fn named(name: &str) -> Registration {
    Registration {
        name: name.to_owned(),
        ..tp("")
    }
}

/// The externals, in words.
fn listed(plugins: &Plugins) -> Vec<String> {
    let catalog = plugins.catalog();
    let ids = catalog
        .entries()
        .map(|entry| EntryId::of(entry).to_string());
    ids.collect()
}

fn entry(plugins: &Plugins, version: &str) -> Option<Arc<PluginEntry>> {
    let id = EntryId {
        plugin_type: PluginType::Secret,
        name: "tp".to_owned(),
        version: version.parse().ok(),
    };
    plugins.catalog().entry(&id).cloned()
}

fn pinned(plugins: &Plugins) -> Vec<String> {
    let catalog = plugins.catalog();
    catalog
        .pins()
        .map(|pin| format!("{}/{} {}", pin.plugin_type, pin.name, pin.version))
        .collect()
}

/// The refusal's kind and its texts as the body has them.
fn refusal(outcome: Result<Vec<String>, Error>) -> (ErrorKind, Vec<String>) {
    let error = outcome.unwrap_err();
    (error.kind(), error.rendered())
}
