//! Runtimes of container plugins (plugin-lifecycle §6), below [`crate::keys::RUNTIME_CATALOG`].

use crate::Error;
use crate::json::{Fields, ObjectWriter, Record, Unknown};

/// The number that is stored for the one type there is, `container`.
const CONTAINER: u64 = 1;

/// A runtime as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeRecord {
    /// The name.
    pub name: String,
    /// The OCI runtime; empty = `runsc`.
    pub oci_runtime: String,
    /// The parent of the container's cgroup, or empty.
    pub cgroup_parent: String,
    /// Limit of CPU in billionths of a core; 0 = none.
    pub cpu: i64,
    /// Limit of memory in bytes; 0 = none.
    pub memory: i64,
    /// Whether the container engine runs without privileges; left out when false.
    pub rootless: bool,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Record for RuntimeRecord {
    const NAME: &'static str = "plugin runtime";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        // A number or a word, as in the plugin catalog; of another type it is no runtime that is known here.
        let is_container =
            |text: &str| (text == "1" || text == "\"container\"").then_some(CONTAINER);
        fields.take_with("type", is_container)?;
        Ok(Self {
            name: fields.take_or_default("name")?,
            oci_runtime: fields.take_or_default("oci_runtime")?,
            cgroup_parent: fields.take_or_default("cgroup_parent")?,
            cpu: fields.take_or_default("cpu")?,
            memory: fields.take_or_default("memory")?,
            rootless: fields.take_or_default("rootless")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("name", &self.name);
        object.field("type", &CONTAINER);
        object.field("oci_runtime", &self.oci_runtime);
        object.field("cgroup_parent", &self.cgroup_parent);
        object.field("cpu", &self.cpu);
        object.field("memory", &self.memory);
        object.field_if_set("rootless", &self.rootless);
        object.rest(&self.unknown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_what_it_does_not_know() {
        let text = r#"{"name":"sandbox","type":1,"oci_runtime":"runc","cgroup_parent":"/p","cpu":5,"memory":-1,"rootless":true,"later":[1.50]}"#;
        let record = RuntimeRecord::decode(text.as_bytes()).unwrap();
        assert_eq!((record.cpu, record.memory, record.rootless), (5, -1, true));
        assert_eq!(String::from_utf8(record.encode()).unwrap(), text);
    }

    #[test]
    fn the_type_is_a_number_or_a_word_and_no_other() {
        let read = |kind: &str| {
            RuntimeRecord::decode(format!(r#"{{"name":"n","type":{kind}}}"#).as_bytes())
        };
        let written = read("\"container\"").unwrap().encode();
        let expected =
            r#"{"name":"n","type":1,"oci_runtime":"","cgroup_parent":"","cpu":0,"memory":0}"#;
        assert_eq!(String::from_utf8(written).unwrap(), expected);
        assert!(read("2").is_err());
        assert!(read("\"vm\"").is_err());
    }
}
