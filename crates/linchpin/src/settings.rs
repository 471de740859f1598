//! From flags, environment and file to the settings of every part. A flag wins over the environment, the environment
//! over the file, the file over the defaults.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use linchpin_core::GateLimits;
use linchpin_crypto::{Secret, random};
use linchpin_plugin_host::launch::Containment;
use linchpin_plugin_host::settings::{FilePermissions, PluginBlock, RestartSettings};
use linchpin_telemetry::{Format, Level};

use crate::arguments::ServerFlags;
use crate::config::{self, Config, Limits, PluginSettings, Profile, find_variable};

/// Where a dev server listens unless told otherwise.
const LISTEN: &str = "127.0.0.1:8200";

/// How long running requests have at the end of the server, and then how long the cancelled ones. Container runtimes
/// kill ten seconds after they asked, and the plugins must be gone by then too.
const DRAIN: Duration = Duration::from_secs(5);
const ABANDON: Duration = Duration::from_secs(1);

/// Everything that a start needs to know.
#[derive(Debug)]
pub(crate) struct Start {
    /// `host:port` to listen on.
    pub(crate) listen: String,
    /// The root token.
    pub(crate) root_token: Secret<String>,
    /// Whether the token goes to where the clients look for it.
    pub(crate) store_token: bool,
    /// Whether `secret/` is mounted.
    pub(crate) mount_secret: bool,
    /// Whether the files of the plugin directory are registered.
    pub(crate) plugin_init: bool,
    /// How much is logged.
    pub(crate) log_level: Level,
    /// How the log looks.
    pub(crate) log_format: Format,
    /// The cluster's name; empty = a random one.
    pub(crate) cluster_name: String,
    /// For the node. The address for clients is empty when nobody named one.
    pub(crate) core: linchpin_core::Settings,
    /// For the plugin host.
    pub(crate) plugins: linchpin_plugin_host::Settings,
    /// For the HTTP server.
    pub(crate) http: linchpin_http::Limits,
    /// What to log once logging is set up.
    pub(crate) warnings: Vec<String>,
}

/// Why the server cannot be started as it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// Durable storage is not there yet.
    #[error(
        "only the development mode can be started: durable storage comes with a later release. \
         Type: linchpin server -dev"
    )]
    OnlyDev,
    /// The file or the environment is wrong.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A token that no client could send.
    #[error("the root token must be printable ASCII without spaces: it travels in a header")]
    RootToken,
    /// No place to listen on.
    #[error("cannot listen on {0:?}: use HOST:PORT, such as {LISTEN}")]
    Address(String),
    /// Leases that would outlive their maximum.
    #[error("default_lease_ttl is longer than max_lease_ttl")]
    LeaseTtl,
}

/// Brings together what was typed, what `look` finds in the environment, and the file.
///
/// # Errors
/// The file cannot be used, or a value cannot be what it is.
pub(crate) fn resolve(
    flags: ServerFlags,
    look: impl Fn(&str) -> Option<String>,
) -> Result<Start, Error> {
    if !flags.dev {
        return Err(Error::OnlyDev);
    }
    let (mut config, warnings) = match &flags.config {
        Some(file) => Config::read(file)?,
        None => (Config::default(), Vec::new()),
    };
    config.apply_environment(&look)?;
    let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    warnings.extend(without_effect(&config));
    if config.default_lease_ttl > config.max_lease_ttl {
        return Err(Error::LeaseTtl);
    }
    if let Some(directory) = flags.plugin_dir.filter(|d| !d.as_os_str().is_empty()) {
        config.plugins.directory = Some(directory);
    }
    let listen = given(flags.listen_address)
        .or_else(|| find_variable("DEV_LISTEN_ADDRESS", &look).map(|(value, _)| value))
        .or_else(|| config.listeners.first().map(|l| l.address.clone()))
        .unwrap_or_else(|| LISTEN.to_owned());
    let root_token = flags
        .root_token
        .filter(|token| !token.expose().is_empty())
        .or_else(|| find_variable("DEV_ROOT_TOKEN_ID", &look).map(|(value, _)| value.into()))
        .unwrap_or_else(|| format!("hvs.{}", random::base62(24)).into());
    if !root_token.expose().bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::RootToken);
    }
    Ok(Start {
        listen: address(&listen)?,
        root_token,
        store_token: !flags.no_store_token,
        mount_secret: !flags.no_kv,
        plugin_init: !flags.no_plugin_init,
        log_level: flags.log_level.or(config.log_level).unwrap_or_default(),
        log_format: flags.log_format.or(config.log_format).unwrap_or_default(),
        core: core(&config),
        plugins: plugins(&config.plugins),
        http: http(&config.limits),
        cluster_name: config.cluster_name,
        warnings,
    })
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// `host:port`; a missing host is every address, as Go has it.
fn address(listen: &str) -> Result<String, Error> {
    let wrong = || Error::Address(listen.to_owned());
    let (host, port) = listen.rsplit_once(':').ok_or_else(wrong)?;
    port.parse::<u16>().map_err(|_| wrong())?;
    // An IPv6 address without brackets would lose its last group as the port.
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(wrong());
    }
    match host {
        "" => Ok(format!("0.0.0.0:{port}")),
        host => Ok(format!("{host}:{port}")),
    }
}

