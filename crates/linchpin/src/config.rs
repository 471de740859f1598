//! The configuration file (`-config FILE`), HCL 1 or JSON, as plain structs (plugin-lifecycle §7.7, design §3).
//!
//! The defaults are the specification's, so an empty file changes nothing. A value of the wrong type is an error with
//! file and line, because guessing would start a server that is not the one described. A key that nobody knows is a
//! warning with the nearest word that would have been right, because a file written for Vault has many of those.

mod environment;
mod limits;
mod plugins;
mod section;
#[cfg(test)]
mod tests;

pub(crate) use environment::find as find_variable;
pub(crate) use limits::Limits;
pub(crate) use plugins::{PluginSettings, Profile};
pub(crate) use section::Warning;

use std::path::{Path, PathBuf};
use std::time::Duration;

use linchpin_hcl::Position;
use linchpin_telemetry::{Format, Level};
use section::Section;

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("read configuration file {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is neither HCL nor JSON. The source says line and column.
    #[error("parse configuration file {file}")]
    Syntax {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        #[source]
        source: linchpin_hcl::Error,
    },
    /// A setting has a value that it cannot have.
    #[error("{file}:{}: {key} {problem}", at.line)]
    Value {
        /// The file.
        file: PathBuf,
        /// Where the value stands.
        at: Position,
        /// The setting.
        key: String,
        /// What it must be.
        problem: String,
    },
    /// An environment variable has a value that it cannot have.
    #[error("environment variable {variable} {problem}")]
    Variable {
        /// Its name.
        variable: String,
        /// What it must be.
        problem: String,
    },
}

/// Everything that the file can say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// `plugin_*` and what surrounds them.
    pub(crate) plugins: PluginSettings,
    /// What bounds a request.
    pub(crate) limits: Limits,
    /// `log_level`; `None` = not said, so that a flag's default does not hide the file's word.
    pub(crate) log_level: Option<Level>,
    /// `log_format`.
    pub(crate) log_format: Option<Format>,
    /// `api_addr`: the URL that clients reach this node at, or empty.
    pub(crate) api_addr: String,
    /// `cluster_name`, or empty.
    pub(crate) cluster_name: String,
    /// `default_lease_ttl`.
    pub(crate) default_lease_ttl: Duration,
    /// `max_lease_ttl`.
    pub(crate) max_lease_ttl: Duration,
    /// `listener "tcp" { … }` blocks, in their order.
    pub(crate) listeners: Vec<Listener>,
}

/// One `listener "tcp" { … }` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    /// `address`, host and port.
    pub(crate) address: String,
}

impl Default for Config {
    fn default() -> Self {
        const MONTH: Duration = Duration::from_secs(768 * 3600);
        Self {
            plugins: PluginSettings::default(),
            limits: Limits::default(),
            log_level: None,
            log_format: None,
            api_addr: String::new(),
            cluster_name: String::new(),
            default_lease_ttl: MONTH,
            max_lease_ttl: MONTH,
            listeners: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a file. The warnings are the caller's to log once logging is set up.
    ///
    /// # Errors
    /// The file cannot be read, is neither HCL nor JSON, or a setting has a value that it cannot have.
    pub(crate) fn read(file: &Path) -> Result<(Self, Vec<Warning>), Error> {
        let text = std::fs::read_to_string(file).map_err(|source| Error::Read {
            file: file.to_owned(),
            source,
        })?;
        Self::parse(file, &text)
    }

    /// The same for a text that was read already; `file` is what messages call it.
    ///
    /// # Errors
    /// As [`Config::read`], except for reading.
    pub(crate) fn parse(file: &Path, text: &str) -> Result<(Self, Vec<Warning>), Error> {
        let body = linchpin_hcl::parse(text).map_err(|source| Error::Syntax {
            file: file.to_owned(),
            source,
        })?;
        let mut config = Self::default();
        let mut warnings = Vec::new();
        let mut section = Section::new(file, &body);
        config.plugins.read(&mut section, &mut warnings)?;
        config.limits.read(&mut section)?;
        if let Some(level) = section.word("log_level")? {
            config.log_level = Some(level);
        }
        if let Some(format) = section.word("log_format")? {
            config.log_format = Some(format);
        }
        section.text("api_addr", &mut config.api_addr)?;
        section.text("cluster_name", &mut config.cluster_name)?;
        section.duration("default_lease_ttl", &mut config.default_lease_ttl)?;
        section.duration("max_lease_ttl", &mut config.max_lease_ttl)?;
        config.read_listeners(&mut section, &mut warnings)?;
        section.finish(&mut warnings);
        warnings.sort_by_key(|warning| warning.line);
        Ok((config, warnings))
    }

    fn read_listeners(
        &mut self,
        section: &mut Section<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(), Error> {
        for block in section.blocks("listener", 1)? {
            let mut inner = section.inside(block.body);
            let kind = block.labels.first().map_or("", |label| label.text.as_str());
            if kind != "tcp" {
                return Err(section.refuse(
                    "listener",
                    block.at,
                    format!("of type {kind:?} is not supported: use \"tcp\""),
                ));
            }
            let mut listener = Listener {
                address: "127.0.0.1:8200".to_owned(),
            };
            inner.text("address", &mut listener.address)?;
            // To ignore a certificate would be to send secrets in the clear that were to be encrypted.
            for key in ["tls_cert_file", "tls_key_file"] {
                if let Some(value) = inner.value(key) {
                    let problem = "is not supported: this server has no TLS listener yet";
                    return Err(section.refuse(key, value.at, problem.to_owned()));
                }
            }
            let mut is_plain = true;
            inner.flag("tls_disable", &mut is_plain)?;
            if !is_plain {
                let problem = "cannot be false: this server has no TLS listener yet";
                return Err(section.refuse("tls_disable", block.at, problem.to_owned()));
            }
            // Vault has the request limits here; ours are the server's, whichever place names them.
            self.limits.read(&mut inner)?;
            inner.finish(warnings);
            self.listeners.push(listener);
        }
        Ok(())
    }
}
