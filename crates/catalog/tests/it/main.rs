//! The catalog's decisions, by subject. Numbers are those of the acceptance cases in
//! plugin-lifecycle §12.

#![cfg(test)]

mod deregistration;
mod joining;
mod pins;
mod reads;
mod registration;
mod rollout;
mod runtimes;
mod selection;

use linchpin_catalog::{Builtin, Catalog};
use linchpin_model::{DeprecationStatus, PluginEntry, PluginType, PluginVersion, Sha256};

const SECRET: PluginType = PluginType::Secret;
const AUTH: PluginType = PluginType::Auth;

fn v(text: &str) -> PluginVersion {
    text.parse().unwrap()
}

/// A secrets plugin; an empty version makes an unversioned entry.
fn entry(name: &str, version: &str) -> PluginEntry {
    PluginEntry {
        plugin_type: SECRET,
        name: name.to_owned(),
        version: (!version.is_empty()).then(|| v(version)),
        command: name.to_owned(),
        args: Vec::new(),
        env: Vec::new(),
        sha256: Sha256([7; 32]),
        oci_image: String::new(),
        runtime: String::new(),
        overlap: true,
        execution: None,
    }
}

fn builtin(plugin_type: PluginType, name: &str) -> Builtin {
    Builtin {
        plugin_type,
        name: name.to_owned(),
        version: v(linchpin_model::BUILTIN_VERSION),
        deprecation: Some(DeprecationStatus::Supported),
    }
}

/// Built-ins `kv` and `totp` (secret) and `approle` (auth), and these secrets plugins, each
/// written `name` or `name@version`.
fn catalog(entries: &[&str]) -> Catalog {
    let builtins = [
        builtin(SECRET, "kv"),
        builtin(SECRET, "totp"),
        builtin(AUTH, "approle"),
    ];
    entries.iter().fold(Catalog::new(builtins, true), |c, e| {
        let (name, version) = e.split_once('@').unwrap_or((e, ""));
        c.with_entry(entry(name, version))
    })
}

/// The same with pins, each written `name@version`.
fn pinned(entries: &[&str], pins: &[&str]) -> Catalog {
    pins.iter().fold(catalog(entries), |c, pin| {
        let (name, version) = pin.split_once('@').unwrap();
        let pin = c.check_pin(SECRET, name, version).unwrap();
        c.with_pin(pin)
    })
}
