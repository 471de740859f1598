//! What a new mount must be like (core-api §2.8, plugin-lifecycle §4.3): checked before anything is
//! started or written.

use super::{NewMount, with_slash};
use crate::Core;
use crate::mount::full_path;
use crate::settings::Settings;
use linchpin_crypto::random;
use linchpin_engine::Error;
use linchpin_formats::{MountConfig, MountEntry};
use linchpin_model::{MountPath, PluginType};
use std::time::Duration;

/// Paths at which, and below which, nothing can be mounted.
const PROTECTED: [&str; 5] = ["sys/", "auth/", "cubbyhole/", "identity/", "audit/"];
/// Types that are always there, once.
const FIXED: [&str; 4] = ["cubbyhole", "identity", "system", "token"];

/// Checks everything that needs neither the catalog nor a plugin; the record to store.
pub(super) fn record_of(new: NewMount, settings: &Settings) -> Result<MountEntry, Error> {
    let plugin_type = new.plugin_type.unwrap_or(PluginType::Secret);
    let path = with_slash(&new.path);
    let is_auth = plugin_type == PluginType::Auth;
    if path == "/" {
        return Err(Error::refused("missing path"));
    }
    let mut mount_type = new.mount_type;
    if mount_type.is_empty() {
        return Err(Error::refused("backend type must be specified as a string"));
    }
    if mount_type == "plugin" {
        if new.plugin_name.is_empty() {
            return Err(Error::refused(
                "plugin_name must be provided for plugin backend",
            ));
        }
        mount_type = new.plugin_name;
    }
    let mut options = new.options;
    let alias = match (is_auth, mount_type.as_str()) {
        (false, "kv-v1" | "generic") => Some("1"),
        (false, "kv-v2") => Some("2"),
        _ => None,
    };
    if let Some(version) = alias {
        let options = options.get_or_insert_default();
        options.insert("version".to_owned(), version.to_owned());
        mount_type = "kv".to_owned();
    }
    if is_auth && mount_type == "token" {
        return Err(Error::refused(
            "token credential backend cannot be instantiated",
        ));
    }
    if FIXED.contains(&mount_type.as_str()) {
        return Err(Error::refused(format!(
            "mount type of {mount_type:?} is not mountable"
        )));
    }
    if !is_auth && PROTECTED.iter().any(|p| path.starts_with(p)) {
        return Err(Error::refused(format!("cannot mount {path:?}")));
    }
    if !is_auth && mount_type != "kv" && options.as_ref().is_some_and(|o| o.contains_key("version"))
    {
        return Err(Error::refused(format!(
            "secrets engine {mount_type:?} does not allow setting a version"
        )));
    }
    check_config(&new.config, settings)?;
    let (table, accessor) = if is_auth {
        ("auth", format!("auth_{mount_type}_{}", suffix()))
    } else {
        ("mounts", format!("{mount_type}_{}", suffix()))
    };
    Ok(MountEntry {
        table: table.to_owned(),
        path,
        mount_type,
        description: new.description,
        uuid: random::uuid(),
        backend_aware_uuid: random::uuid(),
        accessor,
        config: new.config,
        options,
        local: new.local,
        seal_wrap: new.seal_wrap,
        external_entropy_access: new.external_entropy_access,
        namespace_id: "root".to_owned(),
        ..MountEntry::default()
    })
}

fn check_config(config: &MountConfig, settings: &Settings) -> Result<(), Error> {
    let (default, max) = (config.default_lease_ttl, config.max_lease_ttl);
    if !max.is_zero() && default > max {
        return Err(Error::refused(
            "given default lease TTL greater than given max lease TTL",
        ));
    }
    if max.is_zero() && default > settings.max_lease_ttl {
        return Err(Error::refused(format!(
            "given default lease TTL greater than system max lease TTL of {}",
            settings.max_lease_ttl.as_secs()
        )));
    }
    check_visibility(&config.listing_visibility)
}

/// `hidden`, `unauth` or nothing.
pub(super) fn check_visibility(word: &str) -> Result<(), Error> {
    match word {
        "" | "hidden" | "unauth" => Ok(()),
        other => Err(Error::refused(format!(
            "invalid listing_visibility {other}"
        ))),
    }
}

