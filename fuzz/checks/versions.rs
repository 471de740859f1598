//! What must hold for any three texts that somebody calls versions (plugin-lifecycle §1.3, §1.4).
//!
//! The input is up to three texts with a line feed between them. Shared by the fuzz target and the test that replays its corpus.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use linchpin_model::PluginVersion;

/// Checks one input; whether all of its texts are versions.
pub(crate) fn check(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let texts: Vec<&str> = text.splitn(3, '\n').collect();
    let versions: Vec<PluginVersion> = texts.iter().filter_map(|text| one(text)).collect();
    for a in &versions {
        for b in &versions {
            pair(a, b);
            for c in &versions {
                if a <= b && b <= c {
                    assert!(a <= c, "the order is transitive: {a} {b} {c}");
                }
            }
        }
    }
    versions.len() == texts.len()
}

/// One text, in both grammars.
fn one(text: &str) -> Option<PluginVersion> {
    let strict = text.parse::<PluginVersion>();
    let loose = PluginVersion::parse_loose(text);
    if let Ok(version) = &strict {
        assert_eq!(loose.as_ref(), Ok(version), "the looser grammar has both");
        semver_agrees(text, version);
    }
    let version = loose.ok()?;
    let canonical = version.as_str();
    let again: PluginVersion = canonical.parse().expect("a canonical form is a version");
    assert_eq!(again.as_str(), canonical, "the canonical form is final");
    assert_eq!(again, version);
    assert_eq!(again.is_builtin(), version.is_builtin());
    let numbers = canonical.strip_prefix('v').expect("it begins with v");
    assert!(numbers.starts_with(|c: char| c.is_ascii_digit()));
    assert!(
        numbers
            .split(['-', '+'])
            .next()
            .unwrap_or_default()
            .split('.')
            .count()
            >= 3
    );
    assert!(canonical.bytes().all(|byte| byte.is_ascii_graphic()));
    // `1` becomes `v1.0.0`, and `1a` becomes `v1.0.0-a`.
    assert!(canonical.len() <= text.len() + 6, "{text:?} -> {canonical}");
    Some(version)
}

/// What every version of Semantic Versioning 2 is, is one here.
fn semver_agrees(text: &str, ours: &PluginVersion) {
    let Ok(theirs) = semver::Version::parse(text.strip_prefix('v').unwrap_or(text)) else {
        return;
    };
    assert_eq!(ours.as_str(), format!("v{theirs}"));
}

fn pair(a: &PluginVersion, b: &PluginVersion) {
    assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} {b}");
    assert_eq!(a == b, a.cmp(b) == Ordering::Equal, "{a} {b}");
    assert_eq!(a == b, a.as_str() == b.as_str());
    if a == b {
        assert_eq!(hash(a), hash(b));
    }
    let precedence = a.cmp_precedence(b);
    assert_eq!(precedence, b.cmp_precedence(a).reverse(), "{a} {b}");
    if precedence != Ordering::Equal {
        assert_eq!(
            a.cmp(b),
            precedence,
            "the order refines precedence: {a} {b}"
        );
    }
    let without_v = |version: &PluginVersion| {
        let text = version.as_str().trim_start_matches('v');
        // Numbers of more digits than a word of the machine holds are compared as words here, as in the reference.
        let small = text.split(['.', '-', '+']).all(|part| part.len() < 19);
        small.then(|| semver::Version::parse(text).ok()).flatten()
    };
    if let (Some(x), Some(y)) = (without_v(a), without_v(b)) {
        assert_eq!(precedence, x.cmp_precedence(&y), "{a} {b}");
    }
}

fn hash(version: &PluginVersion) -> u64 {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    hasher.finish()
}
