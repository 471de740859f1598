//! The fields of a call as a struct of the engine's own, by `serde`.
//!
//! The values are converted already, as their [`super::FieldType`] says, so a struct gets the type that it declares: a `Duration` field
//! becomes a [`std::time::Duration`] or its whole seconds, a list a `Vec`, an object whatever it is decoded into.

use super::Fields;
use super::field::Value;
use crate::Error;
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

impl Fields {
    /// All fields as one value: `#[derive(Deserialize)]` on a struct with a member for each field. A field that was not sent and sent as
    /// `null` is absent: give its member `Option` or `#[serde(default)]`.
    ///
    /// # Errors
    /// plain(400) `Field validation failed: …` when a member is missing or has another type than its field.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let members = self
            .values()
            .map(|(name, value)| (name, FieldValue { name, value }));
        T::deserialize(MapDeserializer::<_, serde_json::Error>::new(members))
            .map_err(|error| Error::refused(format!("Field validation failed: {error}")))
    }
}

struct FieldValue<'de> {
    name: &'static str,
    value: &'de Value,
}

impl<'de> IntoDeserializer<'de, serde_json::Error> for FieldValue<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The error of one field names it.
fn at<T>(name: &str, outcome: Result<T, serde_json::Error>) -> Result<T, serde_json::Error> {
    use serde::de::Error as _;
    outcome.map_err(|error| serde_json::Error::custom(format!("field {name:?}: {error}")))
}

impl<'de> Deserializer<'de> for FieldValue<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let outcome = match self.value {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(list) => {
                visitor.visit_seq(SeqDeserializer::new(list.iter().map(String::as_str)))
            }
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Duration(value) => visitor.visit_u64(value.as_secs()),
            Value::Pairs(pairs) => {
                let pairs = pairs
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str()));
                visitor.visit_map(MapDeserializer::new(pairs))
            }
            Value::Object(object) => {
                serde_json::Deserializer::from_str(object.as_str()).deserialize_any(visitor)
            }
        };
        at(self.name, outcome)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let outcome = match self.value {
            Value::Text(text) => {
                let word: StrDeserializer<'_, serde_json::Error> =
                    text.as_str().into_deserializer();
                word.deserialize_enum(name, variants, visitor)
            }
            Value::Object(object) => serde_json::Deserializer::from_str(object.as_str())
                .deserialize_enum(name, variants, visitor),
            _ => return self.deserialize_any(visitor),
        };
        at(self.name, outcome)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let outcome = match self.value {
            // The shape in which serde reads a `Duration`.
            Value::Duration(time) if name == "Duration" => {
                let parts = [
                    ("secs", time.as_secs()),
                    ("nanos", u64::from(time.subsec_nanos())),
                ];
                visitor.visit_map(MapDeserializer::new(parts.into_iter()))
            }
            Value::Object(object) => serde_json::Deserializer::from_str(object.as_str())
                .deserialize_struct(name, fields, visitor),
            _ => return self.deserialize_any(visitor),
        };
        at(self.name, outcome)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::{Field, FieldType};
    use linchpin_model::JsonObject;
    use serde::Deserialize;
    use std::collections::BTreeMap;
    use std::time::Duration;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Role {
        name: String,
        ttl: Duration,
        max_ttl: u64,
        #[serde(default)]
        count: u8,
        policies: Vec<String>,
        on: Option<bool>,
        mode: Mode,
        tags: BTreeMap<String, String>,
        more: Option<More>,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Slow,
    }

    #[derive(Deserialize, Debug, PartialEq)]
    struct More {
        deep: Vec<u8>,
    }

    fn decode(data: &str) -> Result<Role, Error> {
        let declared = [
            ("name", FieldType::String),
            ("ttl", FieldType::Duration),
            ("max_ttl", FieldType::Duration),
            ("count", FieldType::Int),
            ("policies", FieldType::CommaStrings),
            ("on", FieldType::Bool),
            ("mode", FieldType::String),
            ("tags", FieldType::Pairs),
            ("more", FieldType::Object),
        ];
        let declared = declared.map(|(name, field_type)| Field {
            name,
            field_type,
            description: "",
        });
        let captured = BTreeMap::from([("name".to_owned(), "bob".to_owned())]);
        let data = JsonObject::from_text(data.to_owned()).unwrap();
        Fields::read(&declared, captured, Some(&data))?.decode()
    }

    #[test]
    fn converted_fields_become_a_struct() {
        let data = r#"{"ttl":"1500ms","max_ttl":"1h","policies":"a,b","on":"true","mode":"slow","tags":{"n":1},"more":{"deep":[1,2]}}"#;
        let expected = Role {
            name: "bob".to_owned(),
            ttl: Duration::from_millis(1500),
            max_ttl: 3600,
            count: 0,
            policies: vec!["a".to_owned(), "b".to_owned()],
            on: Some(true),
            mode: Mode::Slow,
            tags: BTreeMap::from([("n".to_owned(), "1".to_owned())]),
            more: Some(More { deep: vec![1, 2] }),
        };
        assert_eq!(decode(data).unwrap(), expected);
    }

    #[test]
    fn what_is_missing_or_of_another_type_is_named() {
        let text = |data| decode(data).unwrap_err().to_string();
        assert!(text("{}").ends_with("missing field `ttl`"));
        let wrong = text(r#"{"count":300}"#);
        assert!(wrong.contains("field \"count\""), "{wrong}");
        let wrong = text(r#"{"mode":"x"}"#);
        assert!(wrong.contains("unknown variant `x`"), "{wrong}");
    }
}
