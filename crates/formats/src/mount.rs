//! Mount entries and the single table that holds them (storage-format §§4.1-4.3).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::json::{Fields, ObjectWriter, Record, Unknown};
use crate::{Error, compression};

/// One mount: a secrets engine, an auth method or an audit device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountEntry {
    /// `mounts`, `auth` or `audit`.
    pub table: String,
    /// With a trailing `/`; relative to `auth/` for an auth method, and to the namespace.
    pub path: String,
    /// The engine's or plugin's name. One that is unknown to the server is kept, shown and not usable.
    pub mount_type: String,
    /// Free text of the operator.
    pub description: String,
    /// Names the mount's data: `logical/<uuid>/`.
    pub uuid: String,
    /// A second UUID, given to the backend at Setup; KV version 2 uses it in its paths. Empty for audit devices.
    pub backend_aware_uuid: String,
    /// `<type>_<8 hex>`, `auth_<type>_<8 hex>` or `audit_<type>_<8 hex>`.
    pub accessor: String,
    /// What `tune` changes.
    pub config: MountConfig,
    /// The engine's options, for example `version`. `None` is stored and shown as `null`, as for the mounts that are
    /// always there; other products tell it from an empty object.
    pub options: Option<BTreeMap<String, String>>,
    /// Not replicated.
    pub local: bool,
    /// Kept for other products.
    pub seal_wrap: bool,
    /// Kept for other products.
    pub external_entropy_access: bool,
    /// Set while the mount is being unmounted or moved.
    pub tainted: bool,
    /// Vault only: `unmounting`.
    pub mount_state: String,
    /// `root` or the namespace's id; empty means root.
    pub namespace_id: String,
    /// The version that was asked for; empty: none, and always for a built-in.
    pub plugin_version: String,
    /// The version that runs.
    pub running_plugin_version: String,
    /// The digest that runs, in hexadecimal; not empty: an external plugin.
    pub running_sha256: String,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Record for MountEntry {
    const NAME: &'static str = "mount entry";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            table: fields.take_or_default("table")?,
            path: fields.take_or_default("path")?,
            mount_type: fields.take_or_default("type")?,
            description: fields.take_or_default("description")?,
            uuid: fields.take_or_default("uuid")?,
            backend_aware_uuid: fields.take_or_default("backend_aware_uuid")?,
            accessor: fields.take_or_default("accessor")?,
            config: fields.take_record("config")?.unwrap_or_default(),
            options: fields.take_or_default("options")?,
            local: fields.take_or_default("local")?,
            seal_wrap: fields.take_or_default("seal_wrap")?,
            external_entropy_access: fields.take_or_default("external_entropy_access")?,
            tainted: fields.take_or_default("tainted")?,
            mount_state: fields.take_or_default("mount_state")?,
            namespace_id: fields.take_or_default("namespace_id")?,
            plugin_version: fields.take_or_default("plugin_version")?,
            running_plugin_version: fields.take_or_default("running_plugin_version")?,
            running_sha256: fields.take_or_default("running_sha256")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("table", &self.table);
        object.field("path", &self.path);
        object.field("type", &self.mount_type);
        object.field("description", &self.description);
        object.field("uuid", &self.uuid);
        object.field("backend_aware_uuid", &self.backend_aware_uuid);
        object.field("accessor", &self.accessor);
        object.record("config", &self.config);
        object.field("options", &self.options);
        object.field("local", &self.local);
        object.field("seal_wrap", &self.seal_wrap);
        object.field_if_set("external_entropy_access", &self.external_entropy_access);
        object.field_if_set("tainted", &self.tainted);
        object.field_if_set("mount_state", &self.mount_state);
        object.field("namespace_id", &self.namespace_id);
        object.field_if_set("plugin_version", &self.plugin_version);
        object.field_if_set("running_plugin_version", &self.running_plugin_version);
        object.field_if_set("running_sha256", &self.running_sha256);
        object.rest(&self.unknown);
    }
}

