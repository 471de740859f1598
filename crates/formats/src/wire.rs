//! Protobuf on the wire, one message level at a time. A record takes the fields it knows and keeps the raw bytes of
//! the others, which generated code would lose (storage-format §0).

use crate::Error;

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The field's number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// Tag and value as they were written.
    pub raw: &'a [u8],
}

/// A field's value, as the wire distinguishes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A variable-length integer.
    Varint(u64),
    /// Eight bytes.
    Fixed64([u8; 8]),
    /// Bytes, a text, or a message.
    Bytes(&'a [u8]),
    /// Four bytes.
    Fixed32([u8; 4]),
}

/// The fields of a message, in the order of its bytes. After an error there are no more.
pub struct Fields<'a> {
    record: &'static str,
    message: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Reads `message`, which errors call `record`.
    #[must_use]
    pub fn new(record: &'static str, message: &'a [u8]) -> Self {
        Self {
            record,
            message,
            at: 0,
        }
    }

    fn next_field(&mut self) -> Option<Field<'a>> {
        let start = self.at;
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|&number| number > 0)?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.take(8)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        let raw = self.message.get(start..self.at)?;
        Some(Field { number, value, raw })
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let &byte = self.message.get(self.at)?;
            self.at += 1;
            let part = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            value |= part
                .checked_shl(shift)
                .filter(|bits| bits >> shift == part)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.message.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.message.len() {
            return None;
        }
        let offset = self.at;
        let field = self.next_field();
        if field.is_none() {
            self.at = self.message.len();
        }
        Some(field.ok_or(Error::Wire {
            record: self.record,
            offset,
        }))
    }
}

/// Appends a field of bytes, a text, or a message to `out`.
pub fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}

/// Appends a variable-length integer without a tag to `out`.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Result<Vec<Field<'_>>, Error> {
        Fields::new("sample", message).collect()
    }

    #[test]
    fn each_kind_of_field_is_read() {
        let message =
            b"\x08\x96\x01\x11\x01\x02\x03\x04\x05\x06\x07\x08\x1a\x02hi\x25\x01\x02\x03\x04";
        let values: Vec<(u32, Value<'_>)> = read(message)
            .unwrap()
            .into_iter()
            .map(|field| (field.number, field.value))
            .collect();
        assert_eq!(
            values,
            [
                (1, Value::Varint(150)),
                (2, Value::Fixed64([1, 2, 3, 4, 5, 6, 7, 8])),
                (3, Value::Bytes(b"hi")),
                (4, Value::Fixed32([1, 2, 3, 4])),
            ]
        );
    }

    #[test]
    fn broken_messages_are_errors() {
        for message in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x1a\x05hi",
            b"\x11\x01",
            b"\x00\x01",
            b"\x0b",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            let offset = 0;
            let record = "sample";
            assert_eq!(
                read(message),
                Err(Error::Wire { record, offset }),
                "{message:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_raw_parts_are_the_message(bytes in any::<Vec<u8>>()) {
            if let Ok(fields) = read(&bytes) {
                let joined: Vec<u8> = fields.iter().flat_map(|field| field.raw).copied().collect();
                prop_assert_eq!(joined, bytes);
            }
        }

        #[test]
        fn integers_read_back(value in any::<u64>()) {
            let mut message = vec![8];
            put_varint(&mut message, value);
            prop_assert_eq!(read(&message).unwrap()[0].value, Value::Varint(value));
        }

        #[test]
        fn bytes_read_back(number in 1_u32..=0x1fff_ffff, bytes in any::<Vec<u8>>()) {
            let mut message = Vec::new();
            put_bytes(&mut message, number, &bytes);
            let fields = read(&message).unwrap();
            prop_assert_eq!(fields.len(), 1);
            prop_assert_eq!(fields[0].number, number);
            prop_assert_eq!(fields[0].value, Value::Bytes(&bytes));
        }
    }
}
