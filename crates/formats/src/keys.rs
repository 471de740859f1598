//! Where things are stored (storage-format §§2.2, 3.3, 4, 8, 11): the keys of the root namespace.

use linchpin_model::PluginType;

/// The keyring, under the root key.
pub const KEYRING: &str = "core/keyring";
/// The root-key copy that Vault and OpenBao both read; the one that is written here.
pub const ROOT_KEY_COPY: &str = "core/master";
/// The root-key copy that only OpenBao reads, and prefers.
pub const ROOT_KEY_COPY_OPENBAO: &str = "core/root-key";
/// The unseal key, inside the barrier.
pub const SHAMIR_KEK: &str = "core/shamir-kek";
/// The seal's configuration, in the clear.
pub const SEAL_CONFIG: &str = "core/seal-config";
/// The root key under the unseal key, a `BlobInfo` outside the barrier.
pub const STORED_KEYS: &str = "core/hsm/barrier-unseal-keys";
/// The cluster's name and id.
pub const CLUSTER_INFO: &str = "core/cluster/local/info";
/// In whose manner the storage is kept: one word.
pub const FLAVOUR: &str = "core/linchpin/flavour";

/// The table of secrets engines.
pub const MOUNTS: &str = "core/mounts";
/// The table of local secrets engines.
pub const LOCAL_MOUNTS: &str = "core/local-mounts";
/// The table of auth methods.
pub const AUTH: &str = "core/auth";
/// The table of local auth methods.
pub const LOCAL_AUTH: &str = "core/local-auth";
/// The table of audit devices.
pub const AUDIT: &str = "core/audit";
/// The table of local audit devices.
pub const LOCAL_AUDIT: &str = "core/local-audit";

/// Everything below belongs to the plugin catalog.
pub const PLUGIN_CATALOG: &str = "core/plugin-catalog/";
/// Everything below is a runtime of container plugins, under its type.
pub const RUNTIME_CATALOG: &str = "core/plugin-runtime-catalog/";

/// Keys that are written around the barrier: in the clear, under the unseal key or under the root key (§2.2).
pub const OUTSIDE_BARRIER: [&str; 9] = [
    KEYRING,
    SEAL_CONFIG,
    STORED_KEYS,
    "core/recovery-config",
    "core/recovery-key",
    "sys/uiconfig_plaintext",
    "core/lock",
    "core/initialize-lock",
    "core/seal-gen-info",
];

/// Where a secrets engine keeps its data.
#[must_use]
pub fn engine_data(uuid: &str) -> String {
    format!("logical/{uuid}/")
}

/// Where an auth method keeps its data.
#[must_use]
pub fn auth_data(uuid: &str) -> String {
    format!("auth/{uuid}/")
}

/// Where a runtime of container plugins is kept.
#[must_use]
pub fn runtime(name: &str) -> String {
    format!("{RUNTIME_CATALOG}container/{name}")
}

/// What a key below [`PLUGIN_CATALOG`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogKey {
    /// A catalog entry.
    Entry {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The registered name.
        name: String,
        /// With `v`; `None`: unversioned.
        version: Option<String>,
    },
    /// A pin; never a plugin.
    Pin {
        /// The plugin's type.
        plugin_type: PluginType,
        /// The registered name.
        name: String,
    },
}

impl CatalogKey {
    /// The key of a catalog entry.
    #[must_use]
    pub fn entry(plugin_type: PluginType, name: &str, version: Option<&str>) -> Self {
        Self::Entry {
            plugin_type,
            name: name.to_owned(),
            version: version.map(str::to_owned),
        }
    }

    /// The key of a pin.
    #[must_use]
    pub fn pin(plugin_type: PluginType, name: &str) -> Self {
        Self::Pin {
            plugin_type,
            name: name.to_owned(),
        }
    }

    /// The full storage key.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Entry {
                plugin_type,
                name,
                version: None,
            } => format!("{PLUGIN_CATALOG}{plugin_type}/{name}"),
            Self::Entry {
                plugin_type,
                name,
                version: Some(version),
            } => format!("{PLUGIN_CATALOG}{plugin_type}/{name}/{version}"),
            Self::Pin { plugin_type, name } => {
                format!("{PLUGIN_CATALOG}pinned/{plugin_type}/{name}")
            }
        }
    }

    /// What `key` names; `None` when that is nothing known here (an unknown type, an entry from before there were
    /// types): such entries are kept.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        let rest = key.strip_prefix(PLUGIN_CATALOG)?;
        let segments: Vec<&str> = rest.split('/').collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        match segments.as_slice() {
            ["pinned", plugin_type, name] => Some(Self::pin(plugin_type.parse().ok()?, name)),
            ["pinned", ..] => None,
            [plugin_type, name] => Some(Self::entry(plugin_type.parse().ok()?, name, None)),
            [plugin_type, name, version] => {
                Some(Self::entry(plugin_type.parse().ok()?, name, Some(version)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_keys_are_those_of_the_format() {
        let check = |key: CatalogKey, path: &str| {
            assert_eq!(key.path(), path);
            assert_eq!(CatalogKey::parse(path), Some(key));
        };
        check(
            CatalogKey::entry(PluginType::Auth, "myauth", None),
            "core/plugin-catalog/auth/myauth",
        );
        check(
            CatalogKey::entry(PluginType::Secret, "myplug", Some("v1.2.3")),
            "core/plugin-catalog/secret/myplug/v1.2.3",
        );
        check(
            CatalogKey::pin(PluginType::Database, "mydb"),
            "core/plugin-catalog/pinned/database/mydb",
        );
    }

    #[test]
    fn what_is_not_a_catalog_key_is_nothing() {
        for key in [
            "core/plugin-catalog/oldplug",
            "core/plugin-catalog/kms/x/v1",
            "core/plugin-catalog/pinned/secret",
            "core/plugin-catalog/pinned/secret/x/v1",
            "core/plugin-catalog/secret/a/b/c",
            "core/plugin-catalog/secret/",
            "core/mounts",
        ] {
            assert_eq!(CatalogKey::parse(key), None, "{key}");
        }
    }
}
