//! One server under measurement, with its mounts, and what is done to it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use linchpin_testkit::client::Reply;
use linchpin_testkit::{Fixture, Process, Product, Settings, Target, fixture};
use serde_json::json;

use crate::raw;
use crate::report::Operations;

/// The age of the plugins' files when they are registered.
const SETTLED: Duration = Duration::from_secs(4);
/// Mounts and reloads of which the median is shown.
const OPERATIONS: usize = 9;
/// How many mounts of one plugin there are in the end.
const MANY: usize = 200;

/// A server with what is measured on it.
pub(crate) struct Contestant {
    target: Target,
    idle_kib: u64,
    first_mount: Duration,
}

/// One turn of load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) per_second: f64,
    pub(crate) median: Duration,
    pub(crate) high: Duration,
    /// CPU time of the server for one request, in microseconds.
    pub(crate) server_cpu: f64,
    /// The same of all its plugin processes.
    pub(crate) plugin_cpu: f64,
}

impl Contestant {
    pub(crate) async fn prepare(product: Product) -> Result<Self> {
        let target = Target::with(product, Settings::default().quiet()).await;
        let idle_kib = Process::resident_kib(target.server().pid());
        let plugin = fixture(Fixture::KvNew).context(Fixture::KvNew.remedy())?;
        target.plugins().install("kv-plugin", &plugin);
        // As in any plugin directory, the files are not of this second: one that is could still change without its
        // times telling, so Linchpin reads it again at each start.
        tokio::time::sleep(SETTLED).await;
        good(
            target
                .register("gokv", "1.0.0", "kv-plugin", json!({}))
                .await,
        )?;
        good(target.register("fault", "1.0.0", "tp1", json!({})).await)?;
        let options = json!({"options": {"version": "1"}});
        good(target.mount("things", "kv", options).await)?;
        let begin = Instant::now();
        good(target.mount("plugin0", "gokv", json!({})).await)?;
        let first_mount = begin.elapsed();
        good(target.mount("fault0", "fault", json!({})).await)?;
        for mount in ["things", "plugin0"] {
            let value = json!({"value": "forty-two characters are a usual password."});
            good(target.post(&format!("{mount}/key"), value).await)?;
        }
        Ok(Self {
            target,
            idle_kib,
            first_mount,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.target.product().pick("Linchpin", "OpenBao")
    }

    /// Asks for `path` over and over, for so long.
    pub(crate) async fn drive(
        &self,
        path: &str,
        connections: usize,
        time: Duration,
    ) -> Result<Turn> {
        let server = self.target.server();
        // A first half second that does not count: caches, and the processor's clock.
        let warm = Duration::from_millis(500);
        raw::drive(server.address(), path, connections, warm).await?;
        let plugins = self.target.plugin_pids();
        let cpu = |pids: &[u32]| {
            pids.iter()
                .map(|pid| Process::cpu_milliseconds(*pid))
                .sum::<u64>()
        };
        let before = (cpu(&[server.pid()]), cpu(&plugins));
        let begin = Instant::now();
        let mut took = raw::drive(server.address(), path, connections, time).await?;
        let elapsed = begin.elapsed().as_secs_f64();
        let after = (cpu(&[server.pid()]), cpu(&plugins));
        took.sort_unstable();
        let requests = count(took.len());
        let each = |before: u64, after: u64| {
            Duration::from_millis(after - before).as_secs_f64() * 1e6 / requests
        };
        let at = |percent: usize| {
            took.get(took.len() * percent / 100)
                .copied()
                .unwrap_or_default()
        };
        Ok(Turn {
            per_second: requests / elapsed,
            median: at(50),
            high: at(99),
            server_cpu: each(before.0, after.0),
            plugin_cpu: each(before.1, after.1),
        })
    }

    /// Mount and reload, one after the other; then many mounts, and all of them reloaded by one call.
    pub(crate) async fn operations(&self) -> Result<Operations> {
        let (mut mounts, mut reloads) = (Vec::new(), Vec::new());
        for number in 1..=OPERATIONS {
            mounts.push(self.mount(number).await?);
        }
        for _ in 0..OPERATIONS {
            let begin = Instant::now();
            good(self.target.reload("plugin0").await)?;
            reloads.push(begin.elapsed());
        }
        let begin = Instant::now();
        for number in OPERATIONS + 1..MANY {
            self.mount(number).await?;
        }
        let many_mounts = begin.elapsed();
        let begin = Instant::now();
        let body = json!({"plugin": "gokv"});
        good(self.target.post("sys/plugins/reload/backend", body).await)?;
        let reload_of_many = begin.elapsed();
        ensure!(
            self.target.get("plugin0/key").await.is_success(),
            "the plugin does not serve after its reloads"
        );
        let server = self.target.server().pid();
        let plugins = self.target.plugin_pids();
        let plugin_kib: u64 = plugins.iter().map(|pid| Process::resident_kib(*pid)).sum();
        Ok(Operations {
            first_mount: milliseconds(self.first_mount),
            next_mount: median(mounts),
            reload: median(reloads),
            many: MANY,
            many_mounts: milliseconds(many_mounts),
            reload_of_many: milliseconds(reload_of_many),
            processes: plugins.len(),
            idle_mib: mebibytes(self.idle_kib),
            many_mib: mebibytes(Process::resident_kib(server)),
            plugins_mib: mebibytes(plugin_kib),
        })
    }

    async fn mount(&self, number: usize) -> Result<Duration> {
        let begin = Instant::now();
        let path = format!("plugin{number}");
        good(self.target.mount(&path, "gokv", json!({})).await)?;
        Ok(begin.elapsed())
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    milliseconds(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn mebibytes(kib: u64) -> f64 {
    count(usize::try_from(kib).unwrap_or(usize::MAX)) / 1024.0
}

fn good(reply: Reply) -> Result<Reply> {
    if !reply.is_success() {
        bail!("{} {}", reply.status(), reply.errors().join(" "));
    }
    Ok(reply)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of this bench are far below 2^52"
)]
fn count(number: usize) -> f64 {
    number as f64
}
