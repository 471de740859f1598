//! One running server in dev mode: started on a free port with folders of its own, stopped and checked for leftovers when dropped.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use linchpin_client::Client;
pub use rustix::process::Signal;
use serde_json::Value;

use crate::{
    Fixture, PATIENCE, PluginDir, Process, Product, Settings, Store, fixture, process, wait,
};

/// The root token of every server under test.
const ROOT_TOKEN: &str = "root";

/// Marks the processes of one server in their environment, so that they are found also when their parent is gone.
const MARK: &str = "TESTKIT_RUN";

/// The file in the server's folder that it writes its store to.
const STORE_DUMP: &str = "store";

/// How long plugins may outlive the server that started them.
const AFTERLIFE: Duration = Duration::from_secs(3);

/// A server process with its address, its folders and its log.
pub struct Server {
    product: Product,
    child: Child,
    address: SocketAddr,
    folder: PathBuf,
    temporary: PathBuf,
    plugins: PluginDir,
    mark: String,
    // Nobody cleans up after itself when it is killed.
    killed: bool,
}

impl Server {
    /// Starts `product` and waits until it is unsealed and answers. `Err` names the fixture that is missing.
    pub async fn start(product: Product, settings: &Settings) -> Result<Self, Fixture> {
        let executable = settings
            .executable
            .clone()
            .map_or_else(|| product.executable(), Ok)?;
        // Between our choice of a port and the server's use of it somebody else may take it: then it says so and ends.
        for _ in 0..3 {
            let mut server = Self::spawn(product, &executable, settings);
            if server.becomes_healthy().await {
                return Ok(server);
            }
            assert!(
                server.log().contains("address already in use"),
                "the server ended at its start:\n{}",
                server.log()
            );
        }
        panic!("three free ports in a row were taken by others");
    }

