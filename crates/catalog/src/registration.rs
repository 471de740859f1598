//! Registration: from what a caller wrote to an entry (plugin-lifecycle §2.5).
//!
//! Two steps, because the file is looked at and run in between: [`Registration::check`] does rows 1
//! to 13 of the specification's table, in its order, and row 19 where no container can run; then the
//! caller resolves the command's path (rows 14 and 15, and with them row 7: whoever looks at files
//! checks their owner and mode) and runs the file once, and [`Draft::complete`] does rows 16 to 18.

use crate::snapshot::parse_version;
use crate::{Error, name};
use linchpin_model::{Execution, PluginEntry, PluginType, PluginVersion, Sha256};

/// What makes a dynamic linker load code that nobody registered (plugin-protocol §2.6).
const CODE_LOADING: [&str; 3] = ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"];

/// The body of a registration as it was written. Absent fields have their defaults, never what an
/// earlier registration said.
#[derive(Clone)]
pub struct Registration {
    /// The type; `None` on the typeless path, where running the file tells it.
    pub plugin_type: Option<PluginType>,
    /// The name.
    pub name: String,
    /// The version as written, empty for none.
    pub version: String,
    /// The digest as written.
    pub sha256: String,
    /// The command; words after a space become arguments.
    pub command: String,
    /// The arguments.
    pub args: Vec<String>,
    /// `KEY=value` entries. May hold secrets.
    pub env: Vec<String>,
    /// The container image, or empty.
    pub oci_image: String,
    /// The container runtime, or empty.
    pub runtime: String,
    /// Whether Vault Enterprise should fetch the plugin.
    pub download: bool,
    /// Whether two generations may run beside each other.
    pub overlap: bool,
    /// The execution mode as written, empty for the server's.
    pub execution: String,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            plugin_type: None,
            name: String::new(),
            version: String::new(),
            sha256: String::new(),
            command: String::new(),
            args: Vec::new(),
            env: Vec::new(),
            oci_image: String::new(),
            runtime: String::new(),
            download: false,
            overlap: true,
            execution: String::new(),
        }
    }
}

/// Shows no value of `env`.
impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration")
            .field("type", &self.plugin_type)
            .field("name", &self.name)
            .field("version", &self.version)
            .field("command", &self.command)
            .field("env", &format_args!("{} variables", self.env.len()))
            .finish_non_exhaustive()
    }
}

/// What the checks must know about the server. The default is a server with a plugin directory
/// and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// Whether a plugin directory is configured.
    pub has_directory: bool,
    /// Whether container plugins can run here.
    pub containers: Containers,
    /// The names of the registered runtimes.
    pub runtimes: &'f [String],
    /// `plugin_env_allow` of the configuration file.
    pub env_allow: &'f [String],
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Self {
            has_directory: true,
            containers: Containers::Unsupported,
            runtimes: &[],
            env_allow: &[],
        }
    }
}

/// Whether container plugins can run here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Containers {
    /// They can.
    Supported,
    /// The operating system has none.
    NotLinux,
    /// This build runs none.
    Unsupported,
}

/// A registration that passed every check which needs no file. Only its type, if the caller gave
/// none, and its version, if the plugin reports one, may still change.
#[derive(Debug, Clone)]
pub struct Draft {
    plugin_type: Option<PluginType>,
    /// The type here is a placeholder until `complete`, which is why it is not public.
    entry: PluginEntry,
}

