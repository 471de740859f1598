//! Plugin versions: grammar, canonical form and order (plugin-lifecycle §1.3 and §1.4).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// A semantic version in canonical form: `v`, at least three segments, prerelease, metadata.
///
/// Equality is of the whole text. Order is by precedence (metadata ignored) and then by text, so
/// that it agrees with equality.
#[derive(Clone)]
pub struct PluginVersion {
    text: String,
    segments: Vec<u64>,
    prerelease: String,
    metadata: String,
}

/// Why a text is not a version. The text is Vault's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("version {0:?} is not a valid semantic version: malformed version: {0}")]
pub struct VersionError(String);

impl PluginVersion {
    /// The canonical text, with its `v`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it names a built-in: an identifier of its metadata is exactly `builtin`.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.metadata.split('.').any(|word| word == "builtin")
    }

    /// Compares by precedence alone: metadata does not count.
    #[must_use]
    pub fn cmp_precedence(&self, other: &Self) -> Ordering {
        let longest = self.segments.len().max(other.segments.len());
        let at = |v: &Self, i: usize| v.segments.get(i).copied().unwrap_or(0);
        (0..longest)
            .map(|i| at(self, i).cmp(&at(other, i)))
            .find(|o| o.is_ne())
            .unwrap_or_else(|| compare_prereleases(&self.prerelease, &other.prerelease))
    }

    /// Parses the looser grammar of mount, tune and database configuration, which also takes a
    /// prerelease without its hyphen (`1.0.0beta`).
    ///
    /// # Errors
    /// [`VersionError`] when it is not a version in that grammar either.
    pub fn parse_loose(text: &str) -> Result<Self, VersionError> {
        if let Ok(version) = text.parse() {
            return Ok(version);
        }
        let body = text.strip_prefix('v').unwrap_or(text);
        let digits = body.len()
            - body
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        let (numbers, rest) = body.split_at(digits);
        if numbers.is_empty()
            || rest.is_empty()
            || !rest.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return Err(VersionError(text.to_owned()));
        }
        format!("{numbers}-{rest}")
            .parse()
            .map_err(|_| VersionError(text.to_owned()))
    }
}

/// No prerelease sorts above any; else identifier by identifier, numbers below words.
fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match (x.parse::<u64>(), y.parse::<u64>()) {
                (Ok(m), Ok(n)) => m.cmp(&n),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => x.cmp(y),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn are_identifiers(text: &str) -> bool {
    !text.is_empty()
        && text.split('.').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'~'))
        })
}

impl FromStr for PluginVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let refuse = || VersionError(text.to_owned());
        let body = text.strip_prefix('v').unwrap_or(text);
        let (body, metadata) = match body.split_once('+') {
            Some((body, metadata)) if are_identifiers(metadata) => (body, metadata),
            Some(_) => return Err(refuse()),
            None => (body, ""),
        };
        let (numbers, prerelease) = match body.split_once('-') {
            Some((numbers, prerelease)) if are_identifiers(prerelease) => (numbers, prerelease),
            Some(_) => return Err(refuse()),
            None => (body, ""),
        };
        let mut segments = Vec::new();
        for segment in numbers.split('.') {
            if segment.is_empty() || !segment.bytes().all(|b| b.is_ascii_digit()) {
                return Err(refuse());
            }
            segments.push(segment.parse::<u64>().map_err(|_| refuse())?);
        }
        while segments.len() < 3 {
            segments.push(0);
        }
        let mut canonical = String::from("v");
        for (i, segment) in segments.iter().enumerate() {
            if i > 0 {
                canonical.push('.');
            }
            canonical.push_str(&segment.to_string());
        }
        if !prerelease.is_empty() {
            canonical.push('-');
            canonical.push_str(prerelease);
        }
        if !metadata.is_empty() {
            canonical.push('+');
            canonical.push_str(metadata);
        }
        Ok(Self {
            text: canonical,
            segments,
            prerelease: prerelease.to_owned(),
            metadata: metadata.to_owned(),
        })
    }
}

impl fmt::Display for PluginVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PluginVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginVersion({})", self.text)
    }
}

impl PartialEq for PluginVersion {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PluginVersion {}

impl Hash for PluginVersion {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for PluginVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PluginVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_precedence(other)
            .then_with(|| self.text.cmp(&other.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        text.parse::<PluginVersion>()
            .map_or_else(|e| e.to_string(), |v| v.to_string())
    }

    #[test]
    fn the_canonical_form_is_the_specs() {
        for (given, stored) in [
            ("1", "v1.0.0"),
            ("1.2", "v1.2.0"),
            ("v01.2.3", "v1.2.3"),
            ("1.2.3.4", "v1.2.3.4"),
            ("1.0.0-beta.1+ent", "v1.0.0-beta.1+ent"),
            ("1.0.0+builtinx", "v1.0.0+builtinx"),
        ] {
            assert_eq!(canonical(given), stored);
        }
        for refused in [
            "1.0.0beta",
            "1.0.0 ",
            "V1.0.0",
            "bad",
            "",
            "1..0",
            "1.0.0-",
            "1.0.0+",
        ] {
            assert!(
                canonical(refused).contains("is not a valid semantic version"),
                "{refused}"
            );
        }
        assert_eq!(
            canonical("bad"),
            "version \"bad\" is not a valid semantic version: malformed version: bad"
        );
    }

    #[test]
    fn the_order_is_the_measured_one() {
        let order = [
            "v1.0.0-beta.1+ent",
            "v1.0.0-builtin",
            "v1.0.0-rc1",
            "v1.0.0",
            "v1.0.0+builtinx",
            "v1.2.0",
            "v1.2.3",
            "v1.2.3.4",
        ];
        let mut sorted: Vec<PluginVersion> =
            order.iter().rev().map(|t| t.parse().unwrap()).collect();
        sorted.sort();
        assert_eq!(
            sorted.iter().map(PluginVersion::as_str).collect::<Vec<_>>(),
            order
        );
    }

    #[test]
    fn builtin_is_a_whole_identifier_of_the_metadata() {
        for (text, builtin) in [
            ("1.0.0+builtin", true),
            ("1.0.0+builtin.vault", true),
            ("1.0.0+a.builtin.b", true),
            ("1.0.0+builtinx", false),
            ("1.0.0-builtin", false),
        ] {
            assert_eq!(
                text.parse::<PluginVersion>().unwrap().is_builtin(),
                builtin,
                "{text}"
            );
        }
    }

    #[test]
    fn the_looser_grammar_takes_a_prerelease_without_its_hyphen() {
        assert_eq!(
            PluginVersion::parse_loose("1.0.0beta").unwrap().as_str(),
            "v1.0.0-beta"
        );
        assert!(PluginVersion::parse_loose("").is_err());
        assert!(PluginVersion::parse_loose("x").is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_is_idempotent(text in "\\PC{0,24}") {
            if let Ok(version) = text.parse::<PluginVersion>() {
                prop_assert_eq!(version.as_str().parse::<PluginVersion>().unwrap(), version);
            }
        }
    }
}
