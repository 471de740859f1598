//! What a plugin may be called (plugin-lifecycle §0.5). The catalog takes nearly anything; pins,
//! reloads and runtimes by name take only plain names.

use crate::Error;
use linchpin_model::PluginVersion;

/// Whether the routes of pins, reloads and runtimes match this name: word characters, with dots
/// and dashes inside (`\w(([\w.-]+)?\w)?`, ASCII).
#[must_use]
pub fn is_plain(name: &str) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let bytes = name.as_bytes();
    bytes.first().is_some_and(word)
        && bytes.last().is_some_and(word)
        && bytes.iter().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// Refuses an empty name, and one that storage could not tell from a version of another: its last
/// segment after a `/` parses as a version.
///
/// # Errors
/// [`Error::MissingName`], [`Error::NameEndsInVersion`].
pub fn check_registrable(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::MissingName);
    }
    let Some((base, last)) = name.rsplit_once('/') else {
        return Ok(());
    };
    match last.parse::<PluginVersion>() {
        Ok(version) => Err(Error::NameEndsInVersion {
            name: name.to_owned(),
            version: Box::new(version),
            base: base.to_owned(),
        }),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_words_with_dots_and_dashes_inside() {
        for name in ["a", "_", "kv", "my-kv", "a.b", "a--b", "pg_15", "0"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", "-a", "a-", ".a", "a.", "a/b", "a b", "é", "a\n"] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn only_a_version_after_a_slash_is_refused() {
        for name in ["kv", "team/kv", "1", "v1.0.0", "a/b/c", "team/v", "team/"] {
            assert_eq!(check_registrable(name), Ok(()), "{name}");
        }
        for (name, text) in [
            ("", "missing plugin name"),
            (
                "team/v1.0.0",
                "plugin name \"team/v1.0.0\" cannot end in a version: it would be stored as version v1.0.0 of \"team\"",
            ),
            (
                "team/1",
                "plugin name \"team/1\" cannot end in a version: it would be stored as version v1.0.0 of \"team\"",
            ),
        ] {
            assert_eq!(check_registrable(name).unwrap_err().to_string(), text);
        }
    }
}
