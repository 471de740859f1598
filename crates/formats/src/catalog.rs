//! Plugin catalog entries and pins (storage-format §8).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use linchpin_model::{Execution, PluginEntry, PluginType, PluginVersion, Sha256};

use crate::Error;
use crate::json::{Fields, ObjectWriter, Record, Unknown};

/// The `type` of a stored catalog entry or pin: read as a number or a word, written as a number, because OpenBao
/// cannot read the word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredType {
    /// One of the types that are served here.
    Known(PluginType),
    /// A number that is not known here (OpenBao: 4 is kms). Kept, shown, not used.
    Number(u64),
    /// A word that is not known here. Kept as it is, for want of a number.
    Word(String),
}

impl StoredType {
    /// The type, if it is served here.
    #[must_use]
    pub fn known(&self) -> Option<PluginType> {
        match self {
            Self::Known(plugin_type) => Some(*plugin_type),
            Self::Number(_) | Self::Word(_) => None,
        }
    }

    fn from_json(text: &str) -> Option<Self> {
        if text.starts_with('"') {
            let word: String = serde_json::from_str(text).ok()?;
            let known = word.parse().map(Self::Known);
            return Some(known.unwrap_or(Self::Word(word)));
        }
        let number = text.parse().ok()?;
        Some(PluginType::from_number(number).map_or(Self::Number(number), Self::Known))
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        match self {
            Self::Known(plugin_type) => object.field("type", &plugin_type.number()),
            Self::Number(number) => object.field("type", number),
            Self::Word(word) => object.field("type", word),
        }
    }
}

/// One entry of the plugin catalog as it is stored. `Debug` does not show the environment, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginRecord {
    /// The registered name.
    pub name: String,
    /// The plugin's type.
    pub plugin_type: StoredType,
    /// With `v`; empty for an unversioned entry.
    pub version: String,
    /// Relative to the plugin directory.
    pub command: String,
    /// Arguments of the process.
    pub args: Vec<String>,
    /// `KEY=value` for the process.
    pub env: Vec<String>,
    /// The digest of the artefact, 32 bytes.
    pub sha256: Vec<u8>,
    /// Whether it names a built-in.
    pub builtin: bool,
    /// OpenBao: an OCI image.
    pub oci: bool,
    /// OpenBao: from the configuration file.
    pub declarative: bool,
    /// Vault: the image of a container plugin; left out when empty.
    pub oci_image: String,
    /// Vault: the container runtime; left out when empty.
    pub runtime: String,
    /// Linchpin: two generations may run beside each other; left out when false.
    pub overlap: bool,
    /// Linchpin: `sealed`, `descriptor` or `path`; left out when empty.
    pub execution: String,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl fmt::Debug for PluginRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRecord")
            .field("name", &self.name)
            .field("plugin_type", &self.plugin_type)
            .field("version", &self.version)
            .field("command", &self.command)
            .field("env", &format_args!("{} variables", self.env.len()))
            .finish_non_exhaustive()
    }
}

impl Record for PluginRecord {
    const NAME: &'static str = "catalog entry";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            name: fields.take_or_default("name")?,
            plugin_type: fields
                .take_with("type", StoredType::from_json)?
                .unwrap_or(StoredType::Number(0)),
            version: fields.take_or_default("version")?,
            command: fields.take_or_default("command")?,
            args: fields.take_or_default("args")?,
            env: fields.take_or_default("env")?,
            sha256: fields
                .take_with("sha256", base64_bytes)?
                .unwrap_or_default(),
            builtin: fields.take_or_default("builtin")?,
            oci: fields.take_or_default("oci")?,
            declarative: fields.take_or_default("declarative")?,
            oci_image: fields.take_or_default("oci_image")?,
            runtime: fields.take_or_default("runtime")?,
            // Absent means true: only an entry that was registered with `false` has the key.
            overlap: fields.take("overlap")?.unwrap_or(true),
            execution: fields.take_or_default("execution")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("name", &self.name);
        self.plugin_type.write(object);
        object.field("version", &self.version);
        object.field("command", &self.command);
        object.field("args", &self.args);
        object.field("env", &self.env);
        object.field("sha256", &STANDARD.encode(&self.sha256));
        object.field("builtin", &self.builtin);
        object.field("oci", &self.oci);
        object.field("declarative", &self.declarative);
        object.field_if_set("oci_image", &self.oci_image);
        object.field_if_set("runtime", &self.runtime);
        if !self.overlap {
            object.field("overlap", &self.overlap);
        }
        object.field_if_set("execution", &self.execution);
        object.rest(&self.unknown);
    }
}