/// Whether the two TTLs of a tuned mount fit together.
pub(super) fn check_ttls(default: Duration, max: Duration) -> Result<(), Error> {
    if !max.is_zero() && default > max {
        return Err(Error::refused(format!(
            "backend max lease TTL of {} would be less than backend default lease TTL of {}",
            max.as_secs(),
            default.as_secs()
        )));
    }
    Ok(())
}

/// Eight hexadecimal digits, as accessors end with.
pub(crate) fn suffix() -> String {
    hex_of(random::bytes::<4>())
}

fn hex_of(bytes: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(bytes))
}

/// A path that is taken until its mount is there, or is not to be.
pub(super) struct Reservation<'c> {
    core: &'c Core,
    path: String,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.core.mounts.reserved.lock().remove(&self.path);
    }
}

impl Core {
    /// Takes the path of a record, unless a mount is at, above or below it.
    ///
    /// # Errors
    /// The path in the way, with or without its mount.
    pub(super) fn reserve(&self, record: &MountEntry) -> Result<Reservation<'_>, String> {
        let path = full_path(record);
        let mut reserved = self.mounts.reserved.lock();
        let node = self.node.load();
        let mounts = node.mounts();
        let points = mounts.iter().map(|mount| mount.facts().point.to_string());
        let mut taken = points.chain(reserved.iter().cloned());
        let own = MountPath::new(&path);
        let is_in_the_way = |other: &String| {
            let other = MountPath::new(other);
            own.as_ref()
                .zip(other.as_ref())
                .is_some_and(|(own, other)| own.overlaps(other))
        };
        if let Some(in_the_way) = taken.find(is_in_the_way) {
            return Err(in_the_way);
        }
        reserved.insert(path.clone());
        Ok(Reservation { core: self, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(edit: impl FnOnce(&mut NewMount)) -> String {
        let mut new = NewMount {
            path: "m".into(),
            mount_type: "tp".into(),
            ..NewMount::default()
        };
        edit(&mut new);
        record_of(new, &Settings::default())
            .map(|_| String::new())
            .unwrap_or_else(|e| e.to_string())
    }

    #[test]
    fn mistakes_are_refused_in_the_words_of_the_specification() {
        let check = |edit: fn(&mut NewMount), text: &str| assert_eq!(refusal(edit), text);
        check(|_| {}, "");
        check(
            |n| n.mount_type.clear(),
            "backend type must be specified as a string",
        );
        check(
            |n| n.mount_type = "plugin".into(),
            "plugin_name must be provided for plugin backend",
        );
        check(
            |n| n.mount_type = "system".into(),
            "mount type of \"system\" is not mountable",
        );
        for path in ["sys", "sys/x", "auth/x", "audit"] {
            let text = refusal(|n| n.path = path.into());
            assert_eq!(text, format!("cannot mount \"{path}/\""));
        }
        check(
            |n| {
                n.options = Some([("version".into(), "2".into())].into());
            },
            "secrets engine \"tp\" does not allow setting a version",
        );
        check(
            |n| {
                n.config.default_lease_ttl = Duration::from_secs(3);
                n.config.max_lease_ttl = Duration::from_secs(2);
            },
            "given default lease TTL greater than given max lease TTL",
        );
        check(
            |n| n.config.default_lease_ttl = Duration::from_secs(2_764_801),
            "given default lease TTL greater than system max lease TTL of 2764800",
        );
        check(
            |n| n.config.listing_visibility = "zz".into(),
            "invalid listing_visibility zz",
        );
    }

    #[test]
    fn an_alias_brings_its_version_and_nothing_else_adds_options() {
        let options = |mount_type: &str| {
            let new = NewMount {
                path: "m".into(),
                mount_type: mount_type.into(),
                ..NewMount::default()
            };
            let record = record_of(new, &Settings::default()).unwrap();
            (
                record.mount_type,
                record.options.and_then(|o| o.get("version").cloned()),
            )
        };
        assert_eq!(options("kv"), ("kv".into(), None));
        assert_eq!(options("kv-v1"), ("kv".into(), Some("1".into())));
        assert_eq!(options("kv-v2"), ("kv".into(), Some("2".into())));
    }
}
