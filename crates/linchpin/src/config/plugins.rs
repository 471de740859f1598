//! The settings of plugins (plugin-lifecycle §7.7) and the limits around their processes (design §§3-4).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use linchpin_catalog::InUse;
use linchpin_model::{Execution, PluginType};

use super::Error;
use super::section::{Section, Warning};

/// The settings, with the specification's defaults.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PluginSettings {
    /// `plugin_directory`; `None` = no binary plugins.
    pub(crate) directory: Option<PathBuf>,
    /// `plugin_tmpdir`; `None` = the system's.
    pub(crate) tmpdir: Option<PathBuf>,
    /// `plugin_file_uid`; 0 = the server's own.
    pub(crate) file_uid: u32,
    /// `plugin_file_permissions`; `None` = no write permission for group and others.
    pub(crate) file_permissions: Option<u32>,
    /// Whether owner and permissions are checked at all: `VAULT_ENABLE_FILE_PERMISSIONS_CHECK`, in no file.
    pub(crate) check_file_permissions: bool,
    /// `plugin_execution`.
    pub(crate) execution: Execution,
    /// `plugin_containment`: the profile of every plugin whose block names none.
    pub(crate) containment: Profile,
    /// `plugin_env_allow`.
    pub(crate) env_allow: Vec<String>,
    /// `deregister_in_use`.
    pub(crate) deregister_in_use: InUse,
    /// `immutable_versions`: an overwrite may not change what a version is.
    pub(crate) immutable_versions: bool,
    /// `pin_requires_sudo`: pins are behind sudo.
    pub(crate) pin_requires_sudo: bool,
    /// `max_surge`.
    pub(crate) max_surge: usize,
    /// `drain_timeout`.
    pub(crate) drain_timeout: Duration,
    /// `gate_timeout`, per attempt.
    pub(crate) gate_timeout: Duration,
    /// `gate_queue`, requests per mount.
    pub(crate) gate_queue: usize,
    /// `plugin_start_timeout`.
    pub(crate) start_timeout: Duration,
    /// `plugin_setup_timeout`: Setup, Type, SpecialPaths and Version, per call.
    pub(crate) setup_timeout: Duration,
    /// `plugin_initialize_timeout`.
    pub(crate) initialize_timeout: Duration,
    /// `plugin_cleanup_timeout`.
    pub(crate) cleanup_timeout: Duration,
    /// `plugin_stop_timeout`: from the shutdown call to the kill.
    pub(crate) stop_timeout: Duration,
    /// `plugin_start_wait`: how long a request waits for an instance that is starting.
    pub(crate) start_wait: Duration,
    /// `retire_timeout`: how long a reload waits for the old instance before it answers `retiring`.
    pub(crate) retire_timeout: Duration,
    /// `plugin_health_interval`.
    pub(crate) health_interval: Duration,
    /// `plugin_calls_in_flight`, per mount.
    pub(crate) calls_in_flight: usize,
    /// `respawn_backoff_min`: the pause before the second restart in a row.
    pub(crate) respawn_backoff_min: Duration,
    /// `respawn_backoff_max`. A mount must answer again within 10 s after the cause is gone (plugin-lifecycle §7.6),
    /// which is why this is short.
    pub(crate) respawn_backoff_max: Duration,
    /// `respawn_stable_after`: a process that lived so long ends the row.
    pub(crate) respawn_stable_after: Duration,
    /// `breaker_threshold`: after so many restarts in a row, requests get 503 at once during the pauses.
    pub(crate) breaker_threshold: u32,
    /// Names that are treated as not multiplexed: `VAULT_PLUGIN_MULTIPLEXING_OPT_OUT`, in no file.
    pub(crate) multiplexing_opt_out: Vec<String>,
    /// `VAULT_PLUGIN_USE_LEGACY_ENV_LAYERING`, in no file.
    pub(crate) legacy_env_layering: bool,
    /// `plugin "type" "name" { … }` blocks.
    pub(crate) blocks: BTreeMap<(PluginType, String), PluginBlock>,
}

/// One `plugin "type" "name" { … }` block. The catalog cannot widen it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PluginBlock {
    /// `writable`: absolute paths below which the plugin may write.
    pub(crate) writable: Vec<PathBuf>,
    /// `containment`; `None` = the server's.
    pub(crate) containment: Option<Profile>,
}

/// How much a plugin process is restricted (design §4, "Containment").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Profile {
    /// The default.
    #[default]
    Compat,
    /// The escape.
    Off,
}

impl std::str::FromStr for Profile {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "compat" => Ok(Self::Compat),
            "off" => Ok(Self::Off),
            _ => Err(format!(
                "{word:?} is not a containment profile: use compat or off"
            )),
        }
    }
}

