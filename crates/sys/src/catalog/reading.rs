//! One entry of the catalog as a read shows it (plugin-lifecycle §2.4). `env` is never shown: it may
//! hold secrets.

use linchpin_catalog::Resolved;
use linchpin_model::{DeprecationStatus, Execution};
use serde::Serialize;

/// `GET sys/plugins/catalog/:type/:name`.
#[derive(Serialize)]
pub(super) struct Shown<'c> {
    /// `null` for a built-in.
    args: Option<&'c [String]>,
    builtin: bool,
    command: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deprecation_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    execution: Option<Execution>,
    name: &'c str,
    #[serde(skip_serializing_if = "str::is_empty")]
    oci_image: &'c str,
    /// Only when it is not what it is by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    overlap: Option<bool>,
    #[serde(skip_serializing_if = "str::is_empty")]
    runtime: &'c str,
    sha256: String,
    version: &'c str,
}

impl<'c> Shown<'c> {
    /// A built-in, or an entry as it was registered.
    pub(super) fn of(found: Resolved<'c>) -> Self {
        match found {
            Resolved::Builtin(builtin) => Self {
                args: None,
                builtin: true,
                command: "",
                deprecation_status: builtin.deprecation.map(DeprecationStatus::as_str),
                execution: None,
                name: &builtin.name,
                oci_image: "",
                overlap: None,
                runtime: "",
                sha256: String::new(),
                version: builtin.version.as_str(),
            },
            Resolved::External(entry) => Self {
                args: Some(&entry.args),
                builtin: false,
                command: &entry.command,
                deprecation_status: None,
                execution: entry.execution,
                name: &entry.name,
                oci_image: &entry.oci_image,
                overlap: (!entry.overlap).then_some(false),
                runtime: &entry.runtime,
                sha256: entry.sha256.to_string(),
                version: entry.version_text(),
            },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use linchpin_catalog::Builtin;
    use linchpin_model::{BUILTIN_VERSION, PluginEntry, PluginType, Sha256};
    use serde_json::json;
    use std::sync::Arc;

    pub(in crate::catalog) fn builtin() -> Builtin {
        Builtin {
            plugin_type: PluginType::Secret,
            name: "kv".into(),
            version: BUILTIN_VERSION.parse().unwrap(),
            deprecation: Some(DeprecationStatus::Supported),
        }
    }

    pub(in crate::catalog) fn external(name: &str, version: Option<&str>) -> PluginEntry {
        PluginEntry {
            plugin_type: PluginType::Secret,
            name: name.into(),
            version: version.map(|v| v.parse().unwrap()),
            command: "file".into(),
            args: vec!["--flag=1".into()],
            env: vec!["A=hidden".into()],
            sha256: Sha256([0; 32]),
            oci_image: String::new(),
            runtime: String::new(),
            overlap: true,
            execution: None,
        }
    }

    fn shown(found: Resolved<'_>) -> serde_json::Value {
        serde_json::to_value(Shown::of(found)).unwrap()
    }

    #[test]
    fn a_builtin_has_no_command_and_an_external_no_env() {
        assert_eq!(
            shown(Resolved::Builtin(&builtin())),
            json!({"name": "kv", "version": BUILTIN_VERSION, "command": "", "args": null, "sha256": "",
                   "builtin": true, "deprecation_status": "supported"})
        );
        assert_eq!(
            shown(Resolved::External(&Arc::new(external("tp", Some("1.0"))))),
            json!({"name": "tp", "version": "v1.0.0", "command": "file", "args": ["--flag=1"],
                   "sha256": "0".repeat(64), "builtin": false})
        );
    }

    #[test]
    fn what_was_set_is_shown() {
        let entry = PluginEntry {
            overlap: false,
            execution: Some(Execution::Path),
            oci_image: "image".into(),
            runtime: "box".into(),
            args: Vec::new(),
            ..external("tp", None)
        };
        let entry = shown(Resolved::External(&Arc::new(entry)));
        assert_eq!(entry["overlap"], false);
        assert_eq!(entry["execution"], "path");
        assert_eq!(entry["oci_image"], "image");
        assert_eq!(entry["runtime"], "box");
        assert_eq!(entry["args"], json!([]));
        assert_eq!(entry["version"], "");
    }
}