impl Registration {
    /// Rows 1 to 13 of the table in plugin-lifecycle §2.5, in this order, and row 19.
    ///
    /// # Errors
    /// The first row that applies.
    pub fn check(self, facts: &Facts<'_>) -> Result<Draft, Error> {
        name::check_registrable(&self.name)?;
        let version = parse_version(&self.version)?;
        if let Some(version) = version.as_ref().filter(|v| v.is_builtin()) {
            return Err(Error::ReservedVersion {
                version: Box::new(version.clone()),
            });
        }
        if self.download {
            return Err(Error::Download);
        }
        if self.sha256.is_empty() {
            return Err(Error::MissingSha256);
        }
        if self.command.is_empty() && self.oci_image.is_empty() {
            return Err(Error::NothingToRun);
        }
        check_container(&self.oci_image, &self.runtime, facts)?;
        let (command, args) = split_command(&self.command, self.args)?;
        let sha256 = self.sha256.parse::<Sha256>().map_err(|e| Error::Sha256 {
            reason: e.to_string(),
        })?;
        let execution = match self.execution.as_str() {
            "" => None,
            word => Some(word.parse::<Execution>().map_err(|e| Error::Execution {
                reason: e.to_string(),
            })?),
        };
        let entry = PluginEntry {
            plugin_type: self.plugin_type.unwrap_or(PluginType::Secret),
            name: self.name,
            version,
            command,
            args,
            env: self.env,
            sha256,
            oci_image: self.oci_image,
            runtime: self.runtime,
            overlap: self.overlap,
            execution,
        };
        check_location(&entry, facts)?;
        check_strings(&entry, facts)?;
        check_image_runs(&entry, facts)?;
        Ok(Draft {
            plugin_type: self.plugin_type,
            entry,
        })
    }
}

impl Draft {
    /// The command, relative to the plugin directory; empty for a container plugin without one.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.entry.command
    }

    /// Whether it runs a file of the plugin directory, so that rows 14 and 15 apply.
    #[must_use]
    pub fn needs_file(&self) -> bool {
        self.entry.oci_image.is_empty()
    }

    /// The entry to run once, as this type, to learn what it reports; `None` on the typeless path
    /// until a type is tried.
    #[must_use]
    pub fn to_probe(&self, tried: Option<PluginType>) -> Option<PluginEntry> {
        Some(PluginEntry {
            plugin_type: self.plugin_type.or(tried)?,
            ..self.entry.clone()
        })
    }

    /// The type that the caller gave.
    #[must_use]
    pub fn plugin_type(&self) -> Option<PluginType> {
        self.plugin_type
    }

    /// Rows 16 to 18: the entry to store. `detected` is the type that running the file told on the
    /// typeless path, `reported` the version that it reported, empty for none or when it could
    /// not be run.
    ///
    /// # Errors
    /// No type, another version than the requested one, or a report that is no version or a
    /// built-in's.
    pub fn complete(
        self,
        detected: Option<PluginType>,
        reported: &str,
    ) -> Result<PluginEntry, Error> {
        let Some(plugin_type) = self.plugin_type.or(detected) else {
            return Err(Error::UnknownType {
                name: self.entry.name,
            });
        };
        let mut entry = PluginEntry {
            plugin_type,
            ..self.entry
        };
        check_reported(&entry, reported)?;
        if entry.version.is_none() && !reported.is_empty() {
            let version: PluginVersion = reported.parse().map_err(Error::ReportedVersion)?;
            if version.is_builtin() {
                return Err(Error::ReservedVersion {
                    version: Box::new(version),
                });
            }
            entry.version = Some(version);
        }
        Ok(entry)
    }
}

/// Whether what a process reports agrees with its entry, also at every later start (plugin-lifecycle
/// §4.3). An entry without a version takes any, and a process that reports none is believed.
///
/// # Errors
/// [`Error::VersionMismatch`].
pub fn check_reported(entry: &PluginEntry, reported: &str) -> Result<(), Error> {
    let Some(requested) = &entry.version else {
        return Ok(());
    };
    if reported.is_empty() {
        return Ok(());
    }
    let canonical = reported.parse::<PluginVersion>();
    if canonical.as_ref() == Ok(requested) {
        return Ok(());
    }
    Err(Error::VersionMismatch {
        name: entry.name.clone(),
        reported: canonical.map_or_else(|_| reported.to_owned(), |v| v.to_string()),
        requested: Box::new(requested.clone()),
    })
}

