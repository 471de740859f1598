//! JSON records that keep what they do not know.
//!
//! An object is read as the list of its fields, each with its value's own text. A record takes the fields it knows;
//! what remains is its [`Unknown`] part and is written back behind the known fields, text unchanged (so a number of
//! two hundred digits stays one). As Go's decoder does, names match in any case, the last of several equal names
//! wins, and `null` is the same as absent (storage-format §0).

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{Error, compression};

/// A stored JSON object with known fields.
pub trait Record: Sized {
    /// What error texts call it, for example "mount entry".
    const NAME: &'static str;

    /// Takes the known fields out of `fields` and keeps the rest.
    ///
    /// # Errors
    /// [`Error::Field`] or [`Error::Missing`].
    fn read(fields: Fields<'_>) -> Result<Self, Error>;

    /// Writes the known fields in the order of the reference implementations, then the unknown ones.
    fn write(&self, object: &mut ObjectWriter<'_>);

    /// The record in `plaintext`, which may be compressed (storage-format §0.1) and may end in white space.
    ///
    /// # Errors
    /// Any [`Error`] of JSON or compression.
    fn decode(plaintext: &[u8]) -> Result<Self, Error> {
        let json = compression::open(plaintext)?;
        Self::read(Fields::parse(Self::NAME, &json)?)
    }

    /// The record as JSON without white space.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1024);
        object(&mut out, self);
        out
    }
}

/// The fields of one JSON object that were not taken yet.
pub struct Fields<'a> {
    record: &'static str,
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads `json` as exactly one object.
    ///
    /// # Errors
    /// [`Error::Json`].
    pub fn parse(record: &'static str, json: &'a [u8]) -> Result<Self, Error> {
        let FieldList(fields) = serde_json::from_slice(json).map_err(|error| Error::Json {
            record,
            line: error.line(),
            column: error.column(),
        })?;
        Ok(Self { record, fields })
    }

    /// Takes the value of the field `name`, if it is there and not `null`.
    ///
    /// # Errors
    /// [`Error::Field`] when it is something else than a `T`.
    pub fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, Error> {
        self.take_with(name, |text| serde_json::from_str(text).ok())
    }

    /// As [`Fields::take`]; a missing field is the type's default.
    ///
    /// # Errors
    /// As [`Fields::take`].
    pub fn take_or_default<T: DeserializeOwned + Default>(
        &mut self,
        name: &'static str,
    ) -> Result<T, Error> {
        Ok(self.take(name)?.unwrap_or_default())
    }

    /// As [`Fields::take`]; a missing field is an error.
    ///
    /// # Errors
    /// As [`Fields::take`], and [`Error::Missing`].
    pub fn require<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Error> {
        let record = self.record;
        let missing = Error::Missing {
            record,
            field: name,
        };
        self.take(name)?.ok_or(missing)
    }

    /// Takes the field `name` as a record of its own, if it is there and not `null`.
    ///
    /// # Errors
    /// Those of the inner record.
    pub fn take_record<T: Record>(&mut self, name: &'static str) -> Result<Option<T>, Error> {
        let Some(raw) = self.remove(name) else {
            return Ok(None);
        };
        T::read(Fields::parse(T::NAME, raw.get().as_bytes())?).map(Some)
    }

    /// Takes the field `name` as a list of records; missing or `null` is the empty list.
    ///
    /// # Errors
    /// [`Error::Field`] when it is no list, and those of the inner records.
    pub fn take_records<T: Record>(&mut self, name: &'static str) -> Result<Vec<T>, Error> {
        let Some(raw) = self.remove(name) else {
            return Ok(Vec::new());
        };
        let items: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| self.unexpected(name))?;
        let read = |item: &RawValue| T::read(Fields::parse(T::NAME, item.get().as_bytes())?);
        items.into_iter().map(read).collect()
    }

    /// Takes the field `name` if it is there and not `null`, reading its JSON text with `read`.
    ///
    /// # Errors
    /// [`Error::Field`] when `read` has no answer.
    pub fn take_with<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.remove(name) {
            None => Ok(None),
            Some(raw) => read(raw.get())
                .map(Some)
                .ok_or_else(|| self.unexpected(name)),
        }
    }

    /// What was not taken.
    #[must_use]
    pub fn rest(self) -> Unknown {
        let own = |(name, raw): (Cow<'_, str>, &RawValue)| (name.into_owned(), raw.to_owned());
        Unknown(self.fields.into_iter().map(own).collect())
    }

    fn unexpected(&self, field: &'static str) -> Error {
        Error::Field {
            record: self.record,
            field,
        }
    }

    fn remove(&mut self, name: &str) -> Option<&'a RawValue> {
        let mut last = None;
        self.fields.retain(|(found, raw)| {
            let matches = found.eq_ignore_ascii_case(name);
            if matches {
                last = Some(*raw);
            }
            !matches
        });
        last.filter(|raw| raw.get() != "null")
    }
}

struct FieldList<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for FieldList<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = FieldList<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(FieldList(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A field's name: borrowed from the text unless it contains escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of a record that this version of the program does not know, in their order, values as written.
/// `Debug` shows the names only.
#[derive(Clone, Default)]
pub struct Unknown(Vec<(String, Box<RawValue>)>);

impl Unknown {
    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The JSON text of a field's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(found, _)| found == name);
        found.map(|(_, raw)| raw.get())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Unknown {
    fn eq(&self, other: &Self) -> bool {
        let text = |(name, raw): &(String, Box<RawValue>)| (name.clone(), raw.get().to_owned());
        self.0.iter().map(text).eq(other.0.iter().map(text))
    }
}

impl Eq for Unknown {}

impl fmt::Debug for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// Writes the fields of one JSON object.
pub struct ObjectWriter<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl ObjectWriter<'_> {
    /// A field that is always written.
    pub(crate) fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        self.name(name);
        plain(self.out, value);
    }

    /// A field that is left out when it has its type's default value.
    pub(crate) fn field_if_set<T: Serialize + Default + PartialEq>(
        &mut self,
        name: &str,
        value: &T,
    ) {
        if *value != T::default() {
            self.field(name, value);
        }
    }

    /// A field that is a record of its own.
    pub(crate) fn record<T: Record>(&mut self, name: &str, value: &T) {
        self.name(name);
        object(self.out, value);
    }

    /// A field that is a list of records. The empty list is `null`, as Go writes a list that was never filled.
    pub(crate) fn records<T: Record>(&mut self, name: &str, values: &[T]) {
        self.name(name);
        if values.is_empty() {
            self.out.extend_from_slice(b"null");
            return;
        }
        for (index, value) in values.iter().enumerate() {
            self.out.push(if index == 0 { b'[' } else { b',' });
            object(self.out, value);
        }
        self.out.push(b']');
    }

    /// Everything unknown.
    pub(crate) fn rest(&mut self, unknown: &Unknown) {
        for (name, raw) in &unknown.0 {
            self.name(name);
            self.out.extend_from_slice(raw.get().as_bytes());
        }
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        plain(self.out, name);
        self.out.push(b':');
    }
}

fn object<T: Record>(out: &mut Vec<u8>, record: &T) {
    out.push(b'{');
    record.write(&mut ObjectWriter { out, first: true });
    out.push(b'}');
}

fn plain<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // PANIC: writing to a `Vec` does not fail, and the values of this crate's records are texts, numbers, lists and
    // maps with text keys, for which serde_json has no other failure.
    #[expect(
        clippy::expect_used,
        reason = "text, numbers and lists always serialise"
    )]
    serde_json::to_writer(out, value).expect("a plain value serialises");
}

#[cfg(test)]
mod tests;
