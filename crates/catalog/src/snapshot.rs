//! The catalog at one moment: entries, pins and built-ins, and the reads that need nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::{Error, Pin, Runtime, warnings};
use linchpin_model::{DeprecationStatus, PluginEntry, PluginType, PluginVersion, Sha256};

/// An engine that is compiled in. Its version is fixed by the build (plugin-lifecycle §1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builtin {
    /// Its type.
    pub plugin_type: PluginType,
    /// Its name.
    pub name: String,
    /// Its version, with `builtin` in the metadata.
    pub version: PluginVersion,
    /// Its deprecation status, if it has one.
    pub deprecation: Option<DeprecationStatus>,
}

/// What names an entry. The order is that of listings; an unversioned entry comes before the
/// versions of its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId {
    /// The type.
    pub plugin_type: PluginType,
    /// The registered name.
    pub name: String,
    /// The version; `None` for an unversioned entry.
    pub version: Option<PluginVersion>,
}

impl EntryId {
    /// The id of an entry.
    #[must_use]
    pub fn of(entry: &PluginEntry) -> Self {
        Self {
            plugin_type: entry.plugin_type,
            name: entry.name.clone(),
            version: entry.version.clone(),
        }
    }
}

impl std::fmt::Display for EntryId {
    /// In words: `secret plugin "my-kv" version v1.0.0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} plugin {:?}", self.plugin_type, self.name)?;
        match &self.version {
            Some(version) => write!(f, " version {version}"),
            None => Ok(()),
        }
    }
}

/// What a lookup finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved<'c> {
    /// An engine that is compiled in.
    Builtin(&'c Builtin),
    /// A registered entry.
    External(&'c Arc<PluginEntry>),
}

impl Resolved<'_> {
    /// The version as mounts show it in `running_plugin_version`: empty for an unversioned entry.
    #[must_use]
    pub fn version_text(&self) -> &str {
        match self {
            Resolved::Builtin(builtin) => builtin.version.as_str(),
            Resolved::External(entry) => entry.version_text(),
        }
    }
}

/// What `GET sys/plugins/catalog/:type/:name` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read<'c> {
    /// What was found.
    pub found: Resolved<'c>,
    /// Set when the caller gave no version and got the only one there is.
    pub warning: Option<String>,
}

/// One row of `detailed` (plugin-lifecycle §2.2). Fields that are `None` or empty are left out of
/// the answer, except `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail<'c> {
    /// The type.
    pub plugin_type: PluginType,
    /// The name.
    pub name: &'c str,
    /// The version, empty for an unversioned entry.
    pub version: &'c str,
    /// Whether it is compiled in.
    pub builtin: bool,
    /// The digest of an external.
    pub sha256: Option<Sha256>,
    /// The image of an external, or empty.
    pub oci_image: &'c str,
    /// The runtime of an external, or empty.
    pub runtime: &'c str,
    /// The status of a built-in.
    pub deprecation_status: Option<DeprecationStatus>,
}

/// All entries, pins and built-ins at one moment. Cheap to clone relative to what a write costs;
/// readers share one behind an `Arc`.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    builtins: Arc<BTreeMap<(PluginType, String), Builtin>>,
    has_directory: bool,
    entries: BTreeMap<EntryId, Arc<PluginEntry>>,
    pins: BTreeMap<(PluginType, String), PluginVersion>,
    runtimes: BTreeMap<String, Runtime>,
}

impl Catalog {
    /// A catalog without entries and pins.
    ///
    /// `has_directory` says whether a plugin directory is configured: without one, entries that
    /// need a file are invisible to lookups, though not to listings (plugin-lifecycle §2.7).
    pub fn new(builtins: impl IntoIterator<Item = Builtin>, has_directory: bool) -> Self {
        let key = |b: Builtin| ((b.plugin_type, b.name.clone()), b);
        Self {
            builtins: Arc::new(builtins.into_iter().map(key).collect()),
            has_directory,
            ..Self::default()
        }
    }

