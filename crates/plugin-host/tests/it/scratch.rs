//! A plugin directory of one test, with scripts in it, and what the tests ask of `/proc`.

use linchpin_model::{Execution, Sha256};
use linchpin_plugin_host::artefact::{Artefact, Artefacts};
use linchpin_plugin_host::launch::Launcher;
use linchpin_plugin_host::spawner::Spawner;
use linchpin_plugin_host::{Error, PluginDirectory};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio_util::task::TaskTracker;

/// How long a test waits for something that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = NEXT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("lp-it-{}-{unique}", std::process::id()));
        std::fs::create_dir_all(root.join("plugins")).unwrap();
        std::fs::create_dir_all(root.join("private")).unwrap();
        Self {
            root: root.canonicalize().unwrap(),
        }
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.root.join("plugins")
    }

    pub(crate) fn private(&self) -> PathBuf {
        self.root.join("private")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes an executable file and names its digest.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Sha256 {
        let path = self.plugins().join(name);
        std::fs::write(&path, bytes.as_ref()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Sha256(linchpin_crypto::sha256(bytes.as_ref()))
    }

    pub(crate) fn artefact(
        &self,
        name: &str,
        bytes: impl AsRef<[u8]>,
        execution: Execution,
    ) -> Result<Arc<Artefact>, Error> {
        let sha256 = self.write(name, bytes);
        let directory = PluginDirectory::open(&self.plugins()).unwrap();
        Artefacts::default().open(&directory, name, name, sha256, execution)
    }

    /// A shell script as an artefact.
    pub(crate) fn script(&self, name: &str, body: &str) -> Arc<Artefact> {
        let text = format!("#!/bin/sh\n{body}\n");
        self.artefact(name, text, Execution::Sealed).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

pub(crate) fn spawner() -> (Spawner, TaskTracker) {
    let tracker = TaskTracker::new();
    let launcher = Launcher::open(Path::new(env!("CARGO_BIN_EXE_linchpin-plugin-exec"))).unwrap();
    (Spawner::start(launcher, tracker.clone()).unwrap(), tracker)
}

/// Whether the process exists and is no zombie.
pub(crate) fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| {
            stat.rsplit_once(')')
                .map(|(_, rest)| rest.trim_start().to_owned())
        })
        .is_some_and(|rest| !rest.starts_with('Z'))
}

/// Whether the process has left nothing, not even a zombie.
pub(crate) fn is_gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "still not: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
