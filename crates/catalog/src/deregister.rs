//! What a delete removes (plugin-lifecycle §2.6). Nothing running is touched by it.

use std::sync::Arc;

use crate::snapshot::parse_version;
use crate::{Catalog, EntryId, Error, warnings};
use linchpin_model::{PluginEntry, PluginType};

/// What the configuration says about deregistering an entry that mounts use
/// (`deregister_in_use`, plugin-lifecycle §7.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InUse {
    /// Remove it and name the mounts in a warning; they keep running, also across a crash.
    #[default]
    Warn,
    /// Keep it and answer 400.
    Refuse,
}

/// What a delete does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deregistration<'c> {
    /// The entry that goes; `None` when there is nothing to do, which is a success.
    pub entry: Option<&'c Arc<PluginEntry>>,
    /// What the caller should know who may have meant something else: that the only version there is
    /// goes, or that nothing goes although the name has versions. A name that is not registered is
    /// silence: clean-ups ask for that.
    pub note: Option<String>,
}

impl Catalog {
    /// What a delete removes (plugin-lifecycle §2.6).
    ///
    /// `version` is the query parameter: `None` when it is absent, which addresses the unversioned
    /// entry alone (plugin-lifecycle §0.1). An empty one, as clients send it that were given no
    /// version, addresses the unversioned entry too, but where a read without a version would
    /// answer the only version there is, it removes what that read answers (terraform.md §4).
    ///
    /// # Errors
    /// No name, a bad or built-in version, or a version that is pinned.
    pub fn deregister(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: Option<&str>,
    ) -> Result<Deregistration<'_>, Error> {
        if name.is_empty() {
            return Err(Error::MissingName);
        }
        let parsed = parse_version(version.unwrap_or_default())?;
        if let Some(version) = parsed.as_ref().filter(|v| v.is_builtin()) {
            return Err(Error::DeleteBuiltin {
                version: Box::new(version.clone()),
            });
        }
        let is_exact = version != Some("");
        let id = EntryId {
            plugin_type,
            name: name.to_owned(),
            version: parsed,
        };
        let (entry, note) = match self.entry(&id) {
            Some(entry) => (entry, None),
            None => {
                // A built-in of this name is what the read answers; then nothing is removed.
                let has_builtin = self.builtin(plugin_type, name).is_some();
                let only = (!is_exact && !has_builtin)
                    .then(|| self.only_version(plugin_type, name))
                    .flatten();
                let Some(only) = only else {
                    return Ok(Deregistration {
                        entry: None,
                        note: self.nothing_removed(&id),
                    });
                };
                let note = warnings::only_version_removed(&EntryId::of(only));
                (only, Some(note))
            }
        };
        match (&entry.version, self.pin(plugin_type, name)) {
            (Some(version), Some(pinned)) if version == pinned => Err(Error::DeletePinned {
                plugin_type,
                name: name.to_owned(),
                version: Box::new(version.clone()),
            }),
            _ => Ok(Deregistration {
                entry: Some(entry),
                note,
            }),
        }
    }

    fn only_version(&self, plugin_type: PluginType, name: &str) -> Option<&Arc<PluginEntry>> {
        let mut versioned = self.versioned(plugin_type, name);
        let only = versioned.next()?;
        versioned.next().is_none().then_some(only)
    }

    /// What to say when this is not registered and others of its name are.
    fn nothing_removed(&self, id: &EntryId) -> Option<String> {
        let entries = self.entries();
        let versions: Vec<&str> = entries
            .filter(|entry| entry.plugin_type == id.plugin_type && entry.name == id.name)
            .map(|entry| entry.version_text())
            .collect();
        (!versions.is_empty()).then(|| warnings::nothing_removed(id, &versions))
    }
}

/// The warning for removing an entry that these mounts use; none when they are none.
///
/// # Errors
/// [`Error::DeleteInUse`] when the configuration says to refuse.
pub fn check_in_use(
    id: &EntryId,
    mounts: &[String],
    policy: InUse,
) -> Result<Option<String>, Error> {
    if mounts.is_empty() {
        return Ok(None);
    }
    match policy {
        InUse::Warn => Ok(Some(warnings::deregistered_in_use(id, mounts))),
        InUse::Refuse => Err(Error::DeleteInUse {
            plugin: id.to_string(),
            mounts: warnings::list(mounts),
        }),
    }
}
