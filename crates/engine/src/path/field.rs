//! Typed fields and the coercions of the API (plugin-lifecycle §0.4, core-api §1.5).

use crate::Error;
use linchpin_model::{JsonObject, duration};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A string; numbers and booleans are converted.
    String,
    /// A list of strings; a bare string is a list of one. No comma splitting.
    Strings,
    /// A list of strings, or one string with commas.
    CommaStrings,
    /// A boolean, or its text.
    Bool,
    /// A 64-bit integer, or its text.
    Int,
    /// A duration: seconds, or Go's form.
    Duration,
    /// An object whose values are strings.
    Pairs,
    /// An object of any shape.
    Object,
}

impl FieldType {
    /// The word of help texts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Strings | Self::CommaStrings => "[]string",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Duration => "duration (sec)",
            Self::Pairs => "keypair",
            Self::Object => "map",
        }
    }

    /// The type in OpenAPI.
    #[must_use]
    pub fn openapi(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Strings | Self::CommaStrings => "array",
            Self::Bool => "boolean",
            Self::Int | Self::Duration => "integer",
            Self::Pairs | Self::Object => "object",
        }
    }
}

/// A field of a path.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub field_type: FieldType,
    /// One or two sentences for help and OpenAPI.
    pub description: &'static str,
}

/// The fields of one call, converted and checked.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    values: BTreeMap<&'static str, Value>,
    /// Fields that were sent as `null`: like absent ones, but for endpoints that tell the two apart.
    nulls: Vec<&'static str>,
    /// What the endpoint does not declare, sorted.
    pub(crate) unrecognized: Vec<String>,
    /// What both the path captured and the body set, sorted.
    pub(crate) replaced: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    List(Vec<String>),
    Bool(bool),
    Int(i64),
    Duration(Duration),
    Pairs(BTreeMap<String, String>),
    Object(JsonObject),
}

impl Fields {
    /// Every field that has a value.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.values.iter().map(|(name, value)| (*name, value))
    }

    /// Whether a field was sent as `null`, which otherwise counts as absent.
    #[must_use]
    pub fn is_null(&self, name: &str) -> bool {
        self.nulls.contains(&name)
    }

    /// Converts what the path captured and what the caller sent.
    ///
    /// # Errors
    /// plain(400) `Field validation failed: …` for the first field that does not convert.
    pub(crate) fn read(
        declared: &[Field],
        captured: BTreeMap<String, String>,
        data: Option<&JsonObject>,
    ) -> Result<Self, Error> {
        let mut fields = Self::default();
        let mut sent = data.map(JsonObject::members).unwrap_or_default();
        for field in declared {
            if let Some(text) = captured.get(field.name) {
                fields.values.insert(field.name, Value::Text(text.clone()));
                if sent.remove(field.name).is_some() {
                    fields.replaced.push(field.name.to_owned());
                }
                continue;
            }
            let Some(raw) = sent.remove(field.name) else {
                continue;
            };
            if raw.get() == "null" {
                fields.nulls.push(field.name);
                continue;
            }
            let value = convert(field.field_type, &raw).map_err(|why| {
                Error::refused(format!(
                    "Field validation failed: error converting input for field {:?}: {why}",
                    field.name
                ))
            })?;
            fields.values.insert(field.name, value);
        }
        fields.unrecognized = sent.into_keys().collect();
        Ok(fields)
    }

    /// Whether the caller gave the field.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A string field; empty when absent.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.optional_text(name).unwrap_or_default()
    }

    /// A string field.
    #[must_use]
    pub fn optional_text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A list field; empty when absent.
    #[must_use]
    pub fn list(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Value::List(list)) => list,
            _ => &[],
        }
    }

    /// A boolean field.
    #[must_use]
    pub fn optional_bool(&self, name: &str) -> Option<bool> {
        match self.values.get(name) {
            Some(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// A boolean field; false when absent.
    #[must_use]
    pub fn bool(&self, name: &str) -> bool {
        self.optional_bool(name).unwrap_or_default()
    }

    /// An integer field.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.values.get(name) {
            Some(Value::Int(value)) => Some(*value),
            _ => None,
        }
    }

    /// A duration field.
    #[must_use]
    pub fn duration(&self, name: &str) -> Option<Duration> {
        match self.values.get(name) {
            Some(Value::Duration(value)) => Some(*value),
            _ => None,
        }
    }

    /// A field of string pairs.
    #[must_use]
    pub fn pairs(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        match self.values.get(name) {
            Some(Value::Pairs(value)) => Some(value),
            _ => None,
        }
    }

    /// An object field.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&JsonObject> {
        match self.values.get(name) {
            Some(Value::Object(value)) => Some(value),
            _ => None,
        }
    }

    /// The warnings that an answer with a body carries (core-api §1.4).
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        if !self.unrecognized.is_empty() {
            out.push(format!(
                "Endpoint ignored these unrecognized parameters: [{}]",
                self.unrecognized.join(" ")
            ));
        }
        if !self.replaced.is_empty() {
            out.push(format!(
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{}]",
                self.replaced.join(" ")
            ));
        }
        out
    }
}

