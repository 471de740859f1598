//! The notes that accompany a success. Each is a sentence for an operator; where Vault has the
//! text, it is Vault's.

use crate::EntryId;
use linchpin_model::{PluginVersion, Sha256};

/// How many mounts a text names before it only counts the rest.
const NAMED: usize = 20;

/// `a/, b/ and 3 more`.
#[must_use]
pub fn list(mounts: &[String]) -> String {
    let named: Vec<&str> = mounts.iter().take(NAMED).map(String::as_str).collect();
    match mounts.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// A read without a version found the only one there is (plugin-lifecycle §2.4).
#[must_use]
pub fn only_version(id: &EntryId) -> String {
    format!("no version was given; this is {id}, the only one registered")
}

/// A delete without a version removed the only one there was (terraform.md §4).
#[must_use]
pub fn only_version_removed(id: &EntryId) -> String {
    format!("no version was given; {id}, the only one registered, was removed")
}

/// A delete removed nothing although its name has entries (plugin-lifecycle §11 item 13). `versions`
/// are theirs, an empty one for the unversioned entry.
#[must_use]
pub fn nothing_removed(id: &EntryId, versions: &[&str]) -> String {
    let what = match &id.version {
        Some(_) => format!("{id} is not registered"),
        None => format!("there is no {id} without a version"),
    };
    let versions: Vec<String> = versions.iter().map(|version| in_words(version)).collect();
    format!(
        "nothing was removed: {what}; name one in the query parameter version (-version on the command line). Available versions: {}",
        versions.join(", ")
    )
}

/// A runtime at an entry that runs no container (plugin-lifecycle §6).
#[must_use]
pub fn runtime_unused(runtime: &str) -> String {
    format!(
        "runtime {runtime:?} has no effect: it is for container plugins, and this entry has no oci_image"
    )
}

/// An entry in use was overwritten (plugin-lifecycle §2.5 f). `changed` says whether the new entry
/// differs from the old one at all.
#[must_use]
pub fn overwritten_in_use(id: &EntryId, mounts: &[String], changed: bool) -> String {
    let mounts = list(mounts);
    if changed {
        format!(
            "{id} was overwritten and is in use by {mounts}: they run what was registered before until they are reloaded"
        )
    } else {
        format!("{id} was already registered like this and is in use by {mounts}: nothing changed")
    }
}

/// A pinned entry was overwritten (plugin-lifecycle §2.5 f).
#[must_use]
pub fn overwritten_pinned(id: &EntryId, changed: bool) -> String {
    if changed {
        format!(
            "{id} was overwritten and is pinned: whatever is started or reloaded from now on runs the new entry"
        )
    } else {
        format!("{id} was already registered like this and is pinned: nothing changed")
    }
}

/// The file does not have the digest that was registered (plugin-lifecycle §2.5 b).
#[must_use]
pub fn digest_differs(command: &str, registered: &Sha256, actual: &Sha256) -> String {
    format!(
        "file {command:?} has the SHA-256 {actual}, not the registered {registered}: it will not be started until they are equal: put the right file there, or register it again with its own digest"
    )
}

/// The file could not be run once to learn its version (plugin-lifecycle §2.5 c). It is registered
/// all the same, as Vault does.
#[must_use]
pub fn not_run(command: &str, reason: &str) -> String {
    format!(
        "file {command:?} was registered without having been run, so its version was not asked: {reason}"
    )
}

/// The file of a registered entry cannot be read (plugin-lifecycle §4.4).
#[must_use]
pub fn file_unreadable(id: &EntryId, path: &str, reason: &str) -> String {
    format!("{id} cannot be started at the moment: file {path:?}: {reason}")
}

/// An entry in use was deregistered (plugin-lifecycle §2.6).
#[must_use]
pub fn deregistered_in_use(id: &EntryId, mounts: &[String]) -> String {
    let mounts = list(mounts);
    format!(
        "{id} is in use by {mounts}: they keep running it, but cannot be reloaded until they are given another version (tune plugin_version, or set a pin)"
    )
}

/// A mount was tuned to a version and runs another (plugin-lifecycle §4.4).
#[must_use]
pub fn tuned_not_reloaded(mount: &str, stored: &str, running: &str) -> String {
    format!(
        "{mount} is now configured to run {} and still runs {}: reload it to make the change effective (sys/plugins/reload/backend with mounts={mount})",
        in_words(stored),
        in_words(running)
    )
}

/// A pin was set and these mounts still run another version (plugin-lifecycle §11 item 9), each
/// with the version that it runs.
#[must_use]
pub fn pinned_not_reloaded(id: &EntryId, mounts: &[(String, String)]) -> String {
    let with_version =
        |(mount, running): &(String, String)| format!("{mount} ({})", in_words(running));
    let mounts: Vec<String> = mounts.iter().map(with_version).collect();
    format!(
        "{id} is pinned, and these mounts run another version until they are reloaded (sys/plugins/reload/{}/{}): {}",
        id.plugin_type,
        id.name,
        list(&mounts)
    )
}

/// What the read of a mount says when it runs another version than it stores; `None` when they
/// agree or none is stored (plugin-lifecycle §4.6).
#[must_use]
pub fn running_differs(
    stored: Option<&PluginVersion>,
    running: &str,
    pin: Option<&PluginVersion>,
) -> Option<String> {
    let stored = stored.filter(|version| version.as_str() != running)?;
    let why = if pin.is_some_and(|pinned| pinned.as_str() == running) {
        "because that version is pinned"
    } else {
        "either due to a pinned version or because the plugin was upgraded and not yet reloaded"
    };
    Some(format!(
        "Plugin version is configured as \"{stored}\", but running \"{running}\" {why}"
    ))
}

/// What the read of a mount's tuning says when a pin overrides the stored version (plugin-lifecycle
/// §4.6); also when none is stored.
#[must_use]
pub fn pin_overrides(
    stored: Option<&PluginVersion>,
    pin: Option<&PluginVersion>,
) -> Option<String> {
    let pinned = pin.filter(|pinned| stored != Some(*pinned))?;
    let stored = stored.map_or("", PluginVersion::as_str);
    Some(format!(
        "plugin_version is configured as {stored} but a version pin for {pinned} is in effect"
    ))
}

/// The typeless read, which answers nothing else (plugin-lifecycle §2.4).
#[must_use]
pub fn typeless_read(name: &str) -> String {
    format!("Deprecated API endpoint, cannot read plugin information from catalog for {name:?}")
}

/// The typeless delete, which does nothing (plugin-lifecycle §2.6).
#[must_use]
pub fn typeless_delete(name: &str) -> String {
    format!("Deprecated API endpoint, cannot deregister plugin from catalog for {name:?}")
}

fn in_words(version: &str) -> String {
    if version.is_empty() {
        "no version".to_owned()
    } else {
        version.to_owned()
    }
}
