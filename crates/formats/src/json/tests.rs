//! What is unknown survives, names match as Go matches them, and errors quote nothing.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    list: Vec<String>,
    unknown: Unknown,
}

impl Record for Sample {
    const NAME: &'static str = "sample";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            name: fields.require("name")?,
            list: fields.take_or_default("list")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("name", &self.name);
        object.field_if_set("list", &self.list);
        object.rest(&self.unknown);
    }
}

fn rewritten(json: &str) -> String {
    String::from_utf8(Sample::decode(json.as_bytes()).unwrap().encode()).unwrap()
}

#[test]
fn unknown_fields_keep_their_text_and_order() {
    assert_eq!(
        rewritten(
            r#"{"z": {"b":1,"a":2}, "name":"n", "big": 123456789012345678901234567890.50 , "a":null}"#
        ),
        r#"{"name":"n","z":{"b":1,"a":2},"big":123456789012345678901234567890.50,"a":null}"#
    );
}

#[test]
fn a_name_with_escapes_or_quotes_survives() {
    assert_eq!(
        rewritten(r#"{"name":"n","\u0061\"\n":1}"#),
        r#"{"name":"n","a\"\n":1}"#
    );
}

#[test]
fn known_names_match_in_any_case_and_the_last_wins() {
    let sample = Sample::decode(br#"{"NAME":"first","Name":"last","list":null}"#).unwrap();
    assert_eq!(sample.name, "last");
    assert!(sample.list.is_empty() && sample.unknown.is_empty());
}

#[test]
fn trailing_white_space_is_ignored_and_more_is_not() {
    assert!(Sample::decode(b"{\"name\":\"n\"}\n").is_ok());
    assert!(Sample::decode(b"{\"name\":\"n\"}x").is_err());
    assert!(Sample::decode(b"[]").is_err());
    assert!(Sample::decode(b"").is_err());
}

#[test]
fn errors_name_the_place_and_quote_no_value() {
    let error = Sample::decode(br#"{"name":"n","list":"hunter2"}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field list of the sample has an unexpected value"
    );
    let error = Sample::decode(br#"{"name":"n","list":hunter2}"#).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let error = Sample::decode(b"{}").unwrap_err();
    assert_eq!(error.to_string(), "field name of the sample is missing");
}

#[test]
fn debug_shows_names_only() {
    let sample = Sample::decode(br#"{"name":"n","token":"hunter2"}"#).unwrap();
    assert_eq!(format!("{:?}", sample.unknown), r#"["token"]"#);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn decode_then_encode_is_the_identity_on_values(
        name in ".{0,12}",
        list in proptest::collection::vec(".{0,6}", 1..4),
        unknown in proptest::collection::btree_map("x.{0,6}", any_value(), 0..5),
    ) {
        let mut object: serde_json::Map<String, Value> = unknown.into_iter().collect();
        object.insert("name".to_owned(), name.into());
        object.insert("list".to_owned(), list.into());
        let given = Value::Object(object);
        let record = Sample::decode(given.to_string().as_bytes()).unwrap();
        let encoded = record.encode();
        prop_assert_eq!(serde_json::from_slice::<Value>(&encoded).unwrap(), given);
        prop_assert_eq!(Sample::decode(&encoded).unwrap(), record);
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in any::<Vec<u8>>()) {
        let _ = Sample::decode(&bytes);
    }
}