fn convert(field_type: FieldType, raw: &RawValue) -> Result<Value, String> {
    match field_type {
        FieldType::String => scalar(raw).map(Value::Text),
        FieldType::Strings => strings(raw, false).map(Value::List),
        FieldType::CommaStrings => strings(raw, true).map(Value::List),
        FieldType::Bool => boolean(raw).map(Value::Bool),
        FieldType::Int => integer(&scalar(raw)?).map(Value::Int),
        FieldType::Duration => duration_of(raw).map(Value::Duration),
        FieldType::Pairs => pairs(raw).map(Value::Pairs),
        FieldType::Object => JsonObject::from_text(raw.get().to_owned())
            .map(Value::Object)
            .map_err(|e| e.to_string()),
    }
}

/// A string, number or boolean as text.
fn scalar(raw: &RawValue) -> Result<String, String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str(text).map_err(|e| e.to_string()),
        Some(b't') => Ok("1".to_owned()),
        Some(b'f') => Ok("0".to_owned()),
        Some(b'n') => Ok(String::new()),
        Some(b'{') => Err(
            "expected type 'string', got unconvertible type 'map[string]interface {}'".to_owned(),
        ),
        Some(b'[') => {
            Err("expected type 'string', got unconvertible type '[]interface {}'".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

fn strings(raw: &RawValue, split_commas: bool) -> Result<Vec<String>, String> {
    if raw.get().starts_with('[') {
        let items: Vec<Box<RawValue>> =
            serde_json::from_str(raw.get()).map_err(|e| e.to_string())?;
        return items.iter().map(|item| scalar(item)).collect();
    }
    let text = scalar(raw)?;
    if !split_commas {
        return Ok(vec![text]);
    }
    Ok(text
        .split(',')
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect())
}

fn boolean(raw: &RawValue) -> Result<bool, String> {
    let text = match raw.get() {
        "true" => return Ok(true),
        "false" => return Ok(false),
        _ => scalar(raw)?,
    };
    match text.as_str() {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!(
            "'' cannot parse value as 'bool': strconv.ParseBool: parsing {text:?}: invalid syntax"
        )),
    }
}

fn integer(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        format!(
            "'' cannot parse value as 'int': strconv.ParseInt: parsing {text:?}: invalid syntax"
        )
    })
}

fn duration_of(raw: &RawValue) -> Result<Duration, String> {
    let text = scalar(raw)?;
    if text.is_empty() {
        return Ok(Duration::ZERO);
    }
    duration::parse(&text).map_err(|e| e.to_string())
}

fn pairs(raw: &RawValue) -> Result<BTreeMap<String, String>, String> {
    if !raw.get().starts_with('{') {
        return Err("expected a map of strings".to_owned());
    }
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(raw.get()).map_err(|e| e.to_string())?;
    members
        .into_iter()
        .map(|(key, value)| Ok((key, scalar(&value)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field_type: FieldType, json: &str) -> Result<Fields, Error> {
        let declared = [Field {
            name: "f",
            field_type,
            description: "",
        }];
        let data = JsonObject::from_text(format!("{{\"f\":{json}}}")).unwrap();
        Fields::read(&declared, BTreeMap::new(), Some(&data))
    }

    #[test]
    fn values_are_converted_weakly() {
        assert_eq!(read(FieldType::String, "12").unwrap().text("f"), "12");
        assert_eq!(read(FieldType::Int, "\"7\"").unwrap().int("f"), Some(7));
        assert!(read(FieldType::Bool, "\"true\"").unwrap().bool("f"));
        assert_eq!(
            read(FieldType::Duration, "\"1m\"").unwrap().duration("f"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            read(FieldType::Strings, "\"a,b\"").unwrap().list("f"),
            ["a,b"]
        );
        assert_eq!(
            read(FieldType::CommaStrings, "\"a, b\"").unwrap().list("f"),
            ["a", "b"]
        );
        assert_eq!(
            read(FieldType::CommaStrings, "[\"a,b\"]")
                .unwrap()
                .list("f"),
            ["a,b"]
        );
        assert!(
            read(FieldType::CommaStrings, "\"\"")
                .unwrap()
                .list("f")
                .is_empty()
        );
        assert!(!read(FieldType::String, "null").unwrap().has("f"));
    }

    #[test]
    fn what_does_not_convert_names_its_field() {
        let error = read(FieldType::Int, "\"x\"").unwrap_err();
        assert!(
            error.messages()[0]
                .starts_with("Field validation failed: error converting input for field \"f\": ")
        );
        assert!(read(FieldType::String, "{}").is_err());
        assert!(read(FieldType::Duration, "\"-3600\"").is_err());
    }

    #[test]
    fn unknown_and_replaced_parameters_are_reported() {
        let declared = [Field {
            name: "name",
            field_type: FieldType::String,
            description: "",
        }];
        let data = JsonObject::from_text(r#"{"b":1,"a":2,"name":"x"}"#).unwrap();
        let captured = BTreeMap::from([("name".to_owned(), "y".to_owned())]);
        let fields = Fields::read(&declared, captured, Some(&data)).unwrap();
        assert_eq!(fields.text("name"), "y");
        assert_eq!(
            fields.warnings()[0],
            "Endpoint ignored these unrecognized parameters: [a b]"
        );
        assert!(fields.warnings()[1].ends_with("[name]"));
    }
}
