//! How a server is to be started: a builder with the defaults that most tests want.

use std::path::PathBuf;

use serde_json::{Map, Value};

/// Flags, environment and configuration file of one server.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) plugin_dir: bool,
    pub(crate) file: Map<String, Value>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) executable: Option<PathBuf>,
    pub(crate) log_level: &'static str,
    pub(crate) store_dump: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            plugin_dir: true,
            file: Map::new(),
            environment: Vec::new(),
            executable: None,
            log_level: "debug",
            store_dump: false,
        }
    }
}

impl Settings {
    /// Starts without a plugin directory.
    #[must_use]
    pub fn without_plugin_dir(mut self) -> Self {
        self.plugin_dir = false;
        self
    }

    /// Sets a key of Linchpin's configuration file (plugin-lifecycle §7.7); OpenBao has none of these and is started without.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.file.insert(key.to_owned(), value.into());
        self
    }

    /// Sets an environment variable of the server.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts this executable in place of the product's.
    #[must_use]
    pub fn executable(mut self, path: PathBuf) -> Self {
        self.executable = Some(path);
        self
    }

    /// Has [`crate::Server::store`] read what the server stores. Only [`crate::Product::Mutant`] can show it.
    #[must_use]
    pub fn with_store_dump(mut self) -> Self {
        self.store_dump = true;
        self
    }

    /// Logs as a server does by default, for measurements.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.log_level = "info";
        self
    }
}
