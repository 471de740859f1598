//! Path tables: what most engines are written with.
//!
//! An engine is a list of [`PathSpec`]s: a pattern, typed fields, a handler per operation. From
//! the table fall out validation, help, the OpenAPI document, existence checks, and the answers
//! to what the table does not know (`unsupported path`, `unsupported operation`).

mod decode;
mod field;
mod help;
mod method;
mod openapi;
mod pattern;
mod table;

pub use field::{Field, FieldType, Fields};
pub use method::{Answer, AsyncMethod};
pub use openapi::OpenApiPath;
pub use pattern::{Pattern, PatternError};
pub use table::{Call, Engine, PathSpec, Table, TableBackend};
