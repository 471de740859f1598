//! The catalog's records in the barrier (storage-format §8, plugin-lifecycle §2.9).
//!
//! A plugin's record says itself which plugin it is; its key does not count, since names may contain
//! `/` and older servers stored elsewhere. So it is remembered where each entry was found. A pin
//! counts only under the key of its plugin.

use crate::store::Store;
use crate::view::Change;
use linchpin_catalog::{Catalog, EntryId, Pin};
use linchpin_engine::StorageError;
use linchpin_formats::keys::{CatalogKey, PLUGIN_CATALOG};
use linchpin_formats::{PluginRecord, Record};
use linchpin_model::PluginEntry;
use std::collections::{BTreeMap, BTreeSet};

/// Under which keys each entry is stored: the one of its id, unless another server wrote it.
pub(super) type Places = BTreeMap<EntryId, BTreeSet<String>>;

/// What is stored.
pub(super) struct Stored {
    pub(super) catalog: Catalog,
    pub(super) places: Places,
}

/// One record.
enum Content {
    Entry(PluginEntry),
    Pin(Pin),
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

/// Everything below the catalog's prefix, onto a catalog without entries.
pub(super) async fn load(store: &Store, empty: &Catalog) -> Result<Stored, StorageError> {
    let mut keys = store.keys_below(PLUGIN_CATALOG).await?;
    keys.sort_unstable();
    let mut stored = Stored {
        catalog: empty.clone(),
        places: Places::new(),
    };
    for key in keys {
        match content(store, &key).await? {
            Some(Content::Entry(entry)) => stored.add(key, entry),
            Some(Content::Pin(pin)) => stored.catalog = stored.catalog.with_pin(pin),
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
    Ok(stored)
}

impl Stored {
    fn add(&mut self, key: String, entry: PluginEntry) {
        let id = EntryId::of(&entry);
        let keys = self.places.entry(id.clone()).or_default();
        let is_first = keys.is_empty();
        if !is_first {
            tracing::warn!(key, plugin = %id, "this plugin is stored more than once");
        }
        // The record under the id's own key is the one that is written to.
        if is_first || key == key_of(&id) {
            self.catalog = self.catalog.with_entry(entry);
        }
        keys.insert(key);
    }
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

/// The write of an entry under its key.
///
/// Every field that a registration has takes what this one says, also the default of an absent one
/// (plugin-lifecycle §2.5 f). What other products keep in the record is none of them: nobody told us
/// to drop it, and we cannot know what it is worth to them (storage-format §§0, 8).
pub(super) async fn put(
    store: &Store,
    key: &str,
    entry: &PluginEntry,
) -> Result<(String, Change), StorageError> {
    let before = match store.get(key).await {
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
