//! The engines that are part of this binary, written with path tables.
//!
//! The core does not know them: the binary asks [`make`] for a mount's engine, and [`ALL`] for
//! what the catalog lists as built in.

mod kv;
#[cfg(test)]
mod memory;
mod totp;

use linchpin_engine::path::TableBackend;
use linchpin_engine::{Backend, Error, MountInfo, StorageView, SystemView};
use linchpin_model::{DeprecationStatus, PluginType};
use std::sync::Arc;

/// One built-in engine, as the catalog shows it (plugin-lifecycle §1.4 and §1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// The name that mounts use as their type.
    pub name: &'static str,
    /// Its type.
    pub plugin_type: PluginType,
    /// How long it will be here.
    pub deprecation: DeprecationStatus,
}

/// Every built-in engine, by name.
pub const ALL: [Builtin; 2] = [
    Builtin {
        name: "kv",
        plugin_type: PluginType::Secret,
        deprecation: DeprecationStatus::Supported,
    },
    Builtin {
        name: "totp",
        plugin_type: PluginType::Secret,
        deprecation: DeprecationStatus::Supported,
    },
];

/// The names of the built-in engines, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|builtin| builtin.name)
}

/// The engine `name` for a mount; `None` when there is no such built-in.
///
/// # Errors
/// plain(400) for mount options that the engine does not have.
#[must_use]
pub fn make(
    name: &str,
    mount: &MountInfo,
    storage: Arc<dyn StorageView>,
    system: Arc<dyn SystemView>,
) -> Option<Result<Arc<dyn Backend>, Error>> {
    let made: Result<Arc<dyn Backend>, Error> = match name {
        "kv" => kv::check_options(&mount.options).map(|()| {
            let engine = kv::Kv::new(storage, system);
            Arc::new(TableBackend::new(engine, kv::table())) as Arc<dyn Backend>
        }),
        "totp" => Ok(Arc::new(TableBackend::new(
            totp::Totp::new(storage),
            totp::table(),
        ))),
        _ => return None,
    };
    Some(made)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{Memory, System, mount_info};

    #[test]
    fn every_listed_engine_can_be_made() {
        for builtin in ALL {
            let made = make(
                builtin.name,
                &mount_info(builtin.name, &[]),
                Arc::new(Memory::default()),
                Arc::new(System),
            );
            let backend = made.unwrap().unwrap();
            assert_eq!(backend.plugin_type(), builtin.plugin_type);
        }
        assert!(names().is_sorted());
        assert!(
            make(
                "nope",
                &mount_info("nope", &[]),
                Arc::new(Memory::default()),
                Arc::new(System)
            )
            .is_none()
        );
    }
}
