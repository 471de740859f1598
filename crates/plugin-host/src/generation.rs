//! Generations: which running processes a new instance may join, and when they end.
//!
//! A generation is made from one exact entry as it was at that moment. It is numbered, the number
//! is never used again, and it ends with its last instance. Whether to join one or to start one is
//! decided by the pure rule of `catalog::joining`; a generation that is starting is in the list
//! already, so two mounts never both start one, and nobody holds a lock while it starts.

use crate::Error;
use crate::artefact::Artefact;
use crate::deadline::{START, within};
use crate::host::Host;
use crate::instance::Core;
use crate::process::Process;
use crate::supervise::Supervised;
use linchpin_catalog::joining::{self, Decision, State};
use linchpin_engine::{InstanceStatus, Joining};
use linchpin_model::PluginEntry;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// How many failed starts are remembered for the reload call that made them. A call knows its own
/// failures for as long as it can be running.
const REMEMBERED_FAILURES: usize = 256;

/// One running set of processes made from one exact entry.
#[derive(Debug)]
pub(crate) struct Generation {
    number: u64,
    entry: Arc<PluginEntry>,
    call: Option<Arc<str>>,
    outcome: watch::Sender<Option<Result<Started, Error>>>,
    /// The process of a plugin that does not multiplex, started before anybody took it.
    spare: Mutex<Option<Arc<Supervised>>>,
}

/// How the processes of a generation are shared.
#[derive(Debug, Clone)]
enum Started {
    /// One process for all its instances.
    Shared(Arc<Supervised>),
    /// One process per instance, all from these bytes.
    Alone(Arc<Artefact>),
}

/// All generations of this server.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    last_number: u64,
    members: Vec<Member>,
    failures: VecDeque<Failure>,
    instances: Vec<Weak<Core>>,
}

#[derive(Debug)]
struct Member {
    generation: Arc<Generation>,
    /// Instances in it, or on their way into it.
    count: usize,
}

#[derive(Debug)]
struct Failure {
    number: u64,
    entry: Arc<PluginEntry>,
    call: Arc<str>,
    error: Error,
}

/// A place in a generation: while it exists, the generation does not end.
#[derive(Debug)]
pub(crate) struct Place {
    host: Arc<Host>,
    generation: Option<Arc<Generation>>,
}

impl Generation {
    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A supervised process for one more instance, when the start has succeeded. The flag says
    /// whether the instance has it for itself.
    pub(crate) async fn process(&self, host: &Arc<Host>) -> Result<(Arc<Supervised>, bool), Error> {
        let mut outcome = self.outcome.subscribe();
        let started = match outcome.wait_for(Option::is_some).await {
            Ok(seen) => (*seen).clone().unwrap_or(Err(Error::Stopping)),
            Err(_) => Err(Error::Stopping),
        };
        match started? {
            Started::Shared(shared) => Ok((shared, false)),
            Started::Alone(artefact) => {
                let spare = self.spare.lock().take();
                let own = match spare {
                    Some(spare) => spare,
                    None => {
                        let process = Process::start_again(host, &self.entry, &artefact).await?;
                        self.supervised(host, artefact, process)
                    }
                };
                Ok((own, true))
            }
        }
    }

    fn supervised(
        &self,
        host: &Arc<Host>,
        artefact: Arc<Artefact>,
        process: Process,
    ) -> Arc<Supervised> {
        Supervised::start(
            Arc::clone(host),
            Arc::clone(&self.entry),
            artefact,
            self.number,
            process,
        )
    }

    /// The start: digest, process, and whether it multiplexes.
    async fn start(&self, host: &Arc<Host>) -> Result<Started, Error> {
        let artefact = host.open_artefact(&self.entry).await?;
        let process = Process::start(host, &self.entry, Arc::clone(&artefact)).await?;
        let opted_out = host
            .settings
            .multiplexing_opt_out
            .contains(&self.entry.name);
        let mut multiplexed = false;
        if !opted_out {
            let limit = host.settings.plugin_setup_timeout;
            let asked = process.connection().multiplexing_supported();
            match process.step("MultiplexingSupport", limit, asked).await {
                Ok(answer) => multiplexed = answer,
                Err(error) => {
                    process.discard().await;
                    return Err(error);
                }
            }
        }
        let supervised = self.supervised(host, Arc::clone(&artefact), process);
        if multiplexed {
            return Ok(Started::Shared(supervised));
        }
        *self.spare.lock() = Some(supervised);
        Ok(Started::Alone(artefact))
    }

    fn state(&self) -> State {
        match &*self.outcome.borrow() {
            None => State::Starting,
            Some(Err(_)) => State::Failed,
            Some(Ok(Started::Alone(_))) => State::Healthy,
            Some(Ok(Started::Shared(shared))) => shared.state(),
        }
    }

    /// Ends what is left of it.
    async fn end(&self) {
        let shared = match &*self.outcome.borrow() {
            Some(Ok(Started::Shared(shared))) => Some(Arc::clone(shared)),
            _ => None,
        };
        let spare = self.spare.lock().take();
        for process in shared.into_iter().chain(spare) {
            process.stop().await;
        }
    }
}

