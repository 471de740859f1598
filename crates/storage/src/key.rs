//! Keys and prefixes of the flat map. Reading accepts any text, writing only what [`Key::check`] allows, as in the
//! reference implementations (storage-format §1.1): a path that could never be stored is absent, not an error.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::KeyFault;

/// The longest key in bytes. PostgreSQL's primary-key index sets it (storage-format §1.1).
pub const MAX_KEY_LENGTH: usize = 2_600;

/// A key: segments separated by `/`, without a leading `/`. A trailing `/` belongs to the key. Clones share the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// A key with exactly this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the key may be written.
    ///
    /// # Errors
    /// The reason why not: empty, longer than [`MAX_KEY_LENGTH`], a leading `/`, a control character, or white space
    /// other than U+0020.
    pub fn check(&self) -> Result<(), KeyFault> {
        if self.0.is_empty() {
            Err(KeyFault::Empty)
        } else if self.0.len() > MAX_KEY_LENGTH {
            Err(KeyFault::TooLong)
        } else if self.0.starts_with('/') {
            Err(KeyFault::LeadingSlash)
        } else if self.0.chars().any(is_unprintable) {
            Err(KeyFault::Unprintable)
        } else {
            Ok(())
        }
    }
}

fn is_unprintable(character: char) -> bool {
    character.is_control() || (character.is_whitespace() && character != ' ')
}

/// Lets maps keyed by `Key` be searched by text.
impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys hold what callers chose; escapes keep a control character out of the operator's terminal.
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.0)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A place to list: empty for the top, otherwise ending in `/`. Clones share the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix(Arc<str>);

impl Prefix {
    /// The top: everything lies below it.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// The place `text`; a missing `/` at its end is added.
    #[must_use]
    pub fn new(text: &str) -> Self {
        if text.is_empty() || text.ends_with('/') {
            Self(Arc::from(text))
        } else {
            Self(Arc::from(format!("{text}/")))
        }
    }

    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the child with this name, as a listing gives it.
    #[must_use]
    pub fn key(&self, name: &str) -> Key {
        Key::new(format!("{}{name}", self.0))
    }

    /// The prefix below this one, for a name of a listing that ends in `/`.
    #[must_use]
    pub fn below(&self, name: &str) -> Self {
        Self::new(&format!("{}{name}", self.0))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_debug())
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({:?})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_storable_keys_pass_the_check() {
        let check = |text: &str, expected| assert_eq!(Key::new(text).check(), expected, "{text:?}");
        check("a", Ok(()));
        check("a b/ü/", Ok(()));
        check("a//b", Ok(()));
        check("", Err(KeyFault::Empty));
        check("/a", Err(KeyFault::LeadingSlash));
        check("a\nb", Err(KeyFault::Unprintable));
        check("a\u{7f}", Err(KeyFault::Unprintable));
        check("a\u{a0}b", Err(KeyFault::Unprintable));
        check("a\u{2028}b", Err(KeyFault::Unprintable));
        check(&"k".repeat(MAX_KEY_LENGTH), Ok(()));
        check(&"k".repeat(MAX_KEY_LENGTH + 1), Err(KeyFault::TooLong));
        // The limit counts bytes: 1,300 two-byte characters just fit.
        check(&"ü".repeat(1_300), Ok(()));
        check(&"ü".repeat(1_301), Err(KeyFault::TooLong));
    }

    #[test]
    fn a_prefix_ends_in_a_slash() {
        assert_eq!(Prefix::new("a").as_str(), "a/");
        assert_eq!(Prefix::new("a/"), Prefix::new("a"));
        assert_eq!(Prefix::new(""), Prefix::root());
        assert_eq!(Prefix::new("a").below("b/").key("c").as_str(), "a/b/c");
    }

    #[test]
    fn display_shows_no_raw_control_character() {
        assert_eq!(Key::new("a\u{1b}[2J").to_string(), "a\\u{1b}[2J");
    }
}