impl PluginRecord {
    /// The record of a catalog entry that is registered anew. To change an existing record, decode it and set its
    /// fields, so that what is unknown stays.
    #[must_use]
    pub fn from_entry(entry: &PluginEntry) -> Self {
        Self {
            name: entry.name.clone(),
            plugin_type: StoredType::Known(entry.plugin_type),
            version: entry.version_text().to_owned(),
            command: entry.command.clone(),
            args: entry.args.clone(),
            env: entry.env.clone(),
            sha256: entry.sha256.0.to_vec(),
            builtin: false,
            oci: false,
            declarative: false,
            oci_image: entry.oci_image.clone(),
            runtime: entry.runtime.clone(),
            overlap: entry.overlap,
            execution: entry.execution.map_or("", execution_word).to_owned(),
            unknown: Unknown::default(),
        }
    }

    /// The entry that the record describes.
    ///
    /// # Errors
    /// [`Error::Field`], naming the field that holds what is not understood here: the entry is then kept, shown, and
    /// not used.
    pub fn to_entry(&self) -> Result<PluginEntry, Error> {
        let refuse = |field| Error::Field {
            record: Self::NAME,
            field,
        };
        let version = match self.version.as_str() {
            "" => None,
            text => Some(text.parse().map_err(|_| refuse("version"))?),
        };
        let execution = match self.execution.as_str() {
            "" => None,
            word => Some(word.parse().map_err(|_| refuse("execution"))?),
        };
        let digest = self.sha256.as_slice().try_into();
        Ok(PluginEntry {
            plugin_type: self.plugin_type.known().ok_or(refuse("type"))?,
            name: self.name.clone(),
            version,
            command: self.command.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            sha256: Sha256(digest.map_err(|_| refuse("sha256"))?),
            oci_image: self.oci_image.clone(),
            runtime: self.runtime.clone(),
            overlap: self.overlap,
            execution,
        })
    }
}

/// Names the version of a plugin that must run. Written with exactly three keys and a numeric type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The plugin's name.
    pub name: String,
    /// The plugin's type.
    pub plugin_type: StoredType,
    /// The version in canonical form.
    pub version: String,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Pin {
    /// Pins `name` of `plugin_type` to `version`.
    #[must_use]
    pub fn new(plugin_type: PluginType, name: &str, version: &PluginVersion) -> Self {
        Self {
            name: name.to_owned(),
            plugin_type: StoredType::Known(plugin_type),
            version: version.as_str().to_owned(),
            unknown: Unknown::default(),
        }
    }

    /// The pinned version, if the record is a pin of the plugin that its key names. Anything else is no pin: it is
    /// kept and reported.
    #[must_use]
    pub fn version_for(&self, plugin_type: PluginType, name: &str) -> Option<PluginVersion> {
        let is_this = self.name == name && self.plugin_type.known() == Some(plugin_type);
        is_this.then(|| self.version.parse().ok()).flatten()
    }
}

impl Record for Pin {
    const NAME: &'static str = "pin";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            name: fields.take_or_default("name")?,
            plugin_type: fields
                .take_with("type", StoredType::from_json)?
                .unwrap_or(StoredType::Number(0)),
            version: fields.take_or_default("version")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("name", &self.name);
        self.plugin_type.write(object);
        object.field("version", &self.version);
        object.rest(&self.unknown);
    }
}

fn execution_word(execution: Execution) -> &'static str {
    match execution {
        Execution::Sealed => "sealed",
        Execution::Descriptor => "descriptor",
        Execution::Path => "path",
    }
}

