//! The catalog's records in the barrier (storage-format §8, plugin-lifecycle §2.9).
//!
//! A plugin's record says itself which plugin it is; its key does not count, since names may contain
//! `/` and older servers stored elsewhere. So it is remembered where each entry was found. A pin
//! counts only under the key of its plugin.

use super::runtimes;
use crate::store::Store;
use crate::view::Change;
use linchpin_catalog::{Catalog, EntryId, Pin, Runtime};
use linchpin_engine::StorageError;
use linchpin_formats::keys::{CatalogKey, PLUGIN_CATALOG, RUNTIME_CATALOG};
use linchpin_formats::{PluginRecord, Record, StoredType};
use linchpin_model::PluginEntry;
use std::collections::{BTreeMap, BTreeSet};

/// Under which keys each entry is stored: the one of its id, unless another server wrote it.
pub(super) type Places = BTreeMap<EntryId, BTreeSet<String>>;

/// What is stored.
pub(super) struct Stored {
    pub(super) catalog: Catalog,
    pub(super) places: Places,
    /// The keys of plugins from before there were types, in their order.
    pub(super) untyped: Vec<String>,
}

/// One record.
enum Content {
    Entry(PluginEntry),
    Pin(Pin),
    Runtime(Runtime),
    /// From before there were types: to be upgraded.
    Untyped,
    /// Kept and not used, and why.
    Foreign(String),
}

/// The key that an entry is written under.
pub(super) fn key_of(id: &EntryId) -> String {
    let version = id.version.as_ref().map(|version| version.as_str());
    CatalogKey::entry(id.plugin_type, &id.name, version).path()
}

/// The key of a plugin from before there were types; `None` for a name that never had one.
///
/// A name with a `/` must not get here: below the catalog's prefix, `auth/x` is the entry of another
/// plugin and `pinned/secret/x` is a pin.
pub(super) fn untyped_key(name: &str) -> Option<String> {
    (!name.contains('/')).then(|| format!("{PLUGIN_CATALOG}{name}"))
}

/// Everything below the catalog's prefixes, onto a catalog without entries. One copy of it is made,
/// however many records there are.
pub(super) async fn load(store: &Store, empty: &Catalog) -> Result<Stored, StorageError> {
    let mut keys = store.keys_below(PLUGIN_CATALOG).await?;
    keys.extend(store.keys_below(RUNTIME_CATALOG).await?);
    keys.sort_unstable();
    let (mut entries, mut places) = (BTreeMap::new(), Places::new());
    let (mut pins, mut runtimes, mut untyped) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        match content(store, &key).await? {
            Some(Content::Entry(entry)) => add(&mut entries, &mut places, key, entry),
            Some(Content::Pin(pin)) => pins.push(pin),
            Some(Content::Runtime(runtime)) => runtimes.push(runtime),
            Some(Content::Untyped) => untyped.push(key),
            Some(Content::Foreign(reason)) => {
                tracing::warn!(
                    key,
                    reason,
                    "this record of the plugin catalog is kept, but not used"
                );
            }
            None => {}
        }
    }
    Ok(Stored {
        catalog: empty.with_all(entries.into_values(), pins, runtimes),
        places,
        untyped,
    })
}

fn add(
    entries: &mut BTreeMap<EntryId, PluginEntry>,
    places: &mut Places,
    key: String,
    entry: PluginEntry,
) {
    let id = EntryId::of(&entry);
    let keys = places.entry(id.clone()).or_default();
    let is_first = keys.is_empty();
    if !is_first {
        tracing::warn!(key, plugin = %id, "this plugin is stored more than once");
    }
    // The record under the id's own key is the one that is written to.
    if is_first || key == key_of(&id) {
        entries.insert(id, entry);
    }
    keys.insert(key);
}

async fn content(store: &Store, key: &str) -> Result<Option<Content>, StorageError> {
    match store.get(key).await {
        Ok(Some(found)) => Ok(Some(
            understand(key, &found.value).unwrap_or_else(Content::Foreign),
        )),
        Ok(None) => Ok(None),
        Err(error) if is_damage(&error) => Ok(Some(Content::Foreign(error.to_string()))),
        Err(error) => Err(error),
    }
}

/// What a record is, or why it is nothing that is used here.
fn understand(key: &str, value: &[u8]) -> Result<Content, String> {
    if key.starts_with(RUNTIME_CATALOG) {
        return runtimes::understand(key, value).map(Content::Runtime);
    }
    let is_pin = key
        .strip_prefix(PLUGIN_CATALOG)
        .is_some_and(|rest| rest.starts_with("pinned/"));
    if is_pin {
        let Some(CatalogKey::Pin { plugin_type, name }) = CatalogKey::parse(key) else {
            return Err("its key names no plugin".to_owned());
        };
        let pin = linchpin_formats::Pin::decode(value).map_err(|e| e.to_string())?;
        let version = pin.version_for(plugin_type, &name);
        return Ok(Content::Pin(Pin {
            version: version.ok_or("it is no pin of the plugin that its key names")?,
            plugin_type,
            name,
        }));
    }
    let record = PluginRecord::decode(value).map_err(|e| e.to_string())?;
    if record.name.is_empty() || record.builtin {
        return Err("it names no plugin".to_owned());
    }
    let is_untyped = match &record.plugin_type {
        StoredType::Number(number) => *number == 0,
        StoredType::Word(word) => word == "unknown",
        StoredType::Known(_) => false,
    };
    if is_untyped && untyped_key(&record.name).as_deref() == Some(key) {
        return Ok(Content::Untyped);
    }
    if record.plugin_type.known().is_none() {
        return Err("its type is not known here: register it again under its type".to_owned());
    }
    Ok(Content::Entry(
        record.to_entry().map_err(|e| e.to_string())?,
    ))
}

/// Whether this one record is damaged, rather than the store out of reach.
fn is_damage(error: &StorageError) -> bool {
    use linchpin_barrier::Error;
    let StorageError::Failed {
        source: Some(source),
        ..
    } = error
    else {
        return false;
    };
    matches!(
        source.downcast_ref::<Error>(),
        Some(
            Error::Tampered { .. }
                | Error::UnknownTerm { .. }
                | Error::NotARecord { .. }
                | Error::Format { .. }
        )
    )
}

/// The write of an entry under its key. `before` is the key of the record that it replaces.
///
/// Every field that a registration has takes what this one says, also the default of an absent one
/// (plugin-lifecycle §2.5 f). What other products keep in the record is none of them: nobody told us
/// to drop it, and we cannot know what it is worth to them (storage-format §§0, 8).
pub(super) async fn put(
    store: &Store,
    key: &str,
    before: &str,
    entry: &PluginEntry,
) -> Result<(String, Change), StorageError> {
    let before = match store.get(before).await {
        Ok(found) => found.and_then(|found| PluginRecord::decode(&found.value).ok()),
        Err(error) if is_damage(&error) => None,
        Err(error) => return Err(error),
    };
    let mut record = PluginRecord::from_entry(entry);
    if let Some(before) = before {
        record.oci = before.oci;
        record.declarative = before.declarative;
        record.unknown = before.unknown;
    }
    Ok((key.to_owned(), Change::Put(record.encode().into())))
}
