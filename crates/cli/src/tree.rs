//! JSON as answers carry it, with its numbers as they were written: `1.50` and `12345678901234567890` come out as they went
//! in. Printed in the three ways that Vault's command line prints: Go's `%v` in tables, JSON indented by two spaces, and
//! YAML (the module `yaml`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::value::RawValue;

/// How deep an answer may be nested. The parser below calls itself once a level.
const DEPTH: usize = 100;

/// A JSON value. Members of an object that was read are in the order of their names, as Go prints maps; one that was built
/// here keeps the order it was built in, as Go prints structures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// Why bytes are no JSON value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("not JSON: {0}")]
    Syntax(serde_json::Error),
    #[error("JSON nested deeper than {DEPTH} levels")]
    Depth,
}

impl Tree {
    /// Reads one JSON value; nothing at all is `null`.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::Null);
        }
        let raw: &RawValue = serde_json::from_slice(text).map_err(Error::Syntax)?;
        value(raw, 0)
    }

    /// An object of these members, in this order.
    pub(crate) fn map<K: Into<String>>(members: impl IntoIterator<Item = (K, Tree)>) -> Self {
        let members = members
            .into_iter()
            .map(|(name, member)| (name.into(), member));
        Self::Map(members.collect())
    }

    /// A text.
    pub(crate) fn text_of(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub(crate) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Self {
        Self::List(texts.into_iter().map(Self::text_of).collect())
    }

    /// The member of that name; `null` where there is none.
    pub(crate) fn get(&self, name: &str) -> &Tree {
        self.find(name).unwrap_or(&Tree::Null)
    }

    /// The member of that name.
    pub(crate) fn find(&self, name: &str) -> Option<&Tree> {
        let mut members = self.members().iter();
        members.find(|(found, _)| found == name).map(|(_, of)| of)
    }

    /// The members of an object; none for anything else.
    pub(crate) fn members(&self) -> &[(String, Tree)] {
        match self {
            Self::Map(members) => members,
            _ => &[],
        }
    }

    /// The elements of a list; none for anything else.
    pub(crate) fn elements(&self) -> &[Tree] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// The text of a text or a number; empty for anything else.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            _ => "",
        }
    }

    /// The value of a number that is not negative and fits; none for anything else.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whether it is `true`.
    pub(crate) fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// As Go's `%v` prints it: `[a b]`, `map[k:v]`, `<nil>`.
    pub(crate) fn plain(&self) -> String {
        match self {
            Self::Null => "<nil>".to_owned(),
            Self::Bool(on) => on.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
            Self::List(elements) => {
                let elements: Vec<String> = elements.iter().map(Self::plain).collect();
                format!("[{}]", elements.join(" "))
            }
            Self::Map(members) => {
                let plain = |(name, member): &(String, Tree)| format!("{name}:{}", member.plain());
                let members: Vec<String> = members.iter().map(plain).collect();
                format!("map[{}]", members.join(" "))
            }
        }
    }

    /// As JSON, indented by two spaces, without an end of line.
    pub(crate) fn json(&self) -> String {
        let mut out = String::new();
        write(self, &mut out, Some(0));
        out
    }

    /// As JSON on one line, as a request carries it.
    pub(crate) fn compact(&self) -> String {
        let mut out = String::new();
        write(self, &mut out, None);
        out
    }
}

impl From<bool> for Tree {
    fn from(on: bool) -> Self {
        Self::Bool(on)
    }
}

impl From<u64> for Tree {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

fn value(raw: &RawValue, depth: usize) -> Result<Tree, Error> {
    if depth > DEPTH {
        return Err(Error::Depth);
    }
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> =
                serde_json::from_str(text).map_err(Error::Syntax)?;
            let members = members
                .into_iter()
                .map(|(name, member)| Ok((name, value(member, depth + 1)?)));
            Tree::Map(members.collect::<Result<_, Error>>()?)
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(Error::Syntax)?;
            let elements = elements
                .into_iter()
                .map(|element| value(element, depth + 1));
            Tree::List(elements.collect::<Result<_, Error>>()?)
        }
        Some(b'"') => Tree::Text(serde_json::from_str(text).map_err(Error::Syntax)?),
        Some(b't') => Tree::Bool(true),
        Some(b'f') => Tree::Bool(false),
        Some(b'n') => Tree::Null,
        _ => Tree::Number(text.to_owned()),
    })
}

/// Writes JSON, indented when there is an indent.
fn write(tree: &Tree, out: &mut String, indent: Option<usize>) {
    let deeper = indent.map(|indent| indent + 1);
    let line = |out: &mut String, indent: Option<usize>| {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", indent));
        }
    };
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Tree::Number(text) => out.push_str(text),
        Tree::Text(text) => quote(text, out),
        Tree::List(elements) if elements.is_empty() => out.push_str("[]"),
        Tree::Map(members) if members.is_empty() => out.push_str("{}"),
        Tree::List(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, deeper);
                write(element, out, deeper);
            }
            line(out, indent);
            out.push(']');
        }
        Tree::Map(members) => {
            out.push('{');
            for (i, (name, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                line(out, deeper);
                quote(name, out);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(member, out, deeper);
            }
            line(out, indent);
            out.push('}');
        }
    }
}

/// A JSON string as Go writes it, which also escapes what has a meaning in HTML.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Tree {
        Tree::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn numbers_keep_their_text_and_names_are_sorted() {
        let tree =
            parse(r#"{"f":12345678901234567890,"e":1.50,"a":[1,null,"x y"],"b":{"c":true}}"#);
        assert_eq!(
            tree.plain(),
            "map[a:[1 <nil> x y] b:map[c:true] e:1.50 f:12345678901234567890]"
        );
        assert_eq!(
            tree.compact(),
            r#"{"a":[1,null,"x y"],"b":{"c":true},"e":1.50,"f":12345678901234567890}"#
        );
    }

    /// Recorded from OpenBao's command line.
    #[test]
    fn json_is_indented_and_escaped_as_go_does() {
        let tree = parse(r#"{"a":"<b>&\"q\"","t":"\ttab\u0001","m":{"z":{},"y":[]},"d":null}"#);
        let expected = r#"{
  "a": "\u003cb\u003e\u0026\"q\"",
  "d": null,
  "m": {
    "y": [],
    "z": {}
  },
  "t": "\ttab\u0001"
}"#;
        assert_eq!(tree.json(), expected);
    }

    #[test]
    fn what_is_no_json_is_an_error_and_nothing_is_null() {
        assert_eq!(parse("  "), Tree::Null);
        assert!(matches!(Tree::parse(b"{"), Err(Error::Syntax(_))));
        assert!(matches!(Tree::parse(b"<html>"), Err(Error::Syntax(_))));
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert!(Tree::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn members_are_found_and_missing_ones_are_null() {
        let tree = parse(r#"{"a":{"b":"c"},"n":7,"t":true}"#);
        assert_eq!(tree.get("a").get("b").text(), "c");
        assert_eq!(tree.get("x").get("y"), &Tree::Null);
        assert_eq!(tree.get("n").number(), Some(7));
        assert!(tree.get("t").is_true());
    }
}