    /// The catalog with all of these besides what it has: one copy of it, however many they are. A
    /// later one replaces an earlier one of the same id.
    #[must_use]
    pub fn with_all(
        &self,
        entries: impl IntoIterator<Item = PluginEntry>,
        pins: impl IntoIterator<Item = Pin>,
        runtimes: impl IntoIterator<Item = Runtime>,
    ) -> Self {
        let mut next = self.clone();
        next.entries.extend(
            entries
                .into_iter()
                .map(|entry| (EntryId::of(&entry), Arc::new(entry))),
        );
        next.pins.extend(
            pins.into_iter()
                .map(|pin| ((pin.plugin_type, pin.name), pin.version)),
        );
        let runtimes = runtimes.into_iter();
        next.runtimes
            .extend(runtimes.map(|runtime| (runtime.name.clone(), runtime)));
        next
    }

    /// The catalog after a registration. Replaces the entry of the same id.
    #[must_use]
    pub fn with_entry(&self, entry: PluginEntry) -> Self {
        let mut next = self.clone();
        next.entries.insert(EntryId::of(&entry), Arc::new(entry));
        next
    }

    /// The catalog after a deregistration.
    #[must_use]
    pub fn without_entry(&self, id: &EntryId) -> Self {
        let mut next = self.clone();
        next.entries.remove(id);
        next
    }

    /// The catalog after a pin was set. Replaces the pin of the same type and name.
    #[must_use]
    pub fn with_pin(&self, pin: Pin) -> Self {
        let mut next = self.clone();
        next.pins.insert((pin.plugin_type, pin.name), pin.version);
        next
    }

    /// The catalog after a pin was removed.
    #[must_use]
    pub fn without_pin(&self, plugin_type: PluginType, name: &str) -> Self {
        let mut next = self.clone();
        next.pins.remove(&(plugin_type, name.to_owned()));
        next
    }

    /// The catalog after a runtime was registered. Replaces the one of the same name.
    #[must_use]
    pub fn with_runtime(&self, runtime: Runtime) -> Self {
        self.with_all([], [], [runtime])
    }

    /// The catalog after a runtime was removed.
    #[must_use]
    pub fn without_runtime(&self, name: &str) -> Self {
        let mut next = self.clone();
        next.runtimes.remove(name);
        next
    }

    /// The runtime of this name.
    #[must_use]
    pub fn runtime(&self, name: &str) -> Option<&Runtime> {
        self.runtimes.get(name)
    }

    /// All runtimes, by name.
    pub fn runtimes(&self) -> impl Iterator<Item = &Runtime> {
        self.runtimes.values()
    }

    /// The entry registered under exactly this id, visible or not.
    #[must_use]
    pub fn entry(&self, id: &EntryId) -> Option<&Arc<PluginEntry>> {
        self.entries.get(id)
    }

