//! Pins: every instance of a (type, name) runs this version, whatever its mount asked for
//! (plugin-lifecycle §3).

use crate::snapshot::parse_version;
use crate::{Catalog, Error, Resolved};
use linchpin_model::{PluginType, PluginVersion};

/// (type, name) → version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// The plugin's type.
    pub plugin_type: PluginType,
    /// The plugin's registered name; aliases are not resolved.
    pub name: String,
    /// The version that must run.
    pub version: PluginVersion,
}

impl Catalog {
    /// The pin that a caller may set, `version` as the caller wrote it (plugin-lifecycle §3.1).
    /// That the version runs is not checked, only that it is registered.
    ///
    /// # Errors
    /// No name, a bad, missing or built-in version, or one that is not registered.
    pub fn check_pin(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: &str,
    ) -> Result<Pin, Error> {
        if name.is_empty() {
            return Err(Error::MissingName);
        }
        let version = parse_version(version)?.ok_or(Error::MissingVersion)?;
        if version.is_builtin() {
            return Err(Error::PinBuiltin {
                version: Box::new(version),
            });
        }
        match self.lookup(plugin_type, name, Some(&version)) {
            Some(Resolved::External(_)) => Ok(Pin {
                plugin_type,
                name: name.to_owned(),
                version,
            }),
            _ => Err(Error::PinUnregistered {
                plugin_type,
                name: name.to_owned(),
                version: Box::new(version),
            }),
        }
    }

    /// The pin that a read answers (plugin-lifecycle §3.3).
    ///
    /// # Errors
    /// [`Error::NoPin`], the only one that is 404. Its text belongs into `warnings` too.
    pub fn read_pin(&self, plugin_type: PluginType, name: &str) -> Result<Pin, Error> {
        let version = self.pin(plugin_type, name).ok_or(Error::NoPin)?;
        Ok(Pin {
            plugin_type,
            name: name.to_owned(),
            version: version.clone(),
        })
    }
}