    fn spawn(product: Product, executable: &Path, settings: &Settings) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mark = format!(
            "{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        );
        // Below the build folder, so that plugins can be linked instead of copied.
        let folder = fixture::folder()
            .parent()
            .map(PathBuf::from)
            .unwrap_or_default()
            .join("testkit")
            .join(&mark);
        drop(fs::remove_dir_all(&folder));
        let plugins = PluginDir::create(folder.join("plugins"));
        // Sockets are made in here, and their paths must stay short.
        let temporary = std::env::temp_dir().join(format!("tk-{mark}"));
        drop(fs::remove_dir_all(&temporary));
        fs::create_dir_all(&temporary).expect("create the server's temporary folder");
        let address = free_address();
        let log = File::create(folder.join("log")).expect("create the log");
        let mut command = Command::new(executable);
        command
            .args(["server", "-dev", "-dev-plugin-init=false"])
            .arg(format!("-log-level={}", settings.log_level))
            .arg(format!("-dev-root-token-id={ROOT_TOKEN}"))
            .arg(format!("-dev-listen-address={address}"))
            .env(MARK, &mark)
            // OpenBao writes the root token into the home folder.
            .env("HOME", &folder)
            .env("TMPDIR", &temporary)
            .envs(
                settings
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("share the log"))
            .stderr(log);
        if settings.store_dump {
            assert!(product == Product::Mutant, "{product:?} shows no store");
            command.env("LINCHPIN_STORE_DUMP", folder.join(STORE_DUMP));
        }
        if settings.plugin_dir {
            command.arg(format!("-dev-plugin-dir={}", plugins.path().display()));
        }
        if product.is_ours() && !settings.file.is_empty() {
            let file = folder.join("config.json");
            fs::write(&file, Value::Object(settings.file.clone()).to_string())
                .expect("write the configuration file");
            command.arg(format!("-config={}", file.display()));
        }
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}", executable.display()));
        Self {
            product,
            child,
            address,
            folder,
            temporary,
            plugins,
            mark,
            killed: false,
        }
    }

    /// Waits for the first healthy answer; false when the process ended instead.
    async fn becomes_healthy(&mut self) -> bool {
        let client = self.client();
        let begin = std::time::Instant::now();
        loop {
            if client
                .get("sys/health")
                .await
                .is_ok_and(|reply| reply.status() == 200)
            {
                return true;
            }
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return false;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "the server is not healthy:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What kind of server this is.
    pub fn product(&self) -> Product {
        self.product
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its plugin directory; there also when the server was not told of it.
    pub fn plugins(&self) -> &PluginDir {
        &self.plugins
    }

    /// A folder that belongs to this server alone and is removed with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every file and folder below the server's temporary folder, where it keeps the sockets of its plugins.
    pub fn temporary_files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.temporary.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
                found.push(entry.path());
            }
        }
        found.sort();
        found
    }

    /// A client with the root token.
    pub fn client(&self) -> Client {
        Client::new(self.address).with_token(ROOT_TOKEN)
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Every process that it has started and that is still there, zombies included.
    pub fn plugin_processes(&self) -> Vec<Process> {
        let mut found = Process::descendants(self.pid());
        for process in Process::with_environment(&format!("{MARK}={}", self.mark)) {
            // By its id: its state may have changed since.
            let known = found.iter().any(|known| known.pid == process.pid);
            if process.pid != self.pid() && !known {
                found.push(process);
            }
        }
        found
    }

    /// Everything that the server stores, as it is at this moment. It was started [with a store dump](Settings::with_store_dump).
    pub async fn store(&self) -> Store {
        let file = self.folder.join(STORE_DUMP);
        drop(fs::remove_file(&file));
        self.signal(Signal::USR1);
        let text = wait::until("the server writes its store down", || async {
            fs::read_to_string(&file).ok()
        })
        .await;
        Store::parse(&text)
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: Signal) {
        process::signal(self.pid(), signal);
    }

    /// Ends the server with `signal` and waits until it is gone; what is left of its plugins after [`AFTERLIFE`] is returned.
    pub fn stop(&mut self, signal: Signal) -> Vec<Process> {
        let started = self.plugin_processes();
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.killed |= signal == Signal::KILL;
            self.signal(signal);
            let limit = Duration::from_secs(15);
            let ended = wait::blocking(limit, || {
                self.child.try_wait().is_ok_and(|ended| ended.is_some())
            });
            if !ended {
                drop(self.child.kill());
                drop(self.child.wait());
                assert!(
                    std::thread::panicking(),
                    "the server did not end within {limit:?} of {signal:?}:\n{}",
                    self.log()
                );
            }
        }
        let mark = format!("{MARK}={}", self.mark);
        let left = || {
            let mut left = Process::with_environment(&mark);
            // A process that is ending has lost its environment a moment before it is gone.
            let ending = started.iter().filter(|process| {
                Process::find(process.pid)
                    .is_some_and(|now| now.state != 'Z' && now.name == process.name)
                    && left.iter().all(|found| found.pid != process.pid)
            });
            let ending: Vec<Process> = ending.cloned().collect();
            left.extend(ending);
            left
        };
        wait::blocking(AFTERLIFE, || left().is_empty());
        left()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let failed = std::thread::panicking();
        if failed {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines
                .get(lines.len().saturating_sub(60)..)
                .unwrap_or_default();
            eprintln!(
                "--- last lines of the server's log\n{}\n---",
                tail.join("\n")
            );
        }
        let left = self.stop(Signal::TERM);
        for process in &left {
            Process::kill(process.pid);
        }
        let files = self.temporary_files();
        drop(fs::remove_dir_all(&self.folder));
        drop(fs::remove_dir_all(&self.temporary));
        // OpenBao leaves processes and sockets behind on some paths (plugin-lifecycle §11 item 5); that is not what we test.
        if failed || !self.product.is_ours() {
            return;
        }
        assert!(left.is_empty(), "processes left behind: {left:?}");
        assert!(
            self.killed || files.is_empty(),
            "files left behind: {files:?}"
        );
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address")
}