impl Registry {
    /// Joins a generation or starts one, as the rule says.
    pub(crate) fn enter(
        &self,
        host: &Arc<Host>,
        entry: &Arc<PluginEntry>,
        joining: &Joining,
    ) -> Result<Place, Error> {
        if host.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let mut inner = self.0.lock();
        let generation = match inner.decide(entry, joining) {
            Decision::Join(number) => inner.join(number),
            Decision::Start => None,
            Decision::Refuse(number) => {
                let failure = inner.failures.iter().find(|f| f.number == number);
                return Err(failure.map_or(Error::Stopping, |f| f.error.clone()));
            }
        };
        let generation = generation.unwrap_or_else(|| inner.start(host, entry, joining));
        Ok(Place {
            host: Arc::clone(host),
            generation: Some(generation),
        })
    }

    /// Adds an instance to what the API lists.
    pub(crate) fn list(&self, instance: &Arc<Core>) {
        let mut inner = self.0.lock();
        inner.instances.retain(|weak| weak.strong_count() > 0);
        inner.instances.push(Arc::downgrade(instance));
    }

    /// What runs now.
    pub(crate) fn instances(&self) -> Vec<InstanceStatus> {
        let listed = self.0.lock().instances.clone();
        let alive = listed.iter().filter_map(Weak::upgrade);
        alive.filter_map(|core| core.status()).collect()
    }
}

impl Inner {
    fn decide(&self, entry: &Arc<PluginEntry>, joining: &Joining) -> Decision {
        let running = self.members.iter().filter(|m| m.generation.entry == *entry);
        let running = running.map(|m| joining::Generation {
            number: m.generation.number,
            state: m.generation.state(),
            call: m.generation.call.as_deref(),
        });
        let failed = self.failures.iter().filter(|f| f.entry == *entry);
        let failed = failed.map(|f| joining::Generation {
            number: f.number,
            state: State::Failed,
            call: Some(&f.call),
        });
        let all: Vec<joining::Generation<'_>> = running.chain(failed).collect();
        match joining {
            Joining::Newest => joining::for_mount(&all),
            Joining::NewerThan { generation, call } => joining::for_reload(&all, *generation, call),
        }
    }

    fn join(&mut self, number: u64) -> Option<Arc<Generation>> {
        let found = self
            .members
            .iter_mut()
            .find(|m| m.generation.number == number)?;
        found.count += 1;
        Some(Arc::clone(&found.generation))
    }

    fn start(
        &mut self,
        host: &Arc<Host>,
        entry: &Arc<PluginEntry>,
        joining: &Joining,
    ) -> Arc<Generation> {
        self.last_number += 1;
        let generation = Arc::new(Generation {
            number: self.last_number,
            entry: Arc::clone(entry),
            call: match joining {
                Joining::Newest => None,
                Joining::NewerThan { call, .. } => Some(Arc::clone(call)),
            },
            outcome: watch::Sender::new(None),
            spare: Mutex::new(None),
        });
        self.members.push(Member {
            generation: Arc::clone(&generation),
            count: 1,
        });
        let (host, starting) = (Arc::clone(host), Arc::clone(&generation));
        let tracker = host.tracker.clone();
        tracker.spawn(async move {
            // Each step has a limit of its own, but for the disk. Whoever mounts or reloads an equal
            // entry waits for this start, so it ends, come what may.
            let start = within(host.start_limit(), START, starting.start(&host));
            let outcome = tokio::select! {
                outcome = start => outcome.and_then(|started| started),
                () = host.stopping.cancelled() => Err(Error::Stopping),
            };
            if let Err(error) = &outcome {
                tracing::warn!(
                    plugin = starting.entry.name, version = starting.entry.version_text(),
                    generation = starting.number, %error, "plugin generation did not start"
                );
                host.registry.0.lock().remember(&starting, error);
            }
            starting.outcome.send_replace(Some(outcome));
            // Everybody who waited for it may have gone meanwhile.
            if !host.registry.0.lock().has(starting.number) {
                starting.end().await;
            }
        });
        generation
    }

    fn remember(&mut self, generation: &Generation, error: &Error) {
        let Some(call) = &generation.call else {
            return;
        };
        if self.failures.len() >= REMEMBERED_FAILURES {
            self.failures.pop_front();
        }
        self.failures.push_back(Failure {
            number: generation.number,
            entry: Arc::clone(&generation.entry),
            call: Arc::clone(call),
            error: error.clone(),
        });
    }

    fn has(&self, number: u64) -> bool {
        self.members.iter().any(|m| m.generation.number == number)
    }

    /// Gives a place back; true when it was the last one.
    fn leave(&mut self, number: u64) -> bool {
        let Some(at) = self
            .members
            .iter()
            .position(|m| m.generation.number == number)
        else {
            return false;
        };
        let last = self.members.get_mut(at).is_some_and(|member| {
            member.count = member.count.saturating_sub(1);
            member.count == 0
        });
        if last {
            self.members.swap_remove(at);
        }
        last
    }
}

impl Place {
    /// The generation.
    pub(crate) fn generation(&self) -> Option<&Arc<Generation>> {
        self.generation.as_ref()
    }

    /// Gives the place back; the last one waits until nothing of the generation is left.
    pub(crate) async fn leave(mut self) {
        if let Some(generation) = self.generation.take()
            && self.host.registry.0.lock().leave(generation.number)
        {
            generation.end().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(generation) = self.generation.take()
            && self.host.registry.0.lock().leave(generation.number)
        {
            self.host
                .tracker
                .spawn(async move { generation.end().await });
        }
    }
}
