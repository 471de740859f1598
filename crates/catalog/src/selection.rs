//! Which version a mount stores, and which one it runs: two moments with different inputs
//! (plugin-lifecycle §4).

use crate::{Catalog, Error, Resolved};
use linchpin_model::{PluginType, PluginVersion};

/// The name behind an alias: `kv-v1` and `kv-v2` are `kv` (plugin-lifecycle §4.2).
#[must_use]
pub fn without_alias(plugin_type: PluginType, name: &str) -> &str {
    match (plugin_type, name) {
        (PluginType::Secret, "kv-v1" | "kv-v2") => "kv",
        (_, other) => other,
    }
}

/// Whether an engine is wired in below the catalog: then there is only its built-in version, and
/// neither entries nor pins of its name reach it (plugin-lifecycle §4.2).
#[must_use]
pub fn is_wired(plugin_type: PluginType, name: &str) -> bool {
    let name = without_alias(plugin_type, name);
    plugin_type == PluginType::Secret && matches!(name, "kv" | "database")
}

impl Catalog {
    /// What a new mount stores as its version; `requested` is `config.plugin_version` as written,
    /// empty for none (plugin-lifecycle §4.1 A). Whether it can run is [`Catalog::run`]'s to say.
    ///
    /// # Errors
    /// A version where one is pinned, one that is none, a built-in that is hidden, or another
    /// than the built-in version of a wired engine.
    pub fn choose(
        &self,
        plugin_type: PluginType,
        name: &str,
        requested: &str,
    ) -> Result<Option<PluginVersion>, Error> {
        if is_wired(plugin_type, name) {
            return self.only_builtin(plugin_type, name, requested);
        }
        let name = without_alias(plugin_type, name);
        if let Some(pinned) = self.pin(plugin_type, name) {
            if requested.is_empty() {
                return Ok(Some(pinned.clone()));
            }
            return Err(Error::MountPinned {
                plugin_type,
                name: name.to_owned(),
                pinned: Box::new(pinned.clone()),
            });
        }
        if requested.is_empty() {
            let found = self.lookup(plugin_type, name, None);
            if matches!(found, Some(Resolved::External(_))) {
                return Ok(None);
            }
            let highest = self.versioned(plugin_type, name).next_back();
            return Ok(highest.and_then(|entry| entry.version.clone()));
        }
        self.unless_builtin(plugin_type, name, PluginVersion::parse_loose(requested)?)
    }

    /// What a mount runs whose stored version is `stored` (plugin-lifecycle §4.1 B). A stored
    /// built-in version counts as none: the next server build has another.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn run(
        &self,
        plugin_type: PluginType,
        name: &str,
        stored: Option<&PluginVersion>,
    ) -> Result<Resolved<'_>, Error> {
        let registered = without_alias(plugin_type, name);
        if is_wired(plugin_type, name) {
            let builtin = self.builtin(plugin_type, registered);
            return builtin
                .map(Resolved::Builtin)
                .ok_or_else(|| not_found(name, None));
        }
        let stored = stored.filter(|version| !version.is_builtin());
        let effective = self.pin(plugin_type, registered).or(stored);
        self.lookup(plugin_type, registered, effective)
            .ok_or_else(|| not_found(name, effective))
    }

    /// What tuning a mount to `requested` stores (plugin-lifecycle §4.4). The built-in version is
    /// stored as none, since the next server build has another.
    ///
    /// # Errors
    /// A version is pinned, it is no version (empty is none), or it is not in the catalog.
    pub fn tune(
        &self,
        plugin_type: PluginType,
        name: &str,
        requested: &str,
    ) -> Result<Option<PluginVersion>, Error> {
        if is_wired(plugin_type, name) {
            let version = PluginVersion::parse_loose(requested)?;
            return self.only_builtin(plugin_type, name, version.as_str());
        }
        let name = without_alias(plugin_type, name);
        if let Some(pinned) = self.pin(plugin_type, name) {
            return Err(Error::TunePinned {
                plugin_type,
                name: name.to_owned(),
                pinned: Box::new(pinned.clone()),
            });
        }
        let version = PluginVersion::parse_loose(requested)?;
        let stored = self.unless_builtin(plugin_type, name, version)?;
        match &stored {
            Some(version) if self.lookup(plugin_type, name, Some(version)).is_none() => {
                Err(not_found(name, Some(version)))
            }
            _ => Ok(stored),
        }
    }

    /// The requested version, or none when it is the built-in's own and nothing hides that.
    fn unless_builtin(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: PluginVersion,
    ) -> Result<Option<PluginVersion>, Error> {
        let builtin = self.builtin(plugin_type, name);
        if builtin.is_none_or(|b| b.version != version) {
            // Another build's built-in version must not get as far as `run`, which takes a stored
            // one for none.
            return if version.is_builtin() {
                Err(not_found(name, Some(&version)))
            } else {
                Ok(Some(version))
            };
        }
        match self.lookup(plugin_type, name, None) {
            Some(Resolved::External(_)) => Err(Error::Shadowed {
                plugin_type,
                name: name.to_owned(),
                version: Box::new(version),
            }),
            _ => Ok(None),
        }
    }

    fn only_builtin(
        &self,
        plugin_type: PluginType,
        name: &str,
        requested: &str,
    ) -> Result<Option<PluginVersion>, Error> {
        let name = without_alias(plugin_type, name);
        if requested.is_empty() {
            return Ok(None);
        }
        let version = PluginVersion::parse_loose(requested)?;
        if !version.is_builtin() {
            return Err(Error::NotSelectable {
                plugin_type,
                name: name.to_owned(),
            });
        }
        match self.builtin(plugin_type, name) {
            Some(builtin) if builtin.version == version => Ok(None),
            _ => Err(not_found(name, Some(&version))),
        }
    }
}

fn not_found(name: &str, version: Option<&PluginVersion>) -> Error {
    Error::NotFound {
        name: name.to_owned(),
        version: version.cloned().map(Box::new),
    }
}