impl Default for PluginSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            directory: None,
            tmpdir: None,
            file_uid: 0,
            file_permissions: None,
            check_file_permissions: false,
            execution: Execution::Sealed,
            containment: Profile::Compat,
            env_allow: Vec::new(),
            deregister_in_use: InUse::Warn,
            immutable_versions: false,
            pin_requires_sudo: false,
            max_surge: 2 * cores,
            drain_timeout: seconds(60),
            gate_timeout: seconds(5),
            gate_queue: 1_000,
            start_timeout: seconds(60),
            setup_timeout: seconds(60),
            initialize_timeout: seconds(30),
            cleanup_timeout: seconds(30),
            stop_timeout: seconds(2),
            start_wait: seconds(10),
            retire_timeout: seconds(5),
            health_interval: seconds(5),
            calls_in_flight: 1_000,
            respawn_backoff_min: Duration::from_millis(200),
            respawn_backoff_max: seconds(5),
            respawn_stable_after: seconds(60),
            breaker_threshold: 5,
            multiplexing_opt_out: Vec::new(),
            legacy_env_layering: false,
            blocks: BTreeMap::new(),
        }
    }
}

impl PluginSettings {
    pub(super) fn read(
        &mut self,
        section: &mut Section<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Error> {
        section.path("plugin_directory", &mut self.directory)?;
        section.path("plugin_tmpdir", &mut self.tmpdir)?;
        section.number("plugin_file_uid", &mut self.file_uid)?;
        section.octal("plugin_file_permissions", &mut self.file_permissions)?;
        if let Some(execution) = section.word("plugin_execution")? {
            self.execution = execution;
        }
        if let Some(profile) = section.word("plugin_containment")? {
            self.containment = profile;
        }
        section.list("plugin_env_allow", &mut self.env_allow)?;
        if let Some(InUseWord(policy)) = section.word("deregister_in_use")? {
            self.deregister_in_use = policy;
        }
        section.flag("immutable_versions", &mut self.immutable_versions)?;
        section.flag("pin_requires_sudo", &mut self.pin_requires_sudo)?;
        section.count("max_surge", &mut self.max_surge)?;
        section.count("gate_queue", &mut self.gate_queue)?;
        section.count("plugin_calls_in_flight", &mut self.calls_in_flight)?;
        section.number("breaker_threshold", &mut self.breaker_threshold)?;
        for (key, target) in [
            ("drain_timeout", &mut self.drain_timeout),
            ("gate_timeout", &mut self.gate_timeout),
            ("plugin_start_timeout", &mut self.start_timeout),
            ("plugin_setup_timeout", &mut self.setup_timeout),
            ("plugin_initialize_timeout", &mut self.initialize_timeout),
            ("plugin_cleanup_timeout", &mut self.cleanup_timeout),
            ("plugin_stop_timeout", &mut self.stop_timeout),
            ("plugin_start_wait", &mut self.start_wait),
            ("retire_timeout", &mut self.retire_timeout),
            ("plugin_health_interval", &mut self.health_interval),
            ("respawn_backoff_min", &mut self.respawn_backoff_min),
            ("respawn_backoff_max", &mut self.respawn_backoff_max),
            ("respawn_stable_after", &mut self.respawn_stable_after),
        ] {
            section.duration(key, target)?;
        }
        self.read_blocks(section, warnings)
    }

    fn read_blocks(
        &mut self,
        section: &mut Section<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Error> {
        for block in section.blocks("plugin", 2)? {
            let [plugin_type, name] = block.labels.as_slice() else {
                continue;
            };
            let Ok(kind) = plugin_type.text.parse::<PluginType>() else {
                let problem = format!(
                    "type {:?} is not auth, database or secret",
                    plugin_type.text
                );
                return Err(section.refuse("plugin", plugin_type.at, problem));
            };
            let mut inner = section.inside(block.body);
            let mut writable = Vec::new();
            inner.list("writable", &mut writable)?;
            if let (Some(relative), Some(value)) = (
                writable.iter().find(|p| !p.starts_with('/')),
                inner.value("writable"),
            ) {
                let problem = format!("must be absolute paths, found {relative:?}");
                return Err(section.refuse("writable", value.at, problem));
            }
            let containment = inner.word("containment")?;
            inner.finish(warnings);
            let read = PluginBlock {
                writable: writable.into_iter().map(PathBuf::from).collect(),
                containment,
            };
            if self
                .blocks
                .insert((kind, name.text.clone()), read)
                .is_some()
            {
                let problem = format!("{kind} {:?} has a block already", name.text);
                return Err(section.refuse("plugin", name.at, problem));
            }
        }
        Ok(())
    }
}

/// The words of `deregister_in_use`; the catalog's type does not know the configuration's.
struct InUseWord(InUse);

impl std::str::FromStr for InUseWord {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "warn" => Ok(Self(InUse::Warn)),
            "refuse" => Ok(Self(InUse::Refuse)),
            _ => Err(format!("cannot be {word:?}: use warn or refuse")),
        }
    }
}
