//! Which running processes a new instance may join, and when they end.
//!
//! Whether to join a generation or to start one is decided by the pure rule of `catalog::joining`; a
//! generation that is starting is in the list already, so two mounts never both start one, and
//! nobody holds a lock while it starts.

use super::{Generation, Snapshot};
use crate::Error;
use crate::deadline::{START, within};
use crate::host::Host;
use crate::instance::Core;
use linchpin_catalog::joining::{self, Decision, State};
use linchpin_engine::{InstanceStatus, Joining};
use linchpin_model::PluginEntry;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock, Weak};
use tokio::sync::watch;

/// How many failed starts are remembered for the reload call that made them. A call knows its own
/// failures for as long as it can be running.
const REMEMBERED_FAILURES: usize = 256;

/// What an instance asks to be put into.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A generation of this entry, from the file that it names.
    Catalog(Arc<PluginEntry>),
    /// A generation that has run before.
    Captured(Arc<Snapshot>),
}

impl Source {
    /// The entry.
    pub(crate) fn entry(&self) -> &Arc<PluginEntry> {
        match self {
            Self::Catalog(entry) => entry,
            Self::Captured(snapshot) => &snapshot.entry,
        }
    }

    fn snapshot(&self) -> Option<&Arc<Snapshot>> {
        match self {
            Self::Catalog(_) => None,
            Self::Captured(snapshot) => Some(snapshot),
        }
    }
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
    /// Whether it was a start from a snapshot.
    again: bool,
    error: Error,
}

/// A place in a generation: while it exists, the generation does not end.
#[derive(Debug)]
pub(crate) struct Place {
    host: Arc<Host>,
    generation: Option<Arc<Generation>>,
}

impl Registry {
    /// Joins a generation or starts one, as the rule says.
    pub(crate) fn enter(
        &self,
        host: &Arc<Host>,
        source: &Source,
        joining: &Joining,
    ) -> Result<Place, Error> {
        if host.stopping.is_cancelled() {
            return Err(Error::Stopping);
        }
        let mut inner = self.0.lock();
        let generation = match inner.decide(source, joining) {
            Decision::Join(number) => inner.join(number),
            Decision::Start => None,
            Decision::Refuse(number) => {
                let failure = inner.failures.iter().find(|f| f.number == number);
                return Err(failure.map_or(Error::Stopping, |f| f.error.clone()));
            }
        };
        let generation = generation.unwrap_or_else(|| inner.start(host, source, joining));
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
        let mut all: Vec<InstanceStatus> = alive.filter_map(|core| core.status()).collect();
        all.sort_by(|a, b| a.mount.cmp(&b.mount));
        all
    }
}

impl Inner {
    /// A call that could not start the new version from the catalog starts the old one again from
    /// its snapshot. When their entries are equal, neither may take the other's outcome for its own.
    fn decide(&self, source: &Source, joining: &Joining) -> Decision {
        let (entry, again) = (source.entry(), source.snapshot().is_some());
        let call = match joining {
            Joining::Newest => None,
            Joining::NewerThan { call, .. } => Some(call),
        };
        let running = self.members.iter().filter(|m| {
            let other_attempt = m.generation.again.is_some() != again
                && m.generation.call.as_ref().is_some_and(|c| Some(c) == call);
            m.generation.entry == *entry && !other_attempt
        });
        let running = running.map(|m| joining::Generation {
            number: m.generation.number,
            state: m.generation.state(),
            call: m.generation.call.as_deref(),
        });
        let failed = self.failures.iter();
        let failed = failed.filter(|f| f.entry == *entry && f.again == again);
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

    fn start(&mut self, host: &Arc<Host>, source: &Source, joining: &Joining) -> Arc<Generation> {
        self.last_number += 1;
        let generation = Arc::new(Generation {
            number: self.last_number,
            entry: Arc::clone(source.entry()),
            again: source.snapshot().cloned(),
            snapshot: OnceLock::new(),
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
                let entry = &starting.entry;
                host.totals.count(entry, |counts| counts.failed_starts += 1);
                tracing::warn!(
                    r#type = entry.plugin_type.as_str(), plugin = entry.name,
                    version = entry.version_text(), sha256 = %entry.sha256,
                    generation = starting.number, %error, "plugin process did not start"
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
            again: generation.again.is_some(),
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
