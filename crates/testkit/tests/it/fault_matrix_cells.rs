//! The stages of the fault matrix. A cell is one fault at one stage, with a plugin, a mount and a file that arms it of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use linchpin_testkit::client::{Client, Method, Reply, Request};
use linchpin_testkit::{Process, Target, switch};
use serde_json::{Value, json};

use crate::fault_matrix::{Effect, Fault};

/// The stages that are cells; the last one, shutdown, is one for all.
pub(crate) const STAGES: &[&str] = &["register", "mount", "request", "reload", "crash-loop"];

/// How long a mount may take to answer again when its plugin is whole (plugin-lifecycle §7.6: ten seconds), on a busy machine.
const HEALED: Duration = Duration::from_secs(30);

/// How long a request is waited for that a plugin may never answer.
const IMPATIENT: Duration = Duration::from_secs(8);

/// One cell.
pub(crate) struct Cell {
    t: Arc<Target>,
    /// With connections of its own, which end with the cell.
    client: Client,
    fault: Fault,
    stage: &'static str,
    /// The plugin's name, and the mount's.
    name: String,
    /// The file that arms the fault.
    arm: PathBuf,
    port: u16,
}

impl Cell {
    pub(crate) fn new(t: Arc<Target>, fault: Fault, stage: &'static str, port: u16) -> Self {
        let name = format!("{}-{stage}", fault.name);
        let arm = t.server().folder().join(format!("arm-{name}"));
        Self {
            client: t.server().client(),
            t,
            fault,
            stage,
            name,
            arm,
            port,
        }
    }

    /// Plays it; `Err` says what went wrong where.
    pub(crate) async fn play(self) -> Result<(), String> {
        let outcome = match self.stage {
            "register" => self.register().await,
            "mount" => self.mount().await,
            "request" => self.request().await,
            "reload" => self.reload().await,
            _ => self.crash_loop().await,
        };
        let outcome = match outcome {
            Ok(()) => self.tidy_up().await.context("at the end"),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| format!("{} × {}: {error:#}", self.fault.name, self.stage))
    }

    /// The entry is there afterwards, whatever its file did when it was asked for its version; unless it told another one.
    async fn register(&self) -> Result<()> {
        self.arm()?;
        let reply = self.put_entry("1.0.0", "tp1", true).await?;
        let path = format!("sys/plugins/catalog/secret/{}?version=1.0.0", self.name);
        let read = self.get(&path).await?;
        if self.fault.switch == switch::REPORTS_ANOTHER_VERSION {
            ensure!(read.status() == 404, "the entry exists: {}", show(&read));
            return self.names_both_versions(&reply);
        }
        accepted(&reply)?;
        accepted(&read)
    }

    /// The text of plugin-lifecycle §2.5 row 17.
    fn names_both_versions(&self, reply: &Reply) -> Result<()> {
        let text = "reported version (v9.9.9) did not match requested version (v1.";
        let is_said = reply.errors().iter().any(|error| error.contains(text));
        ensure!(
            reply.status() == 400 && is_said,
            "it answered {}",
            show(reply)
        );
        Ok(())
    }

    /// It serves, or nothing is mounted and the refusal says why.
    async fn mount(&self) -> Result<()> {
        accepted(&self.put_entry("1.0.0", "tp1", true).await?)?;
        self.arm()?;
        let reply = self.enable().await?;
        let read = self.get(&format!("sys/mounts/{}", self.name)).await?;
        if self.stays_down(&reply) {
            refused(&reply)?;
            if self.fault.switch == switch::REPORTS_ANOTHER_VERSION {
                self.names_both_versions(&reply)?;
            }
            ensure!(read.status() == 400, "the mount exists: {}", show(&read));
            return Ok(());
        }
        accepted(&reply)?;
        accepted(&read)?;
        self.serves_storage().await
    }

