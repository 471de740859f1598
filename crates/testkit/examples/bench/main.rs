//! `cargo xtask bench`: Linchpin beside OpenBao 2.7.2, alternating on the same machine in the same run, on the same plugin binary. Prints the table of
//! `docs/performance.md`.
//!
//! What counts is the ratio and the CPU: absolute numbers depend on the machine, and the load generator shares it.

mod raw;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use linchpin_testkit::client::Reply;
use linchpin_testkit::{Fixture, Process, Product, Settings, Target, fixture};
use serde_json::json;

const CONNECTIONS: usize = 16;
/// Times that both servers take turns; the median of a server's turns is shown.
const TURNS: usize = 3;
/// The age of the plugin's file when it is registered.
const SETTLED: Duration = Duration::from_secs(4);
/// Mounts and reloads of which the median is shown.
const OPERATIONS: usize = 9;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .context("start a runtime")
        .and_then(|runtime| runtime.block_on(bench()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the bench failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<()> {
    let turn = match std::env::args().nth(1).as_deref() {
        None => Duration::from_secs(6),
        Some("--quick") => Duration::from_secs(2),
        Some(other) => bail!("unknown argument {other:?}; there is only --quick"),
    };
    let mut contestants = Vec::new();
    for product in [Product::Linchpin, Product::OpenBao] {
        contestants.push(Contestant::prepare(product).await?);
    }
    for (name, path) in [
        ("kv v1 read", "things/key"),
        ("plugin request", "plugin0/key"),
    ] {
        let mut turns = [Vec::new(), Vec::new()];
        for _ in 0..TURNS {
            for (contestant, turns) in contestants.iter().zip(&mut turns) {
                turns.push(contestant.drive(path, turn).await?);
            }
        }
        for (contestant, turns) in contestants.iter().zip(&mut turns) {
            turns.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
            let middle = turns.get(TURNS / 2).context("no turn was measured")?;
            say(&format!(
                "{name:<16} {:<9} {:>8.0} req/s   p50 {:>7.3} ms   p99 {:>7.3} ms   server CPU {:>5.0} µs   plugin CPU {:>5.0} µs",
                contestant.name(),
                middle.per_second,
                middle.median.as_secs_f64() * 1e3,
                middle.high.as_secs_f64() * 1e3,
                middle.server_cpu,
                middle.plugin_cpu,
            ));
        }
    }
    for contestant in &contestants {
        contestant.operations().await?;
    }
    Ok(())
}

/// A server with what is measured on it.
struct Contestant {
    target: Target,
    idle_kib: u64,
    first_mount: Duration,
}

/// One turn of load.
struct Turn {
    per_second: f64,
    median: Duration,
    high: Duration,
    server_cpu: f64,
    plugin_cpu: f64,
}

impl Contestant {
    async fn prepare(product: Product) -> Result<Self> {
        let target = Target::with(product, Settings::default().quiet()).await;
        let idle_kib = Process::resident_kib(target.server().pid());
        let plugin = fixture(Fixture::KvNew).context(Fixture::KvNew.remedy())?;
        target.plugins().install("kv-plugin", &plugin);
        // As in any plugin directory, the file is not of this second: one that is could still change without its
        // times telling, so Linchpin reads it again at each start.
        tokio::time::sleep(SETTLED).await;
        good(
            target
                .register("gokv", "1.0.0", "kv-plugin", json!({}))
                .await,
        )?;
        good(
            target
                .mount("things", "kv", json!({"options": {"version": "1"}}))
                .await,
        )?;
        let begin = Instant::now();
        good(target.mount("plugin0", "gokv", json!({})).await)?;
        let first_mount = begin.elapsed();
        for mount in ["things", "plugin0"] {
            good(
                target
                    .post(
                        &format!("{mount}/key"),
                        json!({"value": "forty-two characters are a usual password."}),
                    )
                    .await,
            )?;
        }
        Ok(Self {
            target,
            idle_kib,
            first_mount,
        })
    }

    fn name(&self) -> &'static str {
        self.target.product().pick("Linchpin", "OpenBao")
    }

    async fn drive(&self, path: &str, time: Duration) -> Result<Turn> {
        let server = self.target.server();
        // A first second that does not count: caches, and the processor's clock.
        raw::drive(server.address(), path, CONNECTIONS, Duration::from_secs(1)).await?;
        let plugins = self.target.plugin_pids();
        let cpu = |pids: &[u32]| {
            pids.iter()
                .map(|pid| Process::cpu_milliseconds(*pid))
                .sum::<u64>()
        };
        let before = (cpu(&[server.pid()]), cpu(&plugins));
        let begin = Instant::now();
        let mut took = raw::drive(server.address(), path, CONNECTIONS, time).await?;
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

    /// Mount and reload, one after the other, and what an idle server holds.
    async fn operations(&self) -> Result<()> {
        let (mut mounts, mut reloads) = (Vec::new(), Vec::new());
        for number in 1..=OPERATIONS {
            let begin = Instant::now();
            good(
                self.target
                    .mount(&format!("plugin{number}"), "gokv", json!({}))
                    .await,
            )?;
            mounts.push(begin.elapsed());
        }
        for _ in 0..OPERATIONS {
            let begin = Instant::now();
            good(self.target.reload("plugin0").await)?;
            reloads.push(begin.elapsed());
        }
        mounts.sort_unstable();
        reloads.sort_unstable();
        let middle = |times: &[Duration]| {
            times
                .get(OPERATIONS / 2)
                .copied()
                .unwrap_or_default()
                .as_secs_f64()
                * 1e3
        };
        say(&format!(
            "operations       {:<9} first mount {:>5.0} ms   next mounts {:>5.1} ms   reload {:>5.0} ms   idle memory {:>6.1} MiB",
            self.name(),
            self.first_mount.as_secs_f64() * 1e3,
            middle(&mounts),
            middle(&reloads),
            count(usize::try_from(self.idle_kib)?) / 1024.0,
        ));
        ensure!(
            self.target.get("plugin0/key").await.is_success(),
            "the plugin does not serve after its reloads"
        );
        Ok(())
    }
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

fn say(line: &str) {
    // Nobody is left to tell when standard output is closed.
    drop(writeln!(std::io::stdout(), "{line}"));
}
