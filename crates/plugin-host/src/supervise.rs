//! Supervision of one process: its end is seen at once, and it is started again in the same
//! generation, from the same entry and the same bytes, with all its instances (design §4).

mod backoff;

use crate::Error;
use crate::artefact::Artefact;
use crate::host::Host;
use crate::instance::{Bond, Core};
use crate::process::Process;
use backoff::Backoff;
use linchpin_catalog::joining::State;
use linchpin_model::PluginEntry;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many health checks in a row must be missed before a process can count as hung.
const MISSED_CHECKS: u32 = 3;
/// How long the instances of a process may take to clean up when the server ends.
const LAST_CLEANUP: Duration = Duration::from_secs(2);

/// One process and what follows it.
#[derive(Debug)]
pub(crate) struct Supervised {
    host: Arc<Host>,
    entry: Arc<PluginEntry>,
    artefact: Arc<Artefact>,
    generation: u64,
    now: Mutex<Now>,
    instances: Mutex<Vec<Arc<Core>>>,
    restarts: AtomicU64,
    /// Why its process ended last, or did not start again. Without the plugin's words.
    last_error: Mutex<Option<String>>,
    stop: CancellationToken,
    /// Cancelled when nothing is left and nothing will be started any more.
    ended: CancellationToken,
}

#[derive(Debug, Clone)]
enum Now {
    Running(Arc<Process>),
    Starting,
    /// The breaker is open.
    Failed,
}

impl Supervised {
    /// Takes a process over.
    pub(crate) fn start(
        host: Arc<Host>,
        entry: Arc<PluginEntry>,
        artefact: Arc<Artefact>,
        generation: u64,
        process: Process,
    ) -> Arc<Self> {
        let process = Arc::new(process);
        let supervised = Arc::new(Self {
            stop: host.stopping.child_token(),
            entry,
            artefact,
            generation,
            now: Mutex::new(Now::Running(Arc::clone(&process))),
            instances: Mutex::default(),
            restarts: AtomicU64::new(0),
            last_error: Mutex::new(None),
            ended: CancellationToken::new(),
            host,
        });
        let runs = Arc::clone(&supervised);
        supervised.host.tracker.spawn(async move {
            runs.follow(process).await;
            // Whatever was running when it was told to stop is dropped, which kills it.
            runs.open_breaker(false);
            *runs.now.lock() = Now::Failed;
            runs.ended.cancel();
        });
        supervised
    }

    /// The process that runs now.
    pub(crate) fn process(&self) -> Option<Arc<Process>> {
        match &*self.now.lock() {
            Now::Running(process) => Some(Arc::clone(process)),
            Now::Starting | Now::Failed => None,
        }
    }