/// The checks that every new generation repeats, since storage may have been restored or edited
/// (plugin-protocol §2.6). The command's file is the caller's to check, its runtime
/// [`Catalog::check_runtime`](crate::Catalog::check_runtime)'s.
///
/// # Errors
/// The first that applies.
pub fn check_entry(entry: &PluginEntry, facts: &Facts<'_>) -> Result<(), Error> {
    check_image_runs(entry, facts)?;
    check_location(entry, facts)?;
    check_strings(entry, facts)
}

/// What an overwrite may change where versions do not change (`immutable_versions`, plugin-lifecycle
/// §11 item 17): neither the digest nor what is run. An entry without a version names no artefact
/// for good, so it may be anything anew.
///
/// # Errors
/// [`Error::Immutable`].
pub fn check_overwrite(before: &PluginEntry, after: &PluginEntry) -> Result<(), Error> {
    if before.version.is_none() {
        return Ok(());
    }
    let changed = [
        ("sha256", before.sha256 != after.sha256),
        ("command", before.command != after.command),
        ("oci_image", before.oci_image != after.oci_image),
    ];
    match changed.into_iter().find(|(_, is_changed)| *is_changed) {
        Some((field, _)) => Err(Error::Immutable {
            plugin: crate::EntryId::of(before).to_string(),
            field,
        }),
        None => Ok(()),
    }
}

/// Whether a container image can be run at all: the last row of the table.
fn check_image_runs(entry: &PluginEntry, facts: &Facts<'_>) -> Result<(), Error> {
    match facts.containers {
        _ if entry.oci_image.is_empty() => Ok(()),
        Containers::Supported => Ok(()),
        Containers::NotLinux => Err(Error::ImageNeedsLinux),
        Containers::Unsupported => Err(Error::ImageUnsupported),
    }
}

fn check_container(oci_image: &str, runtime: &str, facts: &Facts<'_>) -> Result<(), Error> {
    if !oci_image.is_empty() && facts.containers == Containers::NotLinux {
        return Err(Error::ImageNeedsLinux);
    }
    if !runtime.is_empty() && !facts.runtimes.iter().any(|known| known == runtime) {
        return Err(Error::UnknownRuntime {
            runtime: runtime.to_owned(),
        });
    }
    Ok(())
}

fn check_location(entry: &PluginEntry, facts: &Facts<'_>) -> Result<(), Error> {
    if entry.oci_image.is_empty() && !facts.has_directory {
        return Err(Error::NoDirectory);
    }
    if entry.name.contains("..") || entry.command.contains("..") {
        return Err(Error::ParentReference);
    }
    Ok(())
}

fn check_strings(entry: &PluginEntry, facts: &Facts<'_>) -> Result<(), Error> {
    let has_nul = |texts: &[String]| texts.iter().any(|text| text.contains('\0'));
    for (field, is_bad) in [
        ("command", entry.command.contains('\0')),
        ("args", has_nul(&entry.args)),
        ("env", has_nul(&entry.env)),
    ] {
        if is_bad {
            return Err(Error::NulByte { field });
        }
    }
    for pair in &entry.env {
        let variable = pair.split('=').next().unwrap_or_default();
        let is_allowed = facts.env_allow.iter().any(|allowed| allowed == variable);
        if CODE_LOADING.contains(&variable) && !is_allowed {
            return Err(Error::RefusedVariable {
                variable: variable.to_owned(),
            });
        }
    }
    Ok(())
}

/// A command of several words is a command and its arguments, split on single spaces; there is no
/// quoting (plugin-lifecycle §2.5 h).
fn split_command(command: &str, args: Vec<String>) -> Result<(String, Vec<String>), Error> {
    let mut words = command.split(' ').map(str::to_owned);
    let first = words.next().unwrap_or_default();
    let rest: Vec<String> = words.collect();
    match (rest.is_empty(), args.is_empty()) {
        (true, _) => Ok((first, args)),
        (false, true) => Ok((first, rest)),
        (false, false) => Err(Error::ArgsTwice),
    }
}
