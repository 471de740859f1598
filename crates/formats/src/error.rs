//! Why some stored bytes are not the record they should be. The texts name places, never values: a record may hold
//! secrets, and a parser's own message would quote them.

use linchpin_model::ErrorKind;

/// Why some stored bytes are not the record they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not one JSON object.
    #[error("{record} is not a JSON object: line {line}, column {column}")]
    Json {
        /// What the bytes should be, for example "mount entry".
        record: &'static str,
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// A known field holds something else than it should.
    #[error("field {field} of the {record} has an unexpected value")]
    Field {
        /// What the bytes should be.
        record: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// A field that the record cannot do without is missing.
    #[error("field {field} of the {record} is missing")]
    Missing {
        /// What the bytes should be.
        record: &'static str,
        /// The field's name.
        field: &'static str,
    },
    /// The value is compressed in a way that is not read here.
    #[error("the value is compressed with {method}, which is not supported")]
    Compression {
        /// The method's name.
        method: &'static str,
    },
    /// The compressed value is damaged.
    #[error("the compressed value is damaged")]
    Damaged,
    /// The value would be too long when uncompressed.
    #[error("the value is longer than {limit} bytes when uncompressed")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The bytes are not a protobuf message.
    #[error("{record} is not a protobuf message: byte {offset}")]
    Wire {
        /// What the bytes should be.
        record: &'static str,
        /// Where reading stopped, from 0.
        offset: usize,
    },
}

impl Error {
    /// What kind of failure this is for the layers above: always an internal one, since nobody's request made it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Internal
    }
}