fn base64_bytes(json: &str) -> Option<Vec<u8>> {
    let text: String = serde_json::from_str(json).ok()?;
    STANDARD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> PluginEntry {
        PluginEntry {
            plugin_type: PluginType::Secret,
            name: "myplug".into(),
            version: Some("v1.2.3".parse().unwrap()),
            command: "myplug".into(),
            args: vec!["--a".into()],
            env: vec!["TOKEN=hunter2".into()],
            sha256: Sha256([7; 32]),
            oci_image: String::new(),
            runtime: String::new(),
            overlap: true,
            execution: None,
        }
    }

    #[test]
    fn an_entry_becomes_a_record_and_an_entry_again() {
        let plain = entry();
        let special = PluginEntry {
            plugin_type: PluginType::Database,
            version: None,
            oci_image: "image".into(),
            runtime: "runsc".into(),
            overlap: false,
            execution: Some(Execution::Descriptor),
            ..entry()
        };
        for entry in [plain, special] {
            let record = PluginRecord::from_entry(&entry);
            let read = PluginRecord::decode(&record.encode()).unwrap();
            assert_eq!(read, record);
            assert_eq!(read.to_entry().unwrap(), entry);
        }
    }

    #[test]
    fn a_record_has_ten_keys_and_our_own_only_when_set() {
        let written = |entry: &PluginEntry| {
            String::from_utf8(PluginRecord::from_entry(entry).encode()).unwrap()
        };
        let ten = r#"{"name":"myplug","type":3,"version":"v1.2.3","command":"myplug","args":["--a"],"env":["TOKEN=hunter2"],"sha256":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=","builtin":false,"oci":false,"declarative":false"#;
        assert_eq!(written(&entry()), format!("{ten}}}"));
        let ours = PluginEntry {
            overlap: false,
            execution: Some(Execution::Path),
            ..entry()
        };
        assert_eq!(
            written(&ours),
            format!(r#"{ten},"overlap":false,"execution":"path"}}"#)
        );
    }

    #[test]
    fn the_type_is_read_in_both_forms_and_written_as_a_number() {
        let check = |given: &str, known: Option<PluginType>, written: &str| {
            let json = format!(r#"{{"name":"n","type":{given},"version":"v1.0.0"}}"#);
            let pin = Pin::decode(json.as_bytes()).unwrap();
            assert_eq!(pin.plugin_type.known(), known, "{given}");
            let expected = format!(r#"{{"name":"n","type":{written},"version":"v1.0.0"}}"#);
            assert_eq!(String::from_utf8(pin.encode()).unwrap(), expected);
        };
        check("3", Some(PluginType::Secret), "3");
        check(r#""secret""#, Some(PluginType::Secret), "3");
        check(r#""auth""#, Some(PluginType::Auth), "1");
        check(r#""database""#, Some(PluginType::Database), "2");
        check("4", None, "4");
        check(r#""kms""#, None, r#""kms""#);
        assert!(Pin::decode(br#"{"name":"n","type":true}"#).is_err());
        assert!(Pin::decode(br#"{"name":"n","type":-1}"#).is_err());
    }

    #[test]
    fn a_pin_counts_only_for_the_plugin_of_its_key() {
        let version: PluginVersion = "v1.2.3".parse().unwrap();
        let pin = Pin::new(PluginType::Secret, "myplug", &version);
        assert_eq!(
            String::from_utf8(pin.encode()).unwrap(),
            r#"{"name":"myplug","type":3,"version":"v1.2.3"}"#
        );
        assert_eq!(
            pin.version_for(PluginType::Secret, "myplug"),
            Some(version.clone())
        );
        assert_eq!(pin.version_for(PluginType::Auth, "myplug"), None);
        assert_eq!(pin.version_for(PluginType::Secret, "other"), None);
        let empty = Pin {
            version: String::new(),
            ..pin
        };
        assert_eq!(empty.version_for(PluginType::Secret, "myplug"), None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let record = PluginRecord::from_entry(&entry());
        let check = |record: PluginRecord, field| {
            let error = record.to_entry().unwrap_err();
            assert!(matches!(error, Error::Field { field: found, .. } if found == field));
        };
        check(
            PluginRecord {
                plugin_type: StoredType::Number(4),
                ..record.clone()
            },
            "type",
        );
        check(
            PluginRecord {
                version: "one".into(),
                ..record.clone()
            },
            "version",
        );
        check(
            PluginRecord {
                sha256: vec![1; 31],
                ..record.clone()
            },
            "sha256",
        );
        check(
            PluginRecord {
                execution: "magic".into(),
                ..record
            },
            "execution",
        );
    }

    #[test]
    fn debug_shows_no_environment() {
        let shown = format!("{:?}", PluginRecord::from_entry(&entry()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