    /// All entries in listing order.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<PluginEntry>> {
        self.entries.values()
    }

    /// The built-in of this type and name.
    #[must_use]
    pub fn builtin(&self, plugin_type: PluginType, name: &str) -> Option<&Builtin> {
        self.builtins.get(&(plugin_type, name.to_owned()))
    }

    /// The version that (type, name) is pinned to.
    #[must_use]
    pub fn pin(&self, plugin_type: PluginType, name: &str) -> Option<&PluginVersion> {
        self.pins.get(&(plugin_type, name.to_owned()))
    }

    /// All pins, by type and then by name.
    pub fn pins(&self) -> impl Iterator<Item = Pin> + '_ {
        self.pins.iter().map(|((plugin_type, name), version)| Pin {
            plugin_type: *plugin_type,
            name: name.clone(),
            version: version.clone(),
        })
    }

    /// The entry of exactly this version, or the built-in (plugin-lifecycle §2.7).
    #[must_use]
    pub fn lookup(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: Option<&PluginVersion>,
    ) -> Option<Resolved<'_>> {
        let unversioned = self.visible(plugin_type, name, None);
        let Some(version) = version else {
            let builtin = || self.builtin(plugin_type, name).map(Resolved::Builtin);
            return unversioned.map(Resolved::External).or_else(builtin);
        };
        if let Some(entry) = self.visible(plugin_type, name, Some(version)) {
            return Some(Resolved::External(entry));
        }
        let builtin = self.builtin(plugin_type, name)?;
        (builtin.version == *version && unversioned.is_none()).then_some(Resolved::Builtin(builtin))
    }

    /// What a read of the catalog answers, `version` as the caller wrote it; `Ok(None)` is the
    /// empty 404 (plugin-lifecycle §2.4).
    ///
    /// # Errors
    /// No name, a bad version, or no version where there are several.
    pub fn read(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: &str,
    ) -> Result<Option<Read<'_>>, Error> {
        if name.is_empty() {
            return Err(Error::MissingName);
        }
        let version = parse_version(version)?;
        if let Some(found) = self.lookup(plugin_type, name, version.as_ref()) {
            return Ok(Some(Read {
                found,
                warning: None,
            }));
        }
        if version.is_some() {
            return Ok(None);
        }
        let mut versioned = self.versioned(plugin_type, name);
        match (versioned.next(), versioned.next()) {
            (None, _) => Ok(None),
            (Some(only), None) => Ok(Some(Read {
                found: Resolved::External(only),
                warning: Some(warnings::only_version(&EntryId::of(only))),
            })),
            (Some(_), Some(_)) => Err(Error::SeveralVersions {
                name: name.to_owned(),
                versions: self
                    .versioned(plugin_type, name)
                    .filter_map(|e| e.version.clone())
                    .collect(),
            }),
        }
    }

    /// The names of a type, sorted, each once. Names with only versioned entries are among them
    /// (plugin-lifecycle §2.2).
    #[must_use]
    pub fn names(&self, plugin_type: PluginType) -> Vec<&str> {
        let builtins = self.builtins.values();
        let builtins = builtins.filter(|b| b.plugin_type == plugin_type);
        let entries = self.entries.values();
        let entries = entries.filter(|e| e.plugin_type == plugin_type);
        let names: BTreeSet<&str> = builtins
            .map(|b| b.name.as_str())
            .chain(entries.map(|e| e.name.as_str()))
            .collect();
        names.into_iter().collect()
    }

    /// The rows of `detailed`: by type, name and version precedence (plugin-lifecycle §2.2).
    #[must_use]
    pub fn detailed(&self) -> Vec<Detail<'_>> {
        let hidden = |b: &&Builtin| {
            let id = EntryId {
                plugin_type: b.plugin_type,
                name: b.name.clone(),
                version: None,
            };
            !self.entries.contains_key(&id)
        };
        let builtins = self.builtins.values().filter(hidden).map(|b| {
            let row = Detail {
                plugin_type: b.plugin_type,
                name: &b.name,
                version: b.version.as_str(),
                builtin: true,
                sha256: None,
                oci_image: "",
                runtime: "",
                deprecation_status: b.deprecation,
            };
            (Some(&b.version), row)
        });
        let entries = self.entries.values().map(|e| {
            let row = Detail {
                plugin_type: e.plugin_type,
                name: &e.name,
                version: e.version_text(),
                builtin: false,
                sha256: Some(e.sha256),
                oci_image: &e.oci_image,
                runtime: &e.runtime,
                deprecation_status: None,
            };
            (e.version.as_ref(), row)
        });
        let mut rows: Vec<_> = builtins.chain(entries).collect();
        rows.sort_by(|(a_version, a), (b_version, b)| {
            let a = (a.plugin_type, a.name, a_version);
            a.cmp(&(b.plugin_type, b.name, b_version))
        });
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The versioned entries of a name that lookups can see, lowest version first.
    pub(crate) fn versioned(
        &self,
        plugin_type: PluginType,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = &Arc<PluginEntry>> {
        let first = EntryId {
            plugin_type,
            name: name.to_owned(),
            version: None,
        };
        // A `BTreeMap` has no "up to the end of this name"; the first longer name is the smallest
        // string that sorts after it.
        let last = EntryId {
            name: format!("{name}\0"),
            ..first.clone()
        };
        let range = self.entries.range(first..last);
        range
            .map(|(_, entry)| entry)
            .filter(|e| e.version.is_some() && self.can_see(e))
    }

    fn visible(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: Option<&PluginVersion>,
    ) -> Option<&Arc<PluginEntry>> {
        let id = EntryId {
            plugin_type,
            name: name.to_owned(),
            version: version.cloned(),
        };
        self.entries.get(&id).filter(|e| self.can_see(e))
    }

    fn can_see(&self, entry: &PluginEntry) -> bool {
        self.has_directory || !entry.oci_image.is_empty()
    }
}

/// A version as the catalog's endpoints take it: strict, and empty for none.
pub(crate) fn parse_version(text: &str) -> Result<Option<PluginVersion>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    Ok(Some(text.parse::<PluginVersion>()?))
}
