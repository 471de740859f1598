//! Generations: running sets of processes, each made from one exact entry as it was at that moment.
//!
//! A generation is numbered, the number is never used again, and it ends with its last instance.
//! Which of them a new instance joins, and when one ends, is the business of its [`Registry`].

mod registry;

pub(crate) use registry::{Place, Registry, Source};

use crate::Error;
use crate::artefact::Artefact;
use crate::host::Host;
use crate::process::Process;
use crate::supervise::Supervised;
use linchpin_catalog::joining::State;
use linchpin_model::PluginEntry;
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// One running set of processes made from one exact entry.
#[derive(Debug)]
pub(crate) struct Generation {
    number: u64,
    entry: Arc<PluginEntry>,
    call: Option<Arc<str>>,
    /// What it is started from when that is not the catalog and the file.
    again: Option<Arc<Snapshot>>,
    outcome: watch::Sender<Option<Result<Started, Error>>>,
    /// The process of a plugin that does not multiplex, started before anybody took it.
    spare: Mutex<Option<Arc<Supervised>>>,
    snapshot: OnceLock<Arc<Snapshot>>,
}

/// What a generation was made from: with this it can be started once more, as a new one, when the
/// catalog entry has been overwritten and the file replaced (plugin-lifecycle §5.4,
/// `overlap=false`). Keeps a sealed copy in memory for as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) entry: Arc<PluginEntry>,
    artefact: Arc<Artefact>,
}

/// How the processes of a generation are shared.
#[derive(Debug, Clone)]
enum Started {
    /// One process for all its instances.
    Shared(Arc<Supervised>),
    /// One process per instance, all from these bytes.
    Alone(Arc<Artefact>),
}

impl Generation {
    /// Its number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What it was made from, once it has been started.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.get().cloned()
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
                        let started = Process::start_again(host, &self.entry, &artefact).await;
                        let process = started.inspect_err(|_| {
                            host.totals
                                .count(&self.entry, |counts| counts.failed_starts += 1);
                        })?;
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
        process.log_start(&self.entry, self.number, 0);
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
        let artefact = match &self.again {
            Some(before) => Arc::clone(&before.artefact),
            None => host.open_artefact(&self.entry).await?,
        };
        let process = match self.again {
            Some(_) => Process::start_again(host, &self.entry, &artefact).await?,
            None => Process::start(host, &self.entry, Arc::clone(&artefact)).await?,
        };
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
        let snapshot = self.again.clone().unwrap_or_else(|| {
            Arc::new(Snapshot {
                entry: Arc::clone(&self.entry),
                artefact: Arc::clone(&artefact),
            })
        });
        let _ = self.snapshot.set(snapshot);
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