/// What `tune` changes about a mount. Every field is left out of the record when it is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountConfig {
    /// Zero: the system's.
    pub default_lease_ttl: Duration,
    /// Zero: the system's.
    pub max_lease_ttl: Duration,
    /// Kept for other products.
    pub force_no_cache: bool,
    /// Request keys whose values audit devices write in the clear.
    pub audit_non_hmac_request_keys: Vec<String>,
    /// Response keys whose values audit devices write in the clear.
    pub audit_non_hmac_response_keys: Vec<String>,
    /// `hidden`, `unauth`, or empty.
    pub listing_visibility: String,
    /// Request headers that the backend may see.
    pub passthrough_request_headers: Vec<String>,
    /// Response headers that the backend may set.
    pub allowed_response_headers: Vec<String>,
    /// Vault's: managed keys that the engine may use. Kept for other products.
    pub allowed_managed_keys: Vec<String>,
    /// Vault's: auth methods that the engine may hand a request's login to. Kept for other products.
    pub delegated_auth_accessors: Vec<String>,
    /// Vault's: the key that signs the identity tokens of the engine. Kept for other products.
    pub identity_token_key: String,
    /// The number of a token type (storage-format §5.2).
    pub token_type: u64,
    /// When logins are locked.
    pub user_lockout_config: Option<UserLockoutConfig>,
    /// Old entries: the real name when the mount's type is `plugin`.
    pub plugin_name: String,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Record for MountConfig {
    const NAME: &'static str = "mount configuration";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            default_lease_ttl: take_duration(&mut fields, "default_lease_ttl")?,
            max_lease_ttl: take_duration(&mut fields, "max_lease_ttl")?,
            force_no_cache: fields.take_or_default("force_no_cache")?,
            audit_non_hmac_request_keys: fields.take_or_default("audit_non_hmac_request_keys")?,
            audit_non_hmac_response_keys: fields.take_or_default("audit_non_hmac_response_keys")?,
            listing_visibility: fields.take_or_default("listing_visibility")?,
            passthrough_request_headers: fields.take_or_default("passthrough_request_headers")?,
            allowed_response_headers: fields.take_or_default("allowed_response_headers")?,
            allowed_managed_keys: fields.take_or_default("allowed_managed_keys")?,
            delegated_auth_accessors: fields.take_or_default("delegated_auth_accessors")?,
            identity_token_key: fields.take_or_default("identity_token_key")?,
            token_type: fields.take_or_default("token_type")?,
            user_lockout_config: fields.take_record("user_lockout_config")?,
            plugin_name: fields.take_or_default("plugin_name")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field_if_set("default_lease_ttl", &nanoseconds(self.default_lease_ttl));
        object.field_if_set("max_lease_ttl", &nanoseconds(self.max_lease_ttl));
        object.field_if_set("force_no_cache", &self.force_no_cache);
        object.field_if_set(
            "audit_non_hmac_request_keys",
            &self.audit_non_hmac_request_keys,
        );
        object.field_if_set(
            "audit_non_hmac_response_keys",
            &self.audit_non_hmac_response_keys,
        );
        object.field_if_set("listing_visibility", &self.listing_visibility);
        object.field_if_set(
            "passthrough_request_headers",
            &self.passthrough_request_headers,
        );
        object.field_if_set("allowed_response_headers", &self.allowed_response_headers);
        object.field_if_set("allowed_managed_keys", &self.allowed_managed_keys);
        object.field_if_set("delegated_auth_accessors", &self.delegated_auth_accessors);
        object.field_if_set("identity_token_key", &self.identity_token_key);
        object.field_if_set("token_type", &self.token_type);
        if let Some(config) = &self.user_lockout_config {
            object.record("user_lockout_config", config);
        }
        object.field_if_set("plugin_name", &self.plugin_name);
        object.rest(&self.unknown);
    }
}

/// When an auth mount locks a user out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserLockoutConfig {
    /// Failed logins before the lock.
    pub lockout_threshold: u64,
    /// How long it lasts.
    pub lockout_duration: Duration,
    /// After how long failures are forgotten.
    pub lockout_counter_reset: Duration,
    /// Never locks.
    pub disable_lockout: bool,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Record for UserLockoutConfig {
    const NAME: &'static str = "user lockout configuration";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            lockout_threshold: fields.take_or_default("lockout_threshold")?,
            lockout_duration: take_duration(&mut fields, "lockout_duration")?,
            lockout_counter_reset: take_duration(&mut fields, "lockout_counter_reset")?,
            disable_lockout: fields.take_or_default("disable_lockout")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field_if_set("lockout_threshold", &self.lockout_threshold);
        object.field_if_set("lockout_duration", &nanoseconds(self.lockout_duration));
        object.field_if_set(
            "lockout_counter_reset",
            &nanoseconds(self.lockout_counter_reset),
        );
        object.field_if_set("disable_lockout", &self.disable_lockout);
        object.rest(&self.unknown);
    }
}

