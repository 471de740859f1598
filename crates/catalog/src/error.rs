//! Every refusal of the catalog, with the text that clients match on.

use linchpin_model::{ErrorKind, PluginType, PluginVersion, VersionError};

/// Why the catalog refuses. `Display` is the exact text of the answer; all of them are mistakes of
/// the caller (plugin-lifecycle §0.3). Versions are boxed: they are four words of text each, and
/// every function here returns this type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No name in the path.
    #[error("missing plugin name")]
    MissingName,
    /// A name that could not be told from a version of another name in storage.
    #[error(
        "plugin name {name:?} cannot end in a version: it would be stored as version {version} of {base:?}"
    )]
    NameEndsInVersion {
        /// The name.
        name: String,
        /// What its last segment is.
        version: Box<PluginVersion>,
        /// The rest of it.
        base: String,
    },
    /// Not a version.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// Registration under a version that names a built-in.
    #[error(
        "version \"{version}\" is not allowed because 'builtin' is a reserved metadata identifier"
    )]
    ReservedVersion {
        /// The version.
        version: Box<PluginVersion>,
    },
    /// `download=true`, which only Vault Enterprise has.
    #[error(
        "download is not supported: place the plugin in the plugin directory and register it with sha256 and command"
    )]
    Download,
    /// No digest.
    #[error("missing SHA-256 value")]
    MissingSha256,
    /// Nothing to run.
    #[error("must provide at least one of command or oci_image")]
    NothingToRun,
    /// A container image where there are no containers.
    #[error("specifying oci_image is currently only supported on Linux")]
    ImageNeedsLinux,
    /// A container image on a server that runs none.
    #[error(
        "unable to run plugin: this server does not run container plugins: place the binary in the plugin directory and register it with sha256 and command"
    )]
    ImageUnsupported,
    /// A runtime that is not registered.
    #[error(
        "specified plugin runtime {runtime:?}, but failed to retrieve config: plugin runtime not found"
    )]
    UnknownRuntime {
        /// Its name.
        runtime: String,
    },
    /// A runtime without a name.
    #[error("missing plugin runtime name")]
    MissingRuntimeName,
    /// A runtime with less CPU than none.
    #[error("runtime cpu in nanos cannot be negative")]
    NegativeCpu,
    /// A runtime with less memory than none.
    #[error("runtime memory in bytes cannot be negative")]
    NegativeMemory,
    /// There is no such runtime to remove.
    #[error("plugin runtime not found")]
    RuntimeNotFound,
    /// A runtime that entries refer to.
    #[error(
        "unable to delete {runtime:?} runtime. Registered plugins=[{}] are referencing it.",
        plugins.join(" ")
    )]
    RuntimeReferenced {
        /// Its name.
        runtime: String,
        /// The names of these plugins, sorted, each once.
        plugins: Vec<String>,
    },
    /// Arguments in `command` and in `args`.
    #[error("must not specify args in command and args field")]
    ArgsTwice,
    /// Not 32 bytes of hexadecimal; the text is the decoder's.
    #[error("{reason}")]
    Sha256 {
        /// What is wrong with it.
        reason: String,
    },
    /// Not one of the execution modes.
    #[error("{reason}")]
    Execution {
        /// What is wrong with it.
        reason: String,
    },
    /// A file plugin, and no plugin directory.
    #[error("could not set plugin, plugin directory is not configured")]
    NoDirectory,
    /// `..` in the name or the command.
    #[error("path cannot contain parent references")]
    ParentReference,
    /// A NUL byte where the operating system's strings cannot have one.
    #[error("{field} cannot contain a NUL byte")]
    NulByte {
        /// `command`, `args` or `env`.
        field: &'static str,
    },
    /// A variable that makes a process load foreign code (plugin-protocol §2.6).
    #[error(
        "env variable {variable:?} is not allowed, as it makes a process load other code than what was registered: the server's configuration file can allow it with plugin_env_allow"
    )]
    RefusedVariable {
        /// Its name; values are never shown.
        variable: String,
    },
    /// The command's file is not there, or a link that leads nowhere.
    #[error("error while validating the command path: lstat {path}: {reason}")]
    CommandPath {
        /// The absolute path.
        path: String,
        /// The operating system's word on it.
        reason: String,
    },
    /// The command's file is not in the plugin directory itself.
    #[error("cannot execute files outside of configured plugin directory")]
    OutsideDirectory,
    /// The typeless path, and running the file did not tell its type.
    #[error(
        "could not detect the type of plugin {name:?}: register it under its type, at sys/plugins/catalog/auth, /database or /secret"
    )]
    UnknownType {
        /// The plugin's name.
        name: String,
    },
    /// A version would become something else, and the configuration says that versions do not change.
    #[error(
        "{plugin} is registered with another {field}, and versions do not change here (immutable_versions): register the new one under a version of its own, or deregister this one first"
    )]
    Immutable {
        /// The entry in words.
        plugin: String,
        /// `sha256`, `command` or `oci_image`.
        field: &'static str,
    },
    /// The process says that it is another version.
    #[error(
        "plugin version mismatch: {name} reported version ({reported}) did not match requested version ({requested})"
    )]
    VersionMismatch {
        /// The plugin's name.
        name: String,
        /// What the process said.
        reported: String,
        /// What its entry says.
        requested: Box<PluginVersion>,
    },
    /// The process reports something that is no version, and none was requested.
    #[error("plugin self-reported {0}")]
    ReportedVersion(VersionError),
    /// A read without a version where there are several.
    #[error(
        "plugin {name:?} has several versions and none was given: choose one with -version. Available versions: {}",
        join(versions)
    )]
    SeveralVersions {
        /// The plugin's name.
        name: String,
        /// Its versions, lowest first.
        versions: Vec<PluginVersion>,
    },
    /// A built-in version cannot be deregistered.
    #[error("version \"{version}\" cannot be deleted")]
    DeleteBuiltin {
        /// The version.
        version: Box<PluginVersion>,
    },
    /// The version is pinned.
    #[error(
        "cannot delete a pinned version: {plugin_type} plugin {name:?} is pinned to {version}; move or delete the pin first (in Terraform: create_before_destroy on the plugin)"
    )]
    DeletePinned {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The plugin's name.
        name: String,
        /// The pinned version.
        version: Box<PluginVersion>,
    },
    /// The entry is in use and the configuration says to refuse.
    #[error(
        "cannot delete {plugin}: it is in use by {mounts}: disable them or move them to another version first (deregister_in_use is \"refuse\")"
    )]
    DeleteInUse {
        /// The entry in words.
        plugin: String,
        /// The mounts in words.
        mounts: String,
    },
    /// A pin without a version.
    #[error("missing plugin version")]
    MissingVersion,
    /// Built-ins cannot be pinned.
    #[error("cannot pin a builtin plugin: \"{version}\"")]
    PinBuiltin {
        /// The version.
        version: Box<PluginVersion>,
    },
    /// A pin to a version that is not registered.
    #[error(
        "plugin not found in the catalog; {plugin_type} plugin {name:?} version {version} does not exist"
    )]
    PinUnregistered {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The plugin's name.
        name: String,
        /// The version.
        version: Box<PluginVersion>,
    },
    /// There is no such pin.
    #[error("no pinned version for this plugin")]
    NoPin,
    /// A mount asked for a version although one is pinned.
    #[error(
        "cannot specify plugin_version for {plugin_type} plugin {name:?}, as it is pinned to version {pinned}"
    )]
    MountPinned {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The plugin's name.
        name: String,
        /// The pinned version.
        pinned: Box<PluginVersion>,
    },
    /// A tune asked for a version although one is pinned.
    #[error(
        "plugin_version cannot be set for {plugin_type} plugin {name:?} as a pinned version {pinned} is in effect"
    )]
    TunePinned {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The plugin's name.
        name: String,
        /// The pinned version.
        pinned: Box<PluginVersion>,
    },
    /// The built-in was asked for, and an unversioned plugin hides it.
    #[error(
        "{plugin_type} plugin {name:?}, version {version} not found, as it is overridden by an unversioned plugin of the same name. Omit `plugin_version` to use the unversioned plugin"
    )]
    Shadowed {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The plugin's name.
        name: String,
        /// The built-in version.
        version: Box<PluginVersion>,
    },
    /// An engine that is wired in below the catalog has only its built-in version.
    #[error("cannot select non-builtin version of {} plugin {name}", engines(*plugin_type))]
    NotSelectable {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The plugin's name.
        name: String,
    },
    /// Nothing of this name and version.
    #[error("plugin not found in the catalog: {name}{}", version_clause(version.as_deref()))]
    NotFound {
        /// The plugin's name.
        name: String,
        /// The version that was looked for; `None` = unversioned or built-in.
        version: Option<Box<PluginVersion>>,
    },
}

