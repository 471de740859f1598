//! JSON into the same tree, with positions.
//!
//! serde_json reads one level at a time and leaves what is inside as raw text, which it borrows from the source: the
//! place of that text *is* the position. Re-reading each level costs its depth, which is bounded.

use std::collections::HashMap;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{Body, Error, Item, Key, MAX_DEPTH, Number, Position, Value, ValueKind};

pub(crate) fn parse(source: &str) -> Result<Body, Error> {
    let lines = Lines::new(source);
    let root: &RawValue = serde_json::from_str(source).map_err(|e| lines.error(0, &e))?;
    let value = Reader { lines }.value(root, 0)?;
    match value.kind {
        ValueKind::Object(body) => Ok(body),
        _ => Err(Error::Expected {
            at: value.at,
            wanted: "an object",
            found: value.describe().to_owned(),
        }),
    }
}

struct Reader<'s> {
    lines: Lines<'s>,
}

impl Reader<'_> {
    fn value(&self, raw: &RawValue, depth: usize) -> Result<Value, Error> {
        let text = raw.get();
        let offset = self.lines.offset_of(text);
        let at = self.lines.position(offset);
        let wrong = |e: serde_json::Error| self.lines.error(offset, &e);
        let kind = match text.as_bytes().first() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                return Err(Error::TooDeep {
                    at,
                    limit: MAX_DEPTH,
                });
            }
            Some(b'{') => {
                let members: Members<'_> = serde_json::from_str(text).map_err(wrong)?;
                ValueKind::Object(self.body(members, depth + 1)?)
            }
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(wrong)?;
                let values = elements.into_iter().map(|raw| self.value(raw, depth + 1));
                ValueKind::List(values.collect::<Result<_, _>>()?)
            }
            Some(b'"') => ValueKind::String(serde_json::from_str(text).map_err(wrong)?),
            Some(b't') => ValueKind::Bool(true),
            Some(b'f') => ValueKind::Bool(false),
            Some(b'n') => ValueKind::Null,
            _ => {
                let bad = || Error::BadNumber {
                    at,
                    literal: text.chars().take(64).collect(),
                };
                ValueKind::Number(Number::new(text).ok_or_else(bad)?)
            }
        };
        Ok(Value { kind, at })
    }

    fn body(&self, members: Members<'_>, depth: usize) -> Result<Body, Error> {
        let mut items = Vec::with_capacity(members.0.len());
        let mut assigned = HashMap::new();
        for (text, raw) in members.0 {
            let value = self.value(raw, depth)?;
            // The key's own place is lost; its value's is on the same line in every JSON that people write.
            let key = Key { text, at: value.at };
            // An object given twice is two blocks; anything else given twice is a mistake, as in HCL.
            let is_block = matches!(value.kind, ValueKind::Object(_) | ValueKind::List(_));
            if !is_block && let Some(first) = assigned.insert(key.text.clone(), key.at) {
                return Err(Error::DuplicateKey {
                    at: key.at,
                    key: key.text,
                    first,
                });
            }
            items.push(Item {
                key,
                labels: Vec::new(),
                value,
            });
        }
        Ok(Body { items })
    }
}

/// An object's members in their order, repeated keys included.
struct Members<'s>(Vec<(String, &'s RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Where the lines of the source begin, to turn a byte offset into a [`Position`].
struct Lines<'s> {
    source: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    fn new(source: &'s str) -> Self {
        let starts = std::iter::once(0)
            .chain(source.match_indices('\n').map(|(i, _)| i + 1))
            .collect();
        Lines { source, starts }
    }

    /// Where a piece that serde_json borrowed from the source begins in it.
    fn offset_of(&self, piece: &str) -> usize {
        (piece.as_ptr() as usize).saturating_sub(self.source.as_ptr() as usize)
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|&start| start <= offset);
        let start = self
            .starts
            .get(line.saturating_sub(1))
            .copied()
            .unwrap_or(0);
        let column = self
            .source
            .get(start..offset)
            .map_or(0, |before| before.chars().count());
        Position {
            line: u32::try_from(line.max(1)).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX).saturating_add(1),
        }
    }

    /// serde_json counts lines and columns from the piece it was given; this counts from the source.
    fn error(&self, base: usize, error: &serde_json::Error) -> Error {
        let piece = self.source.get(base..).unwrap_or_default();
        let line_start = match error.line().checked_sub(2) {
            Some(breaks) => piece
                .match_indices('\n')
                .nth(breaks)
                .map_or(piece.len(), |(i, _)| i + 1),
            None => 0,
        };
        let offset = base
            .saturating_add(line_start)
            .saturating_add(error.column().saturating_sub(1));
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Error::Json {
            at: self.position(offset.min(self.source.len())),
            reason,
        }
    }
}