/// All mounts of one table in one value, as Vault always stores them and a fresh store does (storage-format §11.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountTable {
    /// `mounts`, `auth` or `audit`.
    pub table: String,
    /// In the order of the stored list.
    pub entries: Vec<MountEntry>,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl MountTable {
    /// The table as it is stored: gzip of the best compression behind its marker.
    #[must_use]
    pub fn encode_compressed(&self) -> Vec<u8> {
        compression::gzip(&self.encode())
    }
}

impl Record for MountTable {
    const NAME: &'static str = "mount table";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            table: fields.take_or_default("type")?,
            entries: fields.take_records("entries")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("type", &self.table);
        object.records("entries", &self.entries);
        object.rest(&self.unknown);
    }
}

/// Go's durations are signed; a negative one means nothing in these records and is read as zero.
fn take_duration(fields: &mut Fields<'_>, name: &'static str) -> Result<Duration, Error> {
    let nanoseconds: i64 = fields.take_or_default(name)?;
    Ok(Duration::from_nanos(
        u64::try_from(nanoseconds).unwrap_or_default(),
    ))
}

/// The longest that Go can hold is 292 years; longer ones are written as that.
fn nanoseconds(duration: Duration) -> impl Serialize + Default + PartialEq {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_written_in_the_order_of_the_reference() {
        let entry = MountEntry {
            table: "mounts".into(),
            path: "kv/".into(),
            mount_type: "kv".into(),
            uuid: "u".into(),
            backend_aware_uuid: "b".into(),
            accessor: "kv_12345678".into(),
            namespace_id: "root".into(),
            options: Some(BTreeMap::new()),
            ..MountEntry::default()
        };
        assert_eq!(
            String::from_utf8(entry.encode()).unwrap(),
            r#"{"table":"mounts","path":"kv/","type":"kv","description":"","uuid":"u","backend_aware_uuid":"b","accessor":"kv_12345678","config":{},"options":{},"local":false,"seal_wrap":false,"namespace_id":"root"}"#
        );
    }

    #[test]
    fn durations_are_nanoseconds_and_empty_fields_are_left_out() {
        let json = br#"{"default_lease_ttl":3600000000000,"max_lease_ttl":-1,"token_type":3,"user_lockout_config":{"lockout_duration":1500000000,"x":1}}"#;
        let config = MountConfig::decode(json).unwrap();
        assert_eq!(config.default_lease_ttl, Duration::from_secs(3600));
        assert_eq!(config.max_lease_ttl, Duration::ZERO);
        assert_eq!(
            String::from_utf8(config.encode()).unwrap(),
            r#"{"default_lease_ttl":3600000000000,"token_type":3,"user_lockout_config":{"lockout_duration":1500000000,"x":1}}"#
        );
        let longest = MountConfig {
            max_lease_ttl: Duration::MAX,
            ..MountConfig::default()
        };
        assert_eq!(
            String::from_utf8(longest.encode()).unwrap(),
            r#"{"max_lease_ttl":9223372036854775807}"#
        );
    }

    #[test]
    fn an_empty_table_has_null_entries_and_both_forms_are_read() {
        let empty = MountTable {
            table: "auth".into(),
            ..MountTable::default()
        };
        assert_eq!(empty.encode(), br#"{"type":"auth","entries":null}"#);
        for json in [
            &b"{\"type\":\"auth\",\"entries\":null}\n"[..],
            b"{\"type\":\"auth\",\"entries\":[]}",
            b"{\"type\":\"auth\"}",
            &empty.encode_compressed(),
        ] {
            assert_eq!(MountTable::decode(json).unwrap(), empty);
        }
        assert_eq!(empty.encode_compressed().first(), Some(&b'G'));
    }
}
