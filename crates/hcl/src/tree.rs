//! The tree that HCL and JSON are both read into, and the few accessors its readers need.
//!
//! HCL 1 writes one thing in several ways: `a "b" { … }`, `a { b { … } }`, `a = { b = { … } }`, and in JSON
//! `{"a": [{"b": { … }}]}`. [`Body::blocks`] reads all of them.

use std::fmt;

use crate::{Error, Number};

/// A place in the source: line and column, both from 1, the column in characters. Prints as `line:column`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A sequence of items: a whole file, or what stands between `{` and `}`. Order is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Body {
    /// The items in the order of the source.
    pub items: Vec<Item>,
}

/// `key = value`, or a block `key "label" … { … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The first key, which every item has.
    pub key: Key,
    /// Further keys of a block; always empty for `key = value` and for JSON.
    pub labels: Vec<Key>,
    /// What follows. A block's is a [`ValueKind::Object`].
    pub value: Value,
}

/// A key or label, quoted or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The text without its quotes.
    pub text: String,
    /// Where it begins.
    pub at: Position,
}

/// A value and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it begins.
    pub at: Position,
}

/// The kinds of value.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueKind {
    /// A quoted string or a heredoc; `${…}` is kept as written.
    String(String),
    /// A number, kept as written.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// JSON's `null`; HCL has none.
    Null,
    /// `[ … ]`.
    List(Vec<Value>),
    /// `{ … }`.
    Object(Body),
}

/// One block found by [`Body::blocks`].
#[derive(Debug, Clone, PartialEq)]
pub struct Block<'t> {
    /// The labels, as many as were asked for.
    pub labels: Vec<&'t Key>,
    /// What stands between the braces.
    pub body: &'t Body,
    /// Where the block's name stands.
    pub at: Position,
}

impl Body {
    /// The item `name = value` or `name { … }` without labels; the last one where a block is repeated.
    pub fn attribute(&self, name: &str) -> Option<&Item> {
        self.items
            .iter()
            .rev()
            .find(|i| i.key.text == name && i.labels.is_empty())
    }

    /// All blocks of this name with exactly `labels` labels, in whatever of its forms each is written.
    ///
    /// # Errors
    ///
    /// [`Error::WrongShape`] for an item of this name that has another number of labels or is no block.
    pub fn blocks(&self, name: &str, labels: usize) -> Result<Vec<Block<'_>>, Error> {
        let mut found = Vec::new();
        for item in self.items.iter().filter(|i| i.key.text == name) {
            let search = Search {
                name,
                wanted: labels,
                at: item.key.at,
            };
            search.descend(item.labels.iter().collect(), &item.value, &mut found)?;
        }
        Ok(found)
    }
}

/// What [`Body::blocks`] looks for below one item.
struct Search<'n> {
    name: &'n str,
    wanted: usize,
    at: Position,
}

impl Search<'_> {
    /// Recursion is bounded by the depth of the tree, which the parser bounds.
    fn descend<'t>(
        &self,
        labels: Vec<&'t Key>,
        value: &'t Value,
        found: &mut Vec<Block<'t>>,
    ) -> Result<(), Error> {
        match &value.kind {
            ValueKind::List(values) => values
                .iter()
                .try_for_each(|value| self.descend(labels.clone(), value, found)),
            ValueKind::Object(body) if labels.len() == self.wanted => {
                found.push(Block {
                    at: labels.last().map_or(self.at, |l| l.at),
                    labels,
                    body,
                });
                Ok(())
            }
            ValueKind::Object(body) if labels.len() < self.wanted => {
                body.items.iter().try_for_each(|item| {
                    let mut labels = labels.clone();
                    labels.push(&item.key);
                    labels.extend(&item.labels);
                    self.descend(labels, &item.value, found)
                })
            }
            _ => Err(Error::WrongShape {
                at: self.at,
                name: self.name.to_owned(),
                labels: self.wanted,
            }),
        }
    }
}

impl Value {
    /// The text of a string; `None` for any other kind.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            ValueKind::String(text) => Some(text),
            _ => None,
        }
    }

    /// A string as it is, a number as it was written, a boolean as a word: what Vault's weak decoding makes of it.
    pub fn to_text(&self) -> Option<String> {
        match &self.kind {
            ValueKind::String(text) => Some(text.clone()),
            ValueKind::Number(number) => Some(number.literal().to_owned()),
            ValueKind::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// A boolean, also in its string form (Vault's weak decoding): `true`, `false`, `1`, `0`.
    pub fn to_bool(&self) -> Option<bool> {
        match &self.kind {
            ValueKind::Bool(value) => Some(*value),
            ValueKind::String(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            ValueKind::Number(number) => match number.to_i64() {
                Some(1) => Some(true),
                Some(0) => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// An integer, also in its string form.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.kind {
            ValueKind::Number(number) => number.to_i64(),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The elements of a list; `None` for any other kind.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            ValueKind::List(values) => Some(values),
            _ => None,
        }
    }

    /// The body of an object; `None` for any other kind.
    pub fn as_object(&self) -> Option<&Body> {
        match &self.kind {
            ValueKind::Object(body) => Some(body),
            _ => None,
        }
    }

    /// What kind it is, in a reader's words, for error messages: `a string`, `a list` …
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            ValueKind::String(_) => "a string",
            ValueKind::Number(_) => "a number",
            ValueKind::Bool(_) => "a boolean",
            ValueKind::Null => "null",
            ValueKind::List(_) => "a list",
            ValueKind::Object(_) => "a block",
        }
    }
}