    /// A request to a plugin that broke: an answer, a server error that names the end of its process, or a clear 503.
    async fn request(&self) -> Result<()> {
        self.come_up_and_break().await.map_err(anyhow::Error::msg)?;
        let reply = self.info().await;
        match (self.fault.effect, reply) {
            (Effect::NeverUp, Ok(reply)) => unavailable(&reply)?,
            (Effect::Serves, Ok(reply)) if reply.status() == 503 => {
                // On a busy machine a start takes longer than a request waits here.
                unavailable(&reply)?;
                self.heals().await?;
            }
            (Effect::Serves, Ok(reply)) => {
                accepted(&reply)?;
                if self.fault.switch == switch::REQUEST_ENDS_BROKER {
                    self.joins_elsewhere(&reply).await?;
                }
            }
            (Effect::SpoilsInfo, Ok(reply)) => {
                ensure!(reply.status() >= 500, "it answered {}", show(&reply));
                self.serves_storage().await?;
            }
            // It hung, and the client went away.
            (Effect::SpoilsInfo, Err(_)) => self.serves_storage().await?,
            (Effect::EndsSoon, Ok(reply)) => served_or_ended(&reply)?,
            (_, Err(error)) => return Err(error.context("info")),
        }
        Ok(())
    }

    /// The process of `first` takes no further mount: the next one has another, at once, and the first goes on where it is.
    async fn joins_elsewhere(&self, first: &Reply) -> Result<()> {
        let begin = Instant::now();
        let path = format!("sys/mounts/{}-beside", self.name);
        accepted(&self.post(&path, json!({"type": self.name})).await?)?;
        let took = begin.elapsed();
        let beside = self.get(&format!("{}-beside/info", self.name)).await?;
        accepted(&beside)?;
        ensure!(
            beside.at("/data/pid") != first.at("/data/pid"),
            "the mount beside it has the process whose broker has ended"
        );
        // A claim of a broker that is gone would be waited for for five seconds.
        ensure!(took < Duration::from_secs(5), "mounting took {took:?}");
        let again = self.info().await?;
        ensure!(
            again.at("/data/pid") == first.at("/data/pid"),
            "it was moved: {}",
            show(&again)
        );
        accepted(&self.delete(&path).await?)
    }

    /// A reload onto the broken version: the new one serves, or the old one goes on as if nothing had been.
    async fn reload(&self) -> Result<()> {
        accepted(&self.put_entry("1.0.0", "tp1", false).await?)?;
        accepted(&self.enable().await?)?;
        self.store().await?;
        let old = self.info().await?.data();
        accepted(&self.put_entry("1.1.0", "tp2", true).await?)?;
        self.arm()?;
        let tune = format!("sys/mounts/{}/tune", self.name);
        accepted(&self.post(&tune, json!({"plugin_version": "1.1.0"})).await?)?;
        let path = "sys/plugins/reload/backend";
        let reply = self.post(path, json!({"mounts": [self.name]})).await?;
        let read = self.get(&format!("sys/mounts/{}", self.name)).await?;
        let running = read.at("/data/running_plugin_version");
        if !self.stays_down(&reply) {
            accepted(&reply)?;
            ensure!(running == "v1.1.0", "{running} runs");
            return self.serves_storage().await;
        }
        refused(&reply)?;
        ensure!(running == "v1.0.0", "{running} runs");
        let now = self.info().await?;
        ensure!(now.data() == old, "not the old one: {}", show(&now));
        self.serves_storage().await?;
        let written = self.get(&format!("{}/kv/one", self.name)).await?;
        ensure!(
            written.status() == 404,
            "what Initialize wrote is there: {}",
            show(&written)
        );
        Ok(())
    }

    /// It breaks over and over: requests are refused at once with the cause, and when it is whole again it serves again by itself.
    async fn crash_loop(&self) -> Result<()> {
        self.come_up_and_break().await.map_err(anyhow::Error::msg)?;
        match self.fault.effect {
            Effect::NeverUp => self.breaker_opens().await?,
            Effect::EndsSoon => self.breaker_opens().await?,
            Effect::SpoilsInfo | Effect::Serves => {
                for _ in 0..3 {
                    self.kill().await?;
                    self.serves_storage().await?;
                }
            }
        }
        std::fs::remove_file(&self.arm)?;
        // What a process is armed with it stays armed with; the next one is whole.
        self.own_processes()
            .iter()
            .for_each(|pid| Process::kill(*pid));
        self.heals().await
    }

