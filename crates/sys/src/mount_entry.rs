//! How a mount is shown: as stored (plugin-lifecycle §4.6, core-api §2.8) and as tuned, with the
//! values that are in effect.

use linchpin_core::MountStatus;
use linchpin_model::{DeprecationStatus, Sha256};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A mount as `sys/mounts`, `sys/auth` and the paths of the UI show it.
#[derive(Serialize)]
pub(crate) struct Entry<'m> {
    accessor: &'m str,
    config: Config<'m>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecation_status: Option<&'static str>,
    description: &'m str,
    external_entropy_access: bool,
    local: bool,
    /// `null` for the mounts that are always there.
    options: Option<&'m BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'m str>,
    plugin_version: &'m str,
    running_plugin_version: &'m str,
    running_sha256: String,
    seal_wrap: bool,
    r#type: &'m str,
    uuid: &'m str,
}

/// The configuration of a mount: times in seconds; what is empty is shown only when it is set.
#[derive(Serialize)]
struct Config<'m> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed_managed_keys: &'m [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    allowed_response_headers: &'m [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    audit_non_hmac_request_keys: &'m [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    audit_non_hmac_response_keys: &'m [String],
    default_lease_ttl: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    delegated_auth_accessors: &'m [String],
    force_no_cache: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    identity_token_key: &'m str,
    #[serde(skip_serializing_if = "str::is_empty")]
    listing_visibility: &'m str,
    max_lease_ttl: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    passthrough_request_headers: &'m [String],
    /// Of auth methods always, of others never.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
}

/// What is in effect, as `…/tune` shows it.
#[derive(Serialize)]
pub(crate) struct Tuned<'m> {
    #[serde(flatten)]
    config: Config<'m>,
    description: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_entropy_access: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<&'m BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    plugin_version: &'m str,
}

impl<'m> Entry<'m> {
    /// The mount as it is stored, with what runs.
    pub(crate) fn of(mount: &'m MountStatus) -> Self {
        let record = &*mount.record;
        Self {
            accessor: &record.accessor,
            // As stored: zero is the system's.
            config: Config::of(
                mount,
                record.config.default_lease_ttl,
                record.config.max_lease_ttl,
            ),
            deprecation_status: mount.deprecation.map(DeprecationStatus::as_str),
            description: &record.description,
            external_entropy_access: record.external_entropy_access,
            local: record.local,
            options: record.options.as_ref(),
            path: None,
            plugin_version: &record.plugin_version,
            running_plugin_version: &mount.running.version,
            running_sha256: hex(mount.running.sha256.as_ref()),
            seal_wrap: record.seal_wrap,
            r#type: &record.mount_type,
            uuid: &record.uuid,
        }
    }

    /// The same, saying where the mount is below its table.
    pub(crate) fn with_path(mount: &'m MountStatus) -> Self {
        Self {
            path: Some(&mount.record.path),
            ..Self::of(mount)
        }
    }
}

impl<'m> Tuned<'m> {
    /// The mount's configuration in effect.
    pub(crate) fn of(mount: &'m MountStatus) -> Self {
        let record = &*mount.record;
        Self {
            config: Config::of(mount, mount.default_lease_ttl, mount.max_lease_ttl),
            description: &record.description,
            external_entropy_access: record.external_entropy_access.then_some(true),
            options: record.options.as_ref().filter(|o| !o.is_empty()),
            plugin_version: &record.plugin_version,
        }
    }
}

impl<'m> Config<'m> {
    fn of(mount: &'m MountStatus, default_lease_ttl: Duration, max_lease_ttl: Duration) -> Self {
        let config = &mount.record.config;
        Self {
            allowed_managed_keys: &config.allowed_managed_keys,
            allowed_response_headers: &config.allowed_response_headers,
            audit_non_hmac_request_keys: &config.audit_non_hmac_request_keys,
            audit_non_hmac_response_keys: &config.audit_non_hmac_response_keys,
            default_lease_ttl: default_lease_ttl.as_secs(),
            delegated_auth_accessors: &config.delegated_auth_accessors,
            force_no_cache: config.force_no_cache,
            identity_token_key: &config.identity_token_key,
            listing_visibility: &config.listing_visibility,
            max_lease_ttl: max_lease_ttl.as_secs(),
            passthrough_request_headers: &config.passthrough_request_headers,
            token_type: is_auth(mount).then(|| token_type(config.token_type)),
        }
    }
}

/// Whether the mount is an auth method.
pub(crate) fn is_auth(mount: &MountStatus) -> bool {
    mount.record.table == "auth"
}