/// Settings that are read and change nothing.
fn without_effect(config: &Config) -> Vec<String> {
    let (said, usual) = (&config.limits, Limits::default());
    let mut warnings = Vec::new();
    for (key, changed) in [
        (
            "max_storage_value_size",
            said.max_storage_value != usual.max_storage_value,
        ),
        (
            "max_storage_key_length",
            said.max_storage_key != usual.max_storage_key,
        ),
        (
            "max_wrapped_response_size",
            said.max_wrapped_response != usual.max_wrapped_response,
        ),
    ] {
        if changed {
            warnings.push(format!("{key} is not enforced by this release"));
        }
    }
    let plugins = &config.plugins;
    let names_owner_or_mode = plugins.file_uid != 0 || plugins.file_permissions.is_some();
    if names_owner_or_mode && !plugins.check_file_permissions {
        warnings.push(
            "plugin_file_uid and plugin_file_permissions have no effect: the check is off, \
             and VAULT_ENABLE_FILE_PERMISSIONS_CHECK=true switches it on"
                .to_owned(),
        );
    }
    if config.listeners.len() > 1 {
        warnings.push(
            "a dev server listens on one address: the listeners after the first are ignored"
                .to_owned(),
        );
    }
    warnings
}

fn core(config: &Config) -> linchpin_core::Settings {
    let plugins = &config.plugins;
    linchpin_core::Settings {
        gate: GateLimits {
            queue: plugins.gate_queue,
            attempt: plugins.gate_timeout,
        },
        drain_timeout: plugins.drain_timeout,
        initialize_timeout: plugins.initialize_timeout,
        cleanup_timeout: plugins.cleanup_timeout,
        retire_wait: plugins.retire_timeout,
        max_surge: plugins.max_surge,
        deregister_in_use: plugins.deregister_in_use,
        immutable_versions: plugins.immutable_versions,
        pin_requires_sudo: plugins.pin_requires_sudo,
        plugin_env_allow: plugins.env_allow.clone(),
        has_plugin_directory: plugins.directory.is_some(),
        default_lease_ttl: config.default_lease_ttl,
        max_lease_ttl: config.max_lease_ttl,
        api_addr: config.api_addr.clone(),
        storage_type: "inmem",
        ..linchpin_core::Settings::default()
    }
}

fn plugins(said: &PluginSettings) -> linchpin_plugin_host::Settings {
    let blocks = said.blocks.iter().map(|(name, block)| {
        let block = PluginBlock {
            writable: block.writable.clone(),
            containment: block.containment.map(containment),
        };
        (name.clone(), block)
    });
    linchpin_plugin_host::Settings {
        plugin_directory: said.directory.clone(),
        socket_directory: socket_directory(said),
        plugin_execution: said.execution,
        plugin_env_allow: said.env_allow.clone(),
        // The memory store and its key read no variable.
        server_variables: Vec::new(),
        legacy_env_layering: said.legacy_env_layering,
        multiplexing_opt_out: said.multiplexing_opt_out.clone(),
        server_version: linchpin_model::SERVER_VERSION.to_owned(),
        containment: containment(said.containment),
        plugins: blocks.collect::<BTreeMap<_, _>>(),
        plugin_start_timeout: said.start_timeout,
        plugin_setup_timeout: said.setup_timeout,
        plugin_initialize_timeout: said.initialize_timeout,
        plugin_cleanup_timeout: said.cleanup_timeout,
        plugin_stop_timeout: said.stop_timeout,
        start_wait: said.start_wait,
        calls_in_flight: said.calls_in_flight,
        health_interval: said.health_interval,
        file_permissions: said.check_file_permissions.then_some(FilePermissions {
            uid: Some(said.file_uid),
            mode: said.file_permissions,
        }),
        restart: RestartSettings {
            first_pause: said.respawn_backoff_min,
            longest_pause: said.respawn_backoff_max,
            stable_after: said.respawn_stable_after,
            breaker_after: said.breaker_threshold,
        },
    }
}

fn socket_directory(said: &PluginSettings) -> PathBuf {
    said.tmpdir.clone().unwrap_or_else(std::env::temp_dir)
}

fn containment(profile: Profile) -> Containment {
    match profile {
        Profile::Compat => Containment::Compat,
        Profile::Off => Containment::Off,
    }
}

fn http(said: &Limits) -> linchpin_http::Limits {
    linchpin_http::Limits {
        body: said.max_request_size,
        headers: said.max_header_size,
        json_depth: said.max_json_depth,
        json_string: said.max_json_string,
        request: said.max_request_duration,
        drain: DRAIN,
        abandon: ABANDON,
        ..linchpin_http::Limits::default()
    }
}