    /// Whether nothing may come up with the fault. What ends by itself may end before its Initialize is answered, or after.
    fn stays_down(&self, reply: &Reply) -> bool {
        match self.fault.effect {
            Effect::NeverUp => true,
            Effect::EndsSoon => !reply.is_success(),
            Effect::SpoilsInfo | Effect::Serves => false,
        }
    }

    /// A mount of the plugin while it is whole, with a value stored; then it breaks at its next start, which comes at once.
    pub(crate) async fn come_up_and_break(&self) -> Result<(), String> {
        let work = async {
            accepted(&self.put_entry("1.0.0", "tp1", true).await?)?;
            accepted(&self.enable().await?)?;
            self.store().await?;
            self.arm()?;
            self.kill().await
        };
        let outcome: Result<()> = work.await;
        outcome.map_err(|error| format!("{} × {}: {error:#}", self.fault.name, self.stage))
    }

    /// Requests and a second mount until the server is gone.
    pub(crate) fn ask_on(self) -> impl Future<Output = ()> {
        let info = Request::new(Method::GET, &format!("{}/info", self.name)).within(IMPATIENT);
        let again = Request::new(Method::POST, &format!("sys/mounts/{}-2", self.name))
            .json(&json!({"type": self.name}))
            .within(IMPATIENT);
        // The server is about to be stopped, by its only holder.
        let client = self.client;
        drop(self.t);
        async move {
            let (info, again) = tokio::join!(client.send(info), client.send(again));
            drop((info, again));
        }
    }

