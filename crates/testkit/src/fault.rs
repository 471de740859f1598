//! The fault plugin as a test sees it: its paths, and the switches that its entry's `env` turns on.
//!
//! What it does is told at the top of `crates/plugin-sdk/examples/fault-v1.rs`; nothing here knows more than its paths and names.

use linchpin_client::{Method, Reply, Request};
use serde_json::{Value, json};

use crate::{Expect, Target};

/// Who answered: what a mount of the fault plugin says at `info`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Info {
    /// Its process.
    pub pid: u32,
    /// Which instance inside the process.
    pub instance: u64,
    /// The version that the binary was built as, such as `v1.0.0`.
    pub version: String,
}

impl Info {
    /// Reads it from an answer of `info`, or of another path that says who answered.
    pub fn read(reply: &Reply) -> Self {
        let data = reply.data();
        let field = |name: &str| data.get(name).cloned().unwrap_or(Value::Null);
        let number = |name: &str| {
            field(name)
                .as_u64()
                .or_else(|| field(name).as_str().and_then(|text| text.parse().ok()))
        };
        Self {
            pid: number("pid")
                .and_then(|pid| pid.try_into().ok())
                .unwrap_or_default(),
            instance: number("instance").unwrap_or_default(),
            version: field("version").as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Target {
    /// Who serves the mount.
    pub async fn info(&self, mount: &str) -> Info {
        let reply = self.get(&format!("{mount}/info")).await.ok();
        let info = Info::read(&reply);
        assert!(
            info.pid != 0 && !info.version.is_empty(),
            "{mount}/info answered {info:?}"
        );
        info
    }

    /// Keeps a value in the memory of the mount's instance.
    pub async fn remember(&self, mount: &str, value: &str) {
        self.post(&format!("{mount}/memory"), json!({"value": value}))
            .await
            .ok();
    }

    /// What the mount's instance keeps in memory; empty when nothing.
    pub async fn memory(&self, mount: &str) -> String {
        let value = self.get(&format!("{mount}/memory")).await.at("/data/value");
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Stores a value through the plugin.
    pub async fn store(&self, mount: &str, key: &str, value: &str) {
        self.post(&format!("{mount}/kv/{key}"), json!({"value": value}))
            .await
            .ok();
    }

    /// What is stored under a key; `null` when nothing.
    pub async fn stored(&self, mount: &str, key: &str) -> Value {
        self.get(&format!("{mount}/kv/{key}"))
            .await
            .at("/data/value")
    }
}

/// A request that takes so long and then says who answered.
pub fn sleep(mount: &str, seconds: f64) -> Request {
    Request::new(Method::GET, &format!("{mount}/sleep/{seconds}"))
}

/// What an entry's `env` switches on in the fault plugin.
pub mod switch {
    /// Reports no version, so that any version can be registered for it.
    pub const NO_VERSION: &str = "FAULT_VERSION=none";
    /// Declares itself as not multiplexing.
    pub const NO_MULTIPLEXING: &str = "FAULT_MULTIPLEX=off";
    /// Ends with status 3 and a line on standard error in place of a handshake.
    pub const EXITS_AT_START: &str = "FAULT_START=exit";
    /// Never says its handshake line.
    pub const HANGS_AT_START: &str = "FAULT_START=hang";
    /// Setup answers an error.
    pub const SETUP_FAILS: &str = "FAULT_SETUP=fail";
    /// Setup reads `config` and then waits two seconds.
    pub const SETUP_WAITS: &str = "FAULT_SETUP=wait";
    /// Initialize answers an error.
    pub const INITIALIZE_FAILS: &str = "FAULT_INIT=fail";
    /// Initialize writes three keys and then answers the same error.
    pub const INITIALIZE_WRITES_AND_FAILS: &str = "FAULT_INIT=write-fail";
    /// Ends by itself shortly after Initialize.
    pub const EXITS_AFTER_INITIALIZE: &str = "FAULT_INIT=exit";
    /// Writes `kv/background` every 10 ms: its pid and instance, and a counter.
    pub const WRITES_IN_BACKGROUND: &str = "FAULT_BACKGROUND=10";
    /// Cleanup never returns; what runs in the background goes on.
    pub const CLEANUP_HANGS: &str = "FAULT_HANG=cleanup";
    /// Reports a version that no entry has.
    pub const REPORTS_ANOTHER_VERSION: &str = "FAULT_REPORTS=v9.9.9";
    /// `info` ends the broker stream and then answers: the process takes no further mount.
    pub const REQUEST_ENDS_BROKER: &str = "FAULT_REQUEST=end-broker";
    /// Ignores the request to shut down.
    pub const IGNORES_SHUTDOWN: &str = "FAULT_SHUTDOWN=ignore";
}
