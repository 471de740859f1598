//! Paths: the one canonicalisation that policy, routing and plugins share (core-api §1.4).

use std::borrow::Borrow;
use std::fmt;

/// Where a mount is: never empty, no leading `/`, one trailing `/`, relative to its namespace.
/// The path of an auth mount begins with `auth/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MountPath(String);

impl MountPath {
    /// The mount path for what a caller wrote, `foo` and `foo/` alike; `None` when nothing is left.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let trimmed = text.trim_matches('/');
        (!trimmed.is_empty()).then(|| Self(format!("{trimmed}/")))
    }

    /// The text, with its trailing `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether one of the two is the other or lies below it: then they cannot both be mounted.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0) || other.0.starts_with(&self.0)
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for MountPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Why a request path is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// A `.` or `..` segment that was hidden by an escape.
    #[error("relative paths not supported")]
    Relative,
    /// A control character, or bytes that are not UTF-8.
    #[error("path contains a character that is not allowed")]
    Character,
    /// Longer than 20,000 bytes.
    #[error("path is longer than 20000 characters")]
    TooLong,
}

/// The longest request path that is served, in bytes after decoding.
const MAX_PATH: usize = 20_000;

/// Decodes the escaped path of a URL, once, and checks it. `+` stays `+`, `%2F` becomes `/`.
///
/// # Errors
/// [`PathError`] for what must never reach routing, policy or a plugin.
pub fn request_path(escaped: &str) -> Result<String, PathError> {
    let mut decoded = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut ahead = rest.clone();
        match (
            ahead.next().and_then(hex_digit),
            ahead.next().and_then(hex_digit),
        ) {
            (Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                rest = ahead;
            }
            _ => return Err(PathError::Character),
        }
    }
    if decoded.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    let path = String::from_utf8(decoded).map_err(|_| PathError::Character)?;
    if path.chars().any(char::is_control) {
        return Err(PathError::Character);
    }
    if path
        .split('/')
        .any(|segment| segment == ".." || segment == ".")
    {
        return Err(PathError::Relative);
    }
    Ok(path)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mount_path_has_one_trailing_slash() {
        for text in ["a/b", "a/b/", "/a/b//"] {
            assert_eq!(MountPath::new(text).unwrap().as_str(), "a/b/");
        }
        assert_eq!(MountPath::new("/"), None);
    }

    #[test]
    fn mounts_overlap_at_segment_borders_only() {
        let at = |t| MountPath::new(t).unwrap();
        assert!(at("a").overlaps(&at("a/b")));
        assert!(at("a/b").overlaps(&at("a")));
        assert!(!at("a").overlaps(&at("ab")));
    }

    #[test]
    fn escapes_are_decoded_once() {
        for (given, decoded) in [
            ("k/a%2Fb", "k/a/b"),
            ("%61", "a"),
            ("%25", "%"),
            ("%2525", "%25"),
            ("a+b", "a+b"),
            ("a..b/...", "a..b/..."),
        ] {
            assert_eq!(request_path(given).as_deref(), Ok(decoded));
        }
    }

    #[test]
    fn hidden_relative_segments_and_control_characters_are_refused() {
        assert_eq!(request_path("%2e%2e/x"), Err(PathError::Relative));
        assert_eq!(request_path("x/%2e"), Err(PathError::Relative));
        for bad in ["%00", "a%0ab", "%7f", "%ff", "%zz", "%4"] {
            assert_eq!(request_path(bad), Err(PathError::Character), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_has_no_relative_segment(text in "[a-zA-Z0-9%./+~-]{0,40}") {
            if let Ok(path) = request_path(&text) {
                prop_assert!(path.split('/').all(|s| s != ".." && s != "."));
            }
        }
    }
}
