//! Query strings and form bodies.

use crate::error::Refusal;
use linchpin_model::{ErrorKind, JsonObject};
use serde::Serialize;
use std::collections::BTreeMap;

/// The parameters of a query, each with its values in order.
#[derive(Debug, Default)]
pub(crate) struct Query(BTreeMap<String, Vec<String>>);

/// A pair of a form that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Query {
    /// Parses what stands after `?`. A parameter that cannot be read is dropped.
    pub(super) fn parse(text: Option<&str>) -> Self {
        let mut query = Self::default();
        for part in text.unwrap_or_default().split('&') {
            if let Some(Ok((name, value))) = pair(part) {
                query.0.entry(name).or_default().push(value);
            }
        }
        query
    }

    /// The first value of a parameter.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// Whether a parameter is true, as Go parses booleans; absent or without a value it is not.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.first(name).unwrap_or_default() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
            "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
            _ => Err(Refusal::empty(ErrorKind::InvalidRequest)),
        }
    }

    /// The parameters as data: a string, or a list when repeated.
    pub(super) fn into_data(mut self) -> Option<JsonObject> {
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Values {
            One(String),
            Several(Vec<String>),
        }
        for directive in ["list", "scan", "help"] {
            self.0.remove(directive);
        }
        if self.0.is_empty() {
            return None;
        }
        let data: BTreeMap<String, Values> = self
            .0
            .into_iter()
            .map(
                |(name, mut values)| match (values.pop(), values.is_empty()) {
                    (Some(value), true) => (name, Values::One(value)),
                    (last, _) => {
                        values.extend(last);
                        (name, Values::Several(values))
                    }
                },
            )
            .collect();
        // Maps of strings always serialise.
        JsonObject::from_serialize(&data).ok()
    }
}

/// Parses a form body. Values are strings; those of a repeated key are joined by commas, as the
/// witness does.
pub(crate) fn parse_form(text: &str) -> Result<BTreeMap<String, String>, Malformed> {
    let mut form: BTreeMap<String, String> = BTreeMap::new();
    for part in text.split('&') {
        let Some(read) = pair(part) else { continue };
        let (name, value) = read?;
        match form.get_mut(&name) {
            Some(before) => {
                before.push(',');
                before.push_str(&value);
            }
            None => {
                form.insert(name, value);
            }
        }
    }
    Ok(form)
}

/// One `name=value`, decoded; `None` for an empty part. A semicolon separates nothing and is
/// allowed nowhere.
fn pair(part: &str) -> Option<Result<(String, String), Malformed>> {
    if part.is_empty() {
        return None;
    }
    if part.contains(';') {
        return Some(Err(Malformed));
    }
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    Some(match (unescape(name), unescape(value)) {
        (Some(name), Some(value)) => Ok((name, value)),
        _ => Err(Malformed),
    })
}

/// Decodes `%XX` and `+`; what is then not UTF-8 becomes U+FFFD.
fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => out.push(other),
        }
    }
    Some(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(query: &str) -> String {
        Query::parse(Some(query))
            .into_data()
            .map_or_else(String::new, |d| d.as_str().to_owned())
    }

    #[test]
    fn parameters_become_data() {
        for (query, expected) in [
            ("", ""),
            ("version=1", r#"{"version":"1"}"#),
            ("x=1&x=2&x=3&y", r#"{"x":["1","2","3"],"y":""}"#),
            ("list=true&scan=1&help=0&after=b", r#"{"after":"b"}"#),
            ("a=%zz&b=2&c=1;d=2&%f=1", r#"{"b":"2"}"#),
            ("a+b=c%20d%2B", r#"{"a b":"c d+"}"#),
            ("a=%ff", "{\"a\":\"\u{fffd}\"}"),
        ] {
            assert_eq!(data(query), expected, "{query}");
        }
    }

    #[test]
    fn flags_are_gos_booleans() {
        let flag = |query| Query::parse(Some(query)).flag("list");
        for yes in ["list=true", "list=1", "list=T", "list=true&list=false"] {
            assert_eq!(flag(yes), Ok(true), "{yes}");
        }
        for no in ["", "list", "list=", "list=0", "list=False"] {
            assert_eq!(flag(no), Ok(false), "{no}");
        }
        for bad in ["list=yes", "list=2", "list=tRUE"] {
            assert!(flag(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn forms_are_strict() {
        let form = parse_form("a=1&a=2&b&c+d=%2B").unwrap();
        assert_eq!(form["a"], "1,2");
        assert_eq!(form["b"], "");
        assert_eq!(form["c d"], "+");
        for bad in ["%zz=1", "a=1;b=2", "a=%4"] {
            assert_eq!(parse_form(bad), Err(Malformed), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(text in "\\PC{0,60}") {
            let _ = data(&text);
            let _ = parse_form(&text);
        }
    }
}
