//! The `sys/` engine: mounts, the plugin catalog, pins, reload, and the state of the server.
//!
//! It is written as a path table like any other engine and holds no state: every handler reads
//! what was asked, calls the core's service for it, and renders the answer (plugin-lifecycle
//! §§2-6, core-api §2). Each file is one family of paths.

mod answer;
mod auth;
mod bare;
mod catalog;
mod health;
mod internal;
mod mount_body;
mod mount_entry;
mod mounts;
mod openapi;
mod pins;
mod reload;
mod remount;
mod runtimes;
mod sight;
mod status;

use linchpin_core::Core;
use linchpin_engine::path::{Engine, Table, TableBackend};
use linchpin_engine::{Backend, Error, SpecialPaths};
use linchpin_model::PluginType;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Makes the engine over a core. It holds the core weakly, because the core holds its engines.
#[must_use]
pub fn make(core: Weak<Core>) -> Arc<dyn Backend> {
    let pins_need_sudo = core
        .upgrade()
        .is_some_and(|core| core.settings().pin_requires_sudo);
    let table = Table {
        special: special_paths(pins_need_sudo),
        ..table()
    };
    Arc::new(bare::Root::new(TableBackend::new(System { core }, table)))
}

/// The engine.
pub(crate) struct System {
    core: Weak<Core>,
}

impl Engine for System {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
}

impl System {
    /// The core, as long as the node runs.
    pub(crate) fn core(&self) -> Result<Arc<Core>, Error> {
        self.core.upgrade().ok_or_else(|| {
            Error::unavailable("the server is shutting down", Duration::from_secs(1))
        })
    }
}

/// All paths, in the order in which they are tried.
pub(crate) fn table() -> Table<System> {
    let families = [
        health::rows(),
        status::rows(),
        mounts::rows(),
        auth::rows(),
        remount::rows(),
        catalog::rows(),
        pins::rows(),
        reload::rows(),
        runtimes::rows(),
        sight::rows(),
        internal::rows(),
    ];
    Table {
        help: "The server itself: its mounts, its plugins, and how it is.",
        special: special_paths(false),
        paths: families.into_iter().flatten().collect(),
    }
}

/// What needs no token, and what needs sudo (plugin-lifecycle §8, core-api §§2.8-2.12).
///
/// With `pin_requires_sudo` a single pin needs it, also to be read: these lists know paths, not
/// operations. The list of all pins stays as it is.
fn special_paths(pins_need_sudo: bool) -> SpecialPaths {
    let owned =
        |paths: &[&str]| -> Vec<String> { paths.iter().map(|path| (*path).to_owned()).collect() };
    let mut root = owned(&[
        "auth/*",
        "plugins/catalog/*",
        // A plugin may log what it should not.
        "plugins/logs/*",
        "plugins/runtimes/catalog/*",
        bare::ESCAPED_RUNTIMES,
        "remount",
    ]);
    if pins_need_sudo {
        root.extend(owned(&[
            "plugins/pins/auth/*",
            "plugins/pins/database/*",
            "plugins/pins/secret/*",
        ]));
    }
    SpecialPaths {
        unauthenticated: owned(&[
            "health",
            "init",
            "leader",
            "seal-status",
            // Both answer next to nothing without a token.
            "internal/specs/openapi",
            "internal/ui/mounts",
        ]),
        root,
        ..SpecialPaths::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_parses() {
        assert_eq!(table().first_error(), None);
        assert_eq!(special_paths(true).first_invalid(), None);
    }

    #[test]
    fn sudo_is_needed_where_the_specification_says_so() {
        let special = special_paths(false);
        for path in [
            "plugins/catalog/secret/",
            "plugins/catalog/secret/kv",
            "plugins/runtimes/catalog/",
            "plugins/runtimes/catalog?type=container/",
            "auth/a",
            "auth/a/tune",
        ] {
            assert!(special.is_root(path), "{path}");
        }
        for path in [
            "plugins/catalog",
            "plugins/pins",
            "plugins/pins/secret/kv",
            "plugins/reload/backend",
            "mounts/m",
            "mounts/auth/a/tune",
        ] {
            assert!(!special.is_root(path), "{path}");
        }
    }

    #[test]
    fn better_19_pins_are_behind_sudo_where_the_configuration_says_so() {
        for (setting, pin) in [(false, false), (true, true)] {
            let special = special_paths(setting);
            assert_eq!(special.is_root("plugins/pins/secret/kv"), pin);
            assert_eq!(special.is_root("plugins/pins/auth/kv"), pin);
            assert!(!special.is_root("plugins/pins"));
            assert!(!special.is_root("plugins/pins/"));
            assert!(special.is_root("plugins/catalog/secret/kv"));
        }
    }
}
