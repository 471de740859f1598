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
        let number =
            |name: &str| field(name).as_u64().or_else(|| field(name).as_str().and_then(|text| text.parse().ok()));
        Self {
            pid: number("pid").and_then(|pid| pid.try_into().ok()).unwrap_or_default(),
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
        assert!(info.pid != 0 && !info.version.is_empty(), "{mount}/info answered {info:?}");
        info
    }

    /// Keeps a value in the memory of the mount's instance.
    pub async fn remember(&self, mount: &str, value: &str) {
        self.post(&format!("{mount}/memory"), json!({"value": value})).await.ok();
    }

    /// What the mount's instance keeps in memory; empty when nothing.
    pub async fn memory(&self, mount: &str) -> String {
        let value = self.get(&format!("{mount}/memory")).await.at("/data/value");
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Stores a value through the plugin.
    pub async fn store(&self, mount: &str, key: &str, value: &str) {
        self.post(&format!("{mount}/kv/{key}"), json!({"value": value})).await.ok();
    }

    /// What is stored under a key; `null` when nothing.
    pub async fn stored(&self, mount: &str, key: &str) -> Value {
        self.get(&format!("{mount}/kv/{key}")).await.at("/data/value")
    }
}

/// A request that takes so long and then says who answered.
pub fn sleep(mount: &str, seconds: f64) -> Request {
    Request::new(Method::GET, &format!("{mount}/sleep/{seconds}"))
}