/// A digest in hexadecimal; empty for none.
pub(crate) fn hex(sha256: Option<&Sha256>) -> String {
    sha256.map_or_else(String::new, Sha256::to_string)
}

/// The word for a stored token type (storage-format §5.2).
fn token_type(number: u64) -> &'static str {
    match number {
        1 => "service",
        2 => "batch",
        4 => "default-batch",
        _ => "default-service",
    }
}

/// The number to store for a word; `None` for another word.
pub(crate) fn token_type_number(word: &str) -> Option<u64> {
    match word {
        "service" => Some(1),
        "batch" => Some(2),
        "" | "default-service" => Some(3),
        "default-batch" => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_core::MountEntry;
    use linchpin_engine::{Health, Running};
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn mount(edit: impl FnOnce(&mut MountEntry)) -> MountStatus {
        let mut record = MountEntry {
            options: Some(BTreeMap::new()),
            table: "mounts".into(),
            path: "m/".into(),
            mount_type: "my-kv".into(),
            uuid: "u".into(),
            accessor: "my-kv_1".into(),
            ..MountEntry::default()
        };
        edit(&mut record);
        MountStatus {
            full_path: record.path.clone(),
            record: Arc::new(record),
            running: Running {
                version: "v1.0.0".into(),
                sha256: Some(Sha256([0; 32])),
                generation: Some(1),
            },
            health: Health::Running,
            deprecation: None,
            is_singleton: false,
            default_lease_ttl: Duration::from_secs(2_764_800),
            max_lease_ttl: Duration::from_secs(2_764_800),
            warning: None,
            tune_warning: None,
        }
    }

    fn entry(mount: &MountStatus) -> Value {
        serde_json::to_value(Entry::of(mount)).unwrap()
    }

    fn tuned(mount: &MountStatus) -> Value {
        serde_json::to_value(Tuned::of(mount)).unwrap()
    }

    #[test]
    fn a_plain_mount_has_the_fields_of_the_specification_and_no_more() {
        assert_eq!(
            entry(&mount(|_| {})),
            json!({
                "accessor": "my-kv_1",
                "config": {"default_lease_ttl": 0, "force_no_cache": false, "max_lease_ttl": 0},
                "description": "", "external_entropy_access": false, "local": false, "options": {},
                "plugin_version": "", "running_plugin_version": "v1.0.0",
                "running_sha256": "0".repeat(64),
                "seal_wrap": false, "type": "my-kv", "uuid": "u",
            })
        );
        assert_eq!(
            tuned(&mount(|_| {})),
            json!({
                "default_lease_ttl": 2_764_800, "description": "", "force_no_cache": false,
                "max_lease_ttl": 2_764_800,
            })
        );
    }

    #[test]
    fn what_is_set_is_shown() {
        let all = mount(|record| {
            record.config.default_lease_ttl = Duration::from_millis(1500);
            record.config.listing_visibility = "unauth".into();
            record.config.audit_non_hmac_request_keys = vec!["a".into()];
            record.options = Some([("version".into(), "1".into())].into());
            record.plugin_version = "v1.1.0".into();
        });
        let config = json!({
            "audit_non_hmac_request_keys": ["a"], "default_lease_ttl": 1, "force_no_cache": false,
            "listing_visibility": "unauth", "max_lease_ttl": 0,
        });
        assert_eq!(entry(&all)["config"], config);
        assert_eq!(entry(&all)["options"], json!({"version": "1"}));
        assert_eq!(entry(&all)["plugin_version"], "v1.1.0");
        assert_eq!(tuned(&all)["plugin_version"], "v1.1.0");
        assert_eq!(tuned(&all)["options"], json!({"version": "1"}));
    }

    #[test]
    fn fixed_mounts_have_no_options_and_auth_methods_a_token_type() {
        let fixed = mount(|record| record.options = None);
        assert_eq!(entry(&fixed)["options"], Value::Null);
        let auth = mount(|record| record.table = "auth".into());
        assert_eq!(entry(&auth)["config"]["token_type"], "default-service");
        assert_eq!(tuned(&auth)["token_type"], "default-service");
        let shown = serde_json::to_value(Entry::with_path(&auth)).unwrap();
        assert_eq!(shown["path"], "m/");
    }

    #[test]
    fn token_types_have_a_word_and_a_number() {
        for word in ["service", "batch", "default-service", "default-batch"] {
            assert_eq!(token_type(token_type_number(word).unwrap()), word);
        }
        assert_eq!(token_type_number("zz"), None);
    }
}