    /// A 503 that does not say that the plugin is still starting: the breaker is open, or its instance is known to fail.
    async fn breaker_opens(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let asked = Instant::now();
            let reply = self.info().await?;
            let took = asked.elapsed();
            served_or_ended(&reply)?;
            let starting = reply.errors().iter().any(|e| e.contains("still starting"));
            // At once: it waited neither for a start (2 s) nor for a limit (5 s). One that came during a start waits for its failure.
            if reply.status() == 503 && !starting && took < Duration::from_secs(1) {
                return Ok(());
            }
            let waited = begin.elapsed();
            ensure!(
                waited < Duration::from_secs(60),
                "no clear 503 within {waited:?}, but {}",
                show(&reply)
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reads what was stored, however long the plugin needs to come back; every refusal until then is a clear one.
    async fn serves_storage(&self) -> Result<()> {
        let path = format!("{}/kv/kept", self.name);
        let begin = Instant::now();
        loop {
            let request = Request::new(Method::GET, &path).within(IMPATIENT);
            match self.client.send(request).await {
                // Nothing was stored by this stage.
                Ok(reply) if reply.status() == 404 && self.stage == "mount" => return Ok(()),
                Ok(reply) if reply.is_success() => {
                    let value = reply.at("/data/value");
                    ensure!(value == "kept", "it answered {value}");
                    return Ok(());
                }
                // Those that end every request end this one as well.
                Ok(reply) if self.fault.switch == "FAULT_EXIT_ON_REQUEST=1" => {
                    ensure!(reply.status() >= 500, "it answered {}", show(&reply));
                    return Ok(());
                }
                Ok(reply) if self.fault.effect == Effect::EndsSoon => {
                    served_or_ended(&reply)?;
                    return Ok(());
                }
                Ok(reply) => ensure!(reply.status() >= 500, "it answered {}", show(&reply)),
                // It waits for a process that is stopped.
                Err(_) => {}
            }
            let waited = begin.elapsed();
            ensure!(waited < HEALED, "nothing was served for {waited:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn heals(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let last = match self.info().await {
                Ok(reply) if reply.is_success() => break,
                Ok(reply) => {
                    ensure!(reply.status() >= 500, "it answered {}", show(&reply));
                    show(&reply)
                }
                Err(error) => format!("{error:#}"),
            };
            let waited = begin.elapsed();
            ensure!(waited < HEALED, "not back after {waited:?}: {last}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let kept = self.get(&format!("{}/kv/kept", self.name)).await?;
        ensure!(kept.at("/data/value") == "kept", "{}", show(&kept));
        Ok(())
    }

    /// Nothing of the cell is left: its mount, its entries.
    async fn tidy_up(&self) -> Result<()> {
        accepted(&self.delete(&format!("sys/mounts/{}", self.name)).await?)?;
        for version in ["1.0.0", "1.1.0"] {
            let path = format!("sys/plugins/catalog/secret/{}?version={version}", self.name);
            accepted(&self.delete(&path).await?)?;
        }
        Ok(())
    }

    fn arm(&self) -> Result<()> {
        std::fs::write(&self.arm, "")?;
        Ok(())
    }

    async fn store(&self) -> Result<()> {
        let path = format!("{}/kv/kept", self.name);
        accepted(&self.post(&path, json!({"value": "kept"})).await?)
    }

    /// Kills the process of this cell's plugin, and returns when it is gone: what is asked from then on is not in flight at its end.
    async fn kill(&self) -> Result<()> {
        let begin = Instant::now();
        let mut killed = Vec::new();
        loop {
            if killed.is_empty() {
                killed = self.own_processes();
                killed.iter().for_each(|pid| Process::kill(*pid));
            } else if !killed.iter().any(|pid| Process::runs(*pid)) {
                return Ok(());
            }
            let waited = begin.elapsed();
            ensure!(waited < HEALED, "no process to kill, or none that ends");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// They are known by what their environment names.
    fn own_processes(&self) -> Vec<u32> {
        let mark = format!("FAULT_IF={}", self.arm.display());
        let own = Process::with_environment(&mark).into_iter();
        own.map(|process| process.pid).collect()
    }

    async fn put_entry(&self, version: &str, command: &str, broken: bool) -> Result<Reply> {
        let mut env = Vec::new();
        if broken {
            env.push(
                self.fault
                    .switch
                    .replace("PORT=PORT", &format!("PORT={}", self.port)),
            );
            env.push(format!("FAULT_IF={}", self.arm.display()));
        }
        let body = json!({
            "version": version, "command": command, "sha256": self.t.digest(command), "env": env,
        });
        let path = format!("sys/plugins/catalog/secret/{}", self.name);
        self.post(&path, body).await
    }

    async fn enable(&self) -> Result<Reply> {
        let body = json!({"type": self.name, "config": {"plugin_version": "1.0.0"}});
        self.post(&format!("sys/mounts/{}", self.name), body).await
    }

    async fn info(&self) -> Result<Reply> {
        let request = Request::new(Method::GET, &format!("{}/info", self.name));
        Ok(self.client.send(request.within(IMPATIENT)).await?)
    }

    async fn get(&self, path: &str) -> Result<Reply> {
        Ok(self.client.get(path).await?)
    }

    async fn post(&self, path: &str, body: Value) -> Result<Reply> {
        Ok(self.client.post(path, &body).await?)
    }

    async fn delete(&self, path: &str) -> Result<Reply> {
        Ok(self.client.delete(path).await?)
    }
}

fn accepted(reply: &Reply) -> Result<()> {
    ensure!(reply.is_success(), "expected 2xx, got {}", show(reply));
    Ok(())
}

/// A final refusal with a reason, never a broken connection or an empty error.
fn refused(reply: &Reply) -> Result<()> {
    let has_reason = reply.errors().iter().any(|error| !error.trim().is_empty());
    let is_refusal = (400..=599).contains(&reply.status());
    ensure!(
        is_refusal && has_reason,
        "expected a refusal, got {}",
        show(reply)
    );
    Ok(())
}

/// A 503 that says why, and when to come again.
fn unavailable(reply: &Reply) -> Result<()> {
    let after = reply
        .header("retry-after")
        .and_then(|s| s.parse::<u32>().ok());
    ensure!(
        reply.status() == 503 && after.is_some_and(|seconds| seconds > 0),
        "expected a 503 that says when to come again, got {}",
        show(reply)
    );
    refused(reply)
}

/// Served, unavailable, or cut off by the end of the process, which the error names.
fn served_or_ended(reply: &Reply) -> Result<()> {
    match reply.status() {
        200..=299 => Ok(()),
        503 => unavailable(reply),
        _ => {
            let ended = reply.errors().iter().any(|e| e.contains("is shut down"));
            ensure!(
                reply.status() == 500 && ended,
                "it answered {}",
                show(reply)
            );
            Ok(())
        }
    }
}

fn show(reply: &Reply) -> String {
    let body = String::from_utf8_lossy(reply.body());
    format!("{} {}", reply.status(), body.trim_end())
}