/// How an error stands in the body (plugin-lifecycle §0.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The text alone: `{"errors":["text"]}`.
    Plain,
    /// As a list of one bullet: `{"errors":["1 error occurred:\n\t* text\n\n"]}`.
    Wrapped,
}

impl Error {
    /// How the text stands in the body.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self {
            Error::NoDirectory
            | Error::ParentReference
            | Error::CommandPath { .. }
            | Error::OutsideDirectory
            | Error::UnknownType { .. }
            | Error::ReportedVersion(_)
            | Error::RuntimeNotFound
            | Error::DeletePinned { .. }
            | Error::NoPin => Shape::Wrapped,
            _ => Shape::Plain,
        }
    }

    /// A missing pin is 404; everything else is the caller's mistake, 400 also where Vault
    /// answers 500 (plugin-lifecycle §0.3, mark ◊).
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::NoPin => ErrorKind::NotFound,
            _ => ErrorKind::InvalidRequest,
        }
    }
}

fn join(versions: &[PluginVersion]) -> String {
    let texts: Vec<&str> = versions.iter().map(PluginVersion::as_str).collect();
    texts.join(", ")
}

fn version_clause(version: Option<&PluginVersion>) -> String {
    version.map_or_else(String::new, |v| format!(", version={v}"))
}

/// Vault calls the secrets engines by another word in this one text.
fn engines(plugin_type: PluginType) -> &'static str {
    match plugin_type {
        PluginType::Secret => "secrets",
        other => other.as_str(),
    }
}
