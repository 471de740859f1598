//! The engine of the fault plugin. What it does is told at the top of `fault-v1.rs`.
//!
//! A folder's `mod.rs`, against the habit of this repository: a file beside the examples would be an example of its own.

mod paths;
mod start;
mod switches;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use linchpin_plugin_sdk::engine::path::{Engine, TableBackend};
use linchpin_plugin_sdk::engine::{
    BoxFuture, Context, Error, StorageEntry, StorageError, StorageView,
};
use linchpin_plugin_sdk::model::PluginType;
use linchpin_plugin_sdk::{Options, Setup, serve};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use switches::Switches;

/// The key that `config` is stored under.
const CONFIG: &str = "config";

static INSTANCES: AtomicU64 = AtomicU64::new(0);

/// Runs the plugin; `built_as` is the version of this binary.
pub(crate) fn main(built_as: &'static str) -> ExitCode {
    let switches = Switches::read();
    if switches.exits_at_start {
        eprintln!("fault: exiting at start as told");
        return ExitCode::from(3);
    }
    if switches.hangs_at == "before-handshake" {
        loop {
            std::thread::park();
        }
    }
    if let Some(status) = start::in_place_of_the_handshake(&switches.start) {
        return status;
    }
    let options = Options::new(switches.version.clone().unwrap_or(built_as.to_owned()))
        .multiplexed(switches.multiplexed)
        .ignoring_shutdown(switches.ignores_shutdown)
        .ending_broker(switches.end_of_broker.clone());
    if !switches.child.is_empty() {
        start::leave_a_child(switches.child == "bare");
    }
    serve(options, move |setup| {
        Fault::create(setup, switches.clone(), built_as)
    })
}

/// One instance.
pub(crate) struct Fault {
    switches: Switches,
    /// The version of the binary, whatever it reports.
    built_as: &'static str,
    /// Which instance of this process, from 1.
    number: u64,
    uuid: String,
    storage: Arc<dyn StorageView>,
    memory: Mutex<String>,
    /// The value of `config` that is in effect.
    config: Mutex<String>,
    /// Held for the life of the instance.
    _port: Option<TcpListener>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Fault {
    async fn create(
        setup: Setup,
        switches: Switches,
        built_as: &'static str,
    ) -> Result<TableBackend<Self>, Error> {
        for line in 0..switches.stderr_lines {
            eprintln!("[WARN] fault: line {line} as told");
        }
        if switches.stderr_line > 0 {
            eprintln!("{}", "x".repeat(switches.stderr_line));
        }
        start::say_lines(switches.stdout_lines);
        if switches.exits_in_setup {
            std::process::exit(7);
        }
        if switches.setup_fails {
            return Err(Error::internal("fault: Setup fails as told"));
        }
        let port = match switches.port {
            None => None,
            Some(port) => {
                let bound = TcpListener::bind(("127.0.0.1", port));
                let text = format!("fault: port {port} is taken");
                Some(bound.map_err(|error| Error::internal(text).with_source(error))?)
            }
        };
        let ctx = Context::internal(CancellationToken::new());
        // A probe has no storage behind it; then nothing is configured.
        let config = read_text(setup.storage.as_ref(), &ctx, CONFIG).await;
        tokio::time::sleep(switches.setup_wait).await;
        hang_if(&switches, "setup").await;
        let fault = Self {
            switches,
            built_as,
            number: INSTANCES.fetch_add(1, Ordering::Relaxed) + 1,
            uuid: random_name(),
            storage: setup.storage,
            memory: Mutex::default(),
            config: Mutex::new(config.ok().flatten().unwrap_or_default()),
            _port: port,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Ok(TableBackend::new(fault, paths::table()))
    }

    /// Writes the key over and over until the instance ends: who writes, and how often it has.
    fn write_in_background(&self, key: &'static str, pause: Duration) {
        let storage = Arc::clone(&self.storage);
        let stop = self.stop.clone();
        let (pid, number) = (std::process::id(), self.number);
        self.tasks.spawn(async move {
            let ctx = Context::internal(stop.clone());
            let mut counter = 0_u64;
            while !stop.is_cancelled() {
                let text = serde_json::json!({
                    "value": format!("{pid}/{number}/{counter}"),
                    "pid": pid,
                    "instance": number,
                    "counter": counter,
                });
                // A refused write is one of the things that tests look for; the next one comes soon.
                let _ = write(storage.as_ref(), &ctx, key, text.to_string()).await;
                counter += 1;
                tokio::time::sleep(pause).await;
            }
        });
    }
}

impl Engine for Fault {
    fn plugin_type(&self) -> PluginType {
        self.switches.plugin_type
    }

    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            tokio::time::sleep(self.switches.init_wait).await;
            hang_if(&self.switches, "init").await;
            match self.switches.init.as_str() {
                "fail" => return Err(Error::internal("fault: Initialize fails as told")),
                "write-fail" | "write-three-then-fail" => {
                    for key in ["kv/one", "kv/two", "kv/three"] {
                        let text = r#"{"value":"written by Initialize"}"#.to_owned();
                        write(self.storage.as_ref(), ctx, key, text).await?;
                    }
                    return Err(Error::internal("fault: Initialize fails as told"));
                }
                "exit" => {
                    self.tasks.spawn(async {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        std::process::exit(7);
                    });
                }
                _ => {}
            }
            if let Some(pause) = self.switches.background {
                self.write_in_background("kv/background", pause);
            }
            Ok(())
        })
    }

    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if key == CONFIG
                && let Ok(value) = read_text(self.storage.as_ref(), ctx, CONFIG).await
            {
                *self.config.lock() = value.unwrap_or_default();
            }
        })
    }

    fn cleanup<'a>(&'a self, _: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            // What runs in the background goes on while Cleanup hangs: the worst that a plugin can do.
            hang_if(&self.switches, "cleanup").await;
            if self.switches.exits_in_cleanup {
                std::process::exit(7);
            }
            self.stop.cancel();
            self.tasks.close();
            self.tasks.wait().await;
        })
    }
}

/// 32 random hex digits, from the seeds of the standard library's hash maps.
fn random_name() -> String {
    let seed = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", seed(), seed())
}

async fn hang_if(switches: &Switches, place: &str) {
    if switches.hangs_at == place {
        std::future::pending::<()>().await;
    }
}

async fn write(
    storage: &dyn StorageView,
    ctx: &Context,
    key: &str,
    text: String,
) -> Result<(), StorageError> {
    let entry = StorageEntry {
        key: key.to_owned(),
        value: text.into(),
        seal_wrap: false,
    };
    storage.put(ctx, entry).await
}

async fn read_text(
    storage: &dyn StorageView,
    ctx: &Context,
    key: &str,
) -> Result<Option<String>, StorageError> {
    let entry = storage.get(ctx, key).await?;
    Ok(entry.map(|entry| String::from_utf8_lossy(&entry.value).into_owned()))
}
