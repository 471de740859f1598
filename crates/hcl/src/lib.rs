//! HCL 1, the language of Vault's policies and of its configuration file.
//!
//! HCL 1 is not HCL 2: a key may be quoted, several attributes may share a line, and `${…}` is plain text. JSON is
//! read into the same tree, so that whoever reads a policy or a configuration handles one shape. The crate is pure
//! and its input is hostile: nesting and size are bounded, nothing panics, and every error says line and column.
//!
//! ```
//! let body = linchpin_hcl::parse(r#"listener "tcp" { address = "127.0.0.1:8200" }"#)?;
//! let listener = &body.blocks("listener", 1)?[0];
//! assert_eq!(listener.labels[0].text, "tcp");
//! assert_eq!(listener.body.attribute("address").and_then(|a| a.value.as_str()), Some("127.0.0.1:8200"));
//! # Ok::<(), linchpin_hcl::Error>(())
//! ```

mod error;
mod json;
mod number;
mod parse;
mod scan;
mod tree;

pub use error::Error;
pub use number::Number;
pub use tree::{Block, Body, Item, Key, Position, Value, ValueKind};

/// How deep objects and lists may nest. Real policies and configurations stay below ten.
pub const MAX_DEPTH: usize = 64;

/// The largest source that is read, in bytes: the limit that the server has for a JSON string (design §3).
pub const MAX_SOURCE: usize = 1024 * 1024;

/// Reads HCL 1 or JSON; JSON is what begins with `{` after white space.
///
/// # Errors
///
/// The first mistake found, with its position. A key that is assigned twice in one body is a mistake.
pub fn parse(source: &str) -> Result<Body, Error> {
    if source.len() > MAX_SOURCE {
        return Err(Error::TooLarge { limit: MAX_SOURCE });
    }
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    if source.trim_start().starts_with('{') {
        json::parse(source)
    } else {
        parse::parse(source)
    }
}
