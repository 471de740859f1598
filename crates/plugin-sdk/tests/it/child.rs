//! A child process that runs the fault plugin, started as a host starts one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use linchpin_crypto::tls::OneTimeIdentity;
use linchpin_goplugin::Handshake;
use linchpin_goplugin::host::{Connection, Open};
use linchpin_goplugin::names::{BACKEND_COOKIE, env};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

/// The fault plugin.
pub(crate) fn binary() -> PathBuf {
    example("fault-v1")
}

/// A binary that cargo has built because it is an example of this package.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap();
    folder.join("examples").join(name)
}

/// A plugin process with its own folder.
pub(crate) struct Plugin {
    pub(crate) child: Child,
    pub(crate) line: String,
    pub(crate) folder: PathBuf,
    pub(crate) own: OneTimeIdentity,
    /// What it prints after its line.
    pub(crate) stdout: BufReader<ChildStdout>,
    /// What it has written to stderr.
    pub(crate) log: PathBuf,
}

impl Plugin {
    /// Starts it with these variables beside those of a host, and reads its handshake line.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_example("fault-v1", variables).await
    }

    /// The same of another example.
    pub(crate) async fn start_example(name: &str, variables: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("lsdk{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let own = OneTimeIdentity::generate(SystemTime::now()).unwrap();
        let log = folder.with_extension("log");
        let mut child = Command::new(example(name))
            .env(BACKEND_COOKIE.0, BACKEND_COOKIE.1)
            .env(env::PROTOCOL_VERSIONS, "5")
            .env(env::CLIENT_CERT, own.certificate_pem())
            .env(env::UNIX_SOCKET_DIR, &folder)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).await.unwrap();
        Self {
            child,
            line,
            folder,
            own,
            stdout,
            log,
        }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let handshake = Handshake::parse(self.line.as_bytes(), &[5], true).unwrap();
        Connection::open(Open {
            handshake: &handshake,
            identity: &self.own,
            socket_dir: self.folder.clone(),
            exited: CancellationToken::new(),
            output: None,
        })
        .await
        .unwrap()
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// What is in its folder.
    pub(crate) fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Drop for Plugin {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = std::fs::remove_file(&self.log);
    }
}
