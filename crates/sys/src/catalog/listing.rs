//! The catalog as a list: names by type, and every version with its digest (plugin-lifecycle §2.2).

use linchpin_catalog::{Catalog, Detail};
use linchpin_model::{DeprecationStatus, PluginType};
use serde::Serialize;

use crate::mount_entry::hex;

/// `GET sys/plugins/catalog`. A type without names is left out.
#[derive(Serialize)]
pub(super) struct Listing<'c> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    auth: Vec<&'c str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    database: Vec<&'c str>,
    detailed: Vec<Row<'c>>,
    /// Only for a list: the types that have names, as folders.
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret: Vec<&'c str>,
}

/// `LIST sys/plugins/catalog/:type`.
#[derive(Serialize)]
pub(super) struct Keys<'c> {
    pub(super) keys: Vec<&'c str>,
}

#[derive(Serialize)]
struct Row<'c> {
    builtin: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecation_status: Option<&'static str>,
    name: &'c str,
    #[serde(skip_serializing_if = "str::is_empty")]
    oci_image: &'c str,
    #[serde(skip_serializing_if = "str::is_empty")]
    runtime: &'c str,
    #[serde(skip_serializing_if = "String::is_empty")]
    sha256: String,
    r#type: &'static str,
    version: &'c str,
}

impl<'c> Listing<'c> {
    /// The list of a catalog.
    pub(super) fn of(catalog: &'c Catalog) -> Self {
        Self {
            auth: catalog.names(PluginType::Auth),
            database: catalog.names(PluginType::Database),
            detailed: catalog.detailed().into_iter().map(Row::from).collect(),
            keys: None,
            secret: catalog.names(PluginType::Secret),
        }
    }

    /// The same as a list, whose clients look for `keys`.
    pub(super) fn with_keys(self) -> Self {
        let folders = [
            ("auth/", &self.auth),
            ("database/", &self.database),
            ("secret/", &self.secret),
        ];
        let full = folders.iter().filter(|(_, names)| !names.is_empty());
        let keys = Some(full.map(|(folder, _)| *folder).collect());
        Self { keys, ..self }
    }
}

impl<'c> From<Detail<'c>> for Row<'c> {
    fn from(detail: Detail<'c>) -> Self {
        Self {
            builtin: detail.builtin,
            deprecation_status: detail.deprecation_status.map(DeprecationStatus::as_str),
            name: detail.name,
            oci_image: detail.oci_image,
            runtime: detail.runtime,
            sha256: hex(detail.sha256.as_ref()),
            r#type: detail.plugin_type.as_str(),
            version: detail.version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::reading::tests::{builtin, external};
    use serde_json::json;

    #[test]
    fn names_go_by_type_and_versions_in_order() {
        let catalog = Catalog::new([builtin()], true)
            .with_entry(external("tp", Some("v1.1.0")))
            .with_entry(external("tp", Some("v1.0.0")))
            .with_entry(external("plain", None));
        let listed = serde_json::to_value(Listing::of(&catalog)).unwrap();
        let zeros = "0".repeat(64);
        assert_eq!(
            listed,
            json!({
                "secret": ["kv", "plain", "tp"],
                "detailed": [
                    {"type": "secret", "name": "kv", "version": "v1.21.0+builtin.linchpin", "builtin": true,
                     "deprecation_status": "supported"},
                    {"type": "secret", "name": "plain", "version": "", "builtin": false, "sha256": zeros},
                    {"type": "secret", "name": "tp", "version": "v1.0.0", "builtin": false, "sha256": zeros},
                    {"type": "secret", "name": "tp", "version": "v1.1.0", "builtin": false, "sha256": zeros},
                ],
            })
        );
        let as_list = serde_json::to_value(Listing::of(&catalog).with_keys()).unwrap();
        assert_eq!(as_list["keys"], json!(["secret/"]));
        assert_eq!(as_list["detailed"], listed["detailed"]);
    }
}