    /// How often it was started again.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// Why its process ended last, or did not start again; `None` when neither ever happened.
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().clone()
    }

    /// What the joining rule wants to know.
    pub(crate) fn state(&self) -> State {
        if self.stop.is_cancelled() {
            return State::Failed;
        }
        match &*self.now.lock() {
            // No instance can be added once the broker stream has ended (plugin-protocol §1.12).
            Now::Running(process) if process.connection().is_closed() && process.is_alive() => {
                State::Failed
            }
            Now::Running(_) => State::Healthy,
            Now::Starting => State::Starting,
            Now::Failed => State::Failed,
        }
    }

    /// Adds an instance: it follows every restart once it is prepared.
    pub(crate) fn attach(&self, instance: &Arc<Core>) {
        self.instances.lock().push(Arc::clone(instance));
    }

    /// Takes an instance out.
    pub(crate) fn detach(&self, instance: &Arc<Core>) {
        self.instances
            .lock()
            .retain(|other| !Arc::ptr_eq(other, instance));
    }

    /// Ends it; returns when nothing of it is left.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.ended.cancelled().await;
    }

    async fn follow(&self, mut process: Arc<Process>) {
        let mut backoff = Backoff::new(self.host.settings.restart);
        loop {
            let began = Instant::now();
            let hung = tokio::select! {
                () = self.stop.cancelled() => return self.finish(&process).await,
                _ = process.exited() => None,
                checks = self.hung(&process) => Some(checks),
            };
            *self.now.lock() = Now::Starting;
            self.tell(&Bond::Starting);
            let mut cause = self.end_of(&process, hung).await;
            drop(process);
            let mut lived = began.elapsed();
            process = loop {
                let pause = backoff.ended(lived, random());
                if pause.breaker_open {
                    tracing::warn!(
                        r#type = self.entry.plugin_type.as_str(), plugin = self.entry.name,
                        version = self.entry.version_text(), sha256 = %self.artefact.sha256(),
                        generation = self.generation, pause_ms = pause.wait.as_millis(),
                        %cause, "plugin keeps ending: breaker open"
                    );
                    self.open_breaker(true);
                    self.tell(&Bond::Degraded {
                        cause: cause.for_requests(),
                        until: Instant::now() + pause.wait,
                    });
                }
                tokio::select! {
                    () = tokio::time::sleep(pause.wait) => {}
                    () = self.stop.cancelled() => return,
                }
                let again = tokio::select! {
                    again = self.start_again() => again,
                    () = self.stop.cancelled() => return,
                };
                match again {
                    Ok(process) => break process,
                    Err(error) => {
                        tracing::warn!(
                            r#type = self.entry.plugin_type.as_str(), plugin = self.entry.name,
                            version = self.entry.version_text(), sha256 = %self.artefact.sha256(),
                            generation = self.generation, %error,
                            "plugin process did not start again"
                        );
                        self.host
                            .totals
                            .count(&self.entry, |counts| counts.failed_starts += 1);
                        *self.last_error.lock() = Some(error.for_requests());
                        cause = error;
                        lived = Duration::ZERO;
                    }
                }
            };
        }
    }

    /// A new process with all instances, each with a new id.
    async fn start_again(&self) -> Result<Arc<Process>, Error> {
        let process = Process::start_again(&self.host, &self.entry, &self.artefact).await?;
        let process = Arc::new(process);
        let restarts = self.restarts.fetch_add(1, Ordering::Relaxed) + 1;
        process.log_start(&self.entry, self.generation, restarts);
        self.open_breaker(false);
        *self.now.lock() = Now::Running(Arc::clone(&process));
        // Each in a task of its own: one that hangs in its Setup holds up neither its siblings nor
        // the watch over the process.
        let instances = self.instances.lock().clone();
        for instance in instances {
            let process = Arc::clone(&process);
            self.host
                .tracker
                .spawn(async move { instance.bind_again(&process).await });
        }
        Ok(process)
    }

    fn tell(&self, bond: &Bond) {
        for instance in self.instances.lock().iter() {
            instance.set_bond(bond.clone());
        }
    }

    /// Marks the breaker as open or closed, and counts it.
    fn open_breaker(&self, open: bool) {
        let mut now = self.now.lock();
        let before = std::mem::replace(&mut *now, if open { Now::Failed } else { Now::Starting });
        let was_open = matches!(before, Now::Failed);
        drop(now);
        if was_open != open {
            self.host.totals.count(&self.entry, |counts| {
                counts.open_breakers = if open {
                    counts.open_breakers + 1
                } else {
                    counts.open_breakers.saturating_sub(1)
                };
            });
        }
    }

    /// Notes, counts and logs that the process has ended without having been told to, or ends it
    /// when it hangs: so many checks were missed.
    async fn end_of(&self, process: &Process, hung: Option<u32>) -> Error {
        let cause = match hung {
            None => Error::Ended {
                exit: process.exited().await,
                stderr: process.last_lines(),
            },
            Some(checks) => {
                process.kill();
                process.exited().await;
                Error::Hung { checks }
            }
        };
        self.host.totals.count(&self.entry, |counts| match hung {
            None => counts.crashes += 1,
            Some(_) => counts.hangs += 1,
        });
        let reason = cause.for_requests();
        *self.last_error.lock() = Some(reason.clone());
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    r#type = self.entry.plugin_type.as_str(), plugin = self.entry.name,
                    version = self.entry.version_text(), sha256 = %self.artefact.sha256(),
                    pid = process.pid(), generation = self.generation, reason,
                    "plugin process ended"
                )
            };
        }
        // plugin-protocol §1.14: an end with status 0 is no error of the plugin's.
        match &cause {
            Error::Ended { exit, .. } if exit.is_success() => log!(info),
            _ => log!(error),
        }
        cause
    }

    /// Returns with the number of missed checks when the process hangs (plugin-protocol §1.10): checks are missed,
    /// no call is answered meanwhile, and it uses no CPU or has let a call run past its deadline.
    async fn hung(&self, process: &Process) -> u32 {
        let interval = self.host.settings.health_interval;
        let mut missed = 0;
        let (mut answered, mut ticks) =
            (process.connection().calls_answered(), process.cpu_ticks());
        let mut next = Instant::now() + interval;
        loop {
            tokio::time::sleep_until(next).await;
            // From one check to the next, so that one that is missed is not waited for twice.
            next = Instant::now() + interval;
            let check = tokio::time::timeout(interval, process.connection().health()).await;
            if matches!(check, Ok(Ok(()))) {
                self.repair(process).await;
                missed = 0;
                let _ = process.take_overdue();
                (answered, ticks) = (process.connection().calls_answered(), process.cpu_ticks());
                continue;
            }
            missed += 1;
            let idle = process.connection().calls_answered() == answered;
            let still = process.cpu_ticks() == ticks;
            if missed >= MISSED_CHECKS && idle && (still || process.take_overdue()) {
                return missed;
            }
            if !idle {
                missed = 0;
                (answered, ticks) = (process.connection().calls_answered(), process.cpu_ticks());
            }
        }
    }

    /// Tries again for instances that the process runs without: their own Setup or Initialize had
    /// failed.
    async fn repair(&self, process: &Process) {
        let Some(current) = self.process().filter(|p| p.pid() == process.pid()) else {
            return;
        };
        let instances = self.instances.lock().clone();
        for instance in instances.iter().filter(|i| i.is_degraded()) {
            instance.bind_again(&current).await;
        }
    }

    async fn finish(&self, process: &Process) {
        let instances = self.instances.lock().clone();
        let goodbyes: Vec<_> = instances
            .into_iter()
            .map(|instance| {
                self.host.tracker.spawn(async move {
                    let _ = tokio::time::timeout(LAST_CLEANUP, instance.say_goodbye()).await;
                })
            })
            .collect();
        for goodbye in goodbyes {
            let _ = goodbye.await;
        }
        self.tell(&Bond::Ended);
        process.stop(self.host.settings.plugin_stop_timeout).await;
        tracing::info!(
            r#type = self.entry.plugin_type.as_str(), plugin = self.entry.name,
            version = self.entry.version_text(), sha256 = %self.artefact.sha256(),
            pid = process.pid(), generation = self.generation, "plugin process stopped"
        );
    }
}

/// From 0 to 1.
fn random() -> f64 {
    f64::from(u16::from_le_bytes(linchpin_crypto::random::bytes())) / f64::from(u16::MAX)
}
