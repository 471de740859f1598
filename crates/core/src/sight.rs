//! What can be seen of the mounts: what each should run, what it runs, how it is, and its counters.

pub(crate) mod counters;

pub use counters::{BOUNDS, Counts, RequestOutcome};

use crate::Core;
use crate::mount::{Mount, full_path, plugin_type};
use linchpin_engine::{Health, PluginSource, Running};
use linchpin_model::{BUILTIN_VERSION, PluginType, Sha256};
use std::time::Duration;

/// How a mount is (design §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountState {
    /// Its process is being started again.
    Starting,
    /// It serves.
    Running,
    /// It is being switched: requests wait.
    Draining,
    /// Nothing healthy serves it: the cause.
    Degraded(String),
}

impl MountState {
    /// The word of the API.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Degraded(_) => "degraded",
        }
    }

    /// Why nothing serves; empty otherwise.
    #[must_use]
    pub fn cause(&self) -> &str {
        match self {
            Self::Degraded(cause) => cause,
            _ => "",
        }
    }
}

/// What a reload would run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Desired {
    /// The version.
    pub version: String,
    /// The digest of its entry; `None` for a built-in.
    pub sha256: Option<Sha256>,
}

/// One mount, seen.
#[derive(Debug, Clone)]
pub struct MountSight {
    /// Path in the whole server, auth methods below `auth/`.
    pub path: String,
    /// Secrets engine or auth method.
    pub plugin_type: PluginType,
    /// The name of its engine or plugin.
    pub name: String,
    /// The version that is stored on it; empty = none.
    pub configured_version: String,
    /// What a reload would run, or why it could run nothing.
    pub desired: Result<Desired, String>,
    /// What runs.
    pub running: Running,
    /// How it is.
    pub state: MountState,
    /// Its counters.
    pub counts: Counts,
    /// Requests inside its engine now, and the age of the oldest.
    pub inside: (usize, Duration),
    /// Requests that wait at its gate.
    pub waiting: usize,
}

impl MountSight {
    /// Whether a reload would change what it runs: another version, another digest, or nothing is
    /// running.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match &self.desired {
            Ok(desired) => {
                desired.sha256 != self.running.sha256 || desired.version != self.running.version
            }
            Err(_) => true,
        }
    }
}

impl Core {
    /// Every mount but the singletons, by path.
    #[must_use]
    pub fn sight(&self) -> Vec<MountSight> {
        let mounts = self.node.load().mounts();
        let seen = mounts.iter().filter(|mount| !mount.is_singleton());
        let mut seen: Vec<MountSight> = seen.map(|mount| self.see(mount)).collect();
        seen.sort_by(|a, b| a.path.cmp(&b.path));
        seen
    }

    fn see(&self, mount: &Mount) -> MountSight {
        let record = mount.record();
        let gate = mount.gate();
        let instance = gate.instance();
        let desired = self.source_of(&record).map(|source| match source {
            PluginSource::External(entry) => Desired {
                version: entry.version_text().to_owned(),
                sha256: Some(entry.sha256),
            },
            PluginSource::Builtin(_) | PluginSource::Captured(_) => Desired {
                version: BUILTIN_VERSION.to_owned(),
                sha256: None,
            },
        });
        let state = match instance.backend().health() {
            Health::Degraded { cause, .. } => MountState::Degraded(cause),
            _ if gate.is_closed() => MountState::Draining,
            Health::Starting => MountState::Starting,
            _ => MountState::Running,
        };
        let inside = gate.still_running();
        MountSight {
            path: full_path(&record),
            plugin_type: plugin_type(&record),
            name: record.mount_type.clone(),
            configured_version: record.plugin_version.clone(),
            desired: desired.map_err(|error| error.to_string()),
            running: instance.running().clone(),
            state,
            counts: mount.counters().read(),
            inside: inside.map_or((0, Duration::ZERO), |still| (still.count, still.oldest)),
            waiting: gate.waiting(),
        }
    }
}
