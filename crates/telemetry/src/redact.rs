//! What must not be in a log is taken out before it gets there.
//!
//! Types that hold secrets redact themselves in `Debug`. This is for the other direction: values of a type that says
//! nothing about secrecy, and text that comes from a plugin.

use std::borrow::Cow;
use std::fmt;

/// What stands in place of a secret.
pub const PLACEHOLDER: &str = "<redacted>";

/// A value that is never shown, whatever its type. `Display` and `Debug` write [`PLACEHOLDER`].
pub struct Hidden<T>(pub T);

impl<T> fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

impl<T> fmt::Display for Hidden<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PLACEHOLDER)
    }
}

/// The names of `KEY=value` variables, without their values: `A, B`. One without `=` may be a value that lost its
/// name, and is not shown at all.
#[must_use]
pub fn variables(pairs: &[String]) -> String {
    let name = |pair: &String| match pair.split_once('=') {
        Some((name, _)) => name.to_owned(),
        None => PLACEHOLDER.to_owned(),
    };
    pairs.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Text with every token in it replaced. A token is what Vault and OpenBao hand out: `hvs.`, `hvb.`, `hvr.`, `s.`,
/// `b.` or `r.`, and then at least 20 characters of a base-62 or base-64 alphabet.
#[must_use]
pub fn tokens(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut word_start = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let length = rest.find(|c| !is_token_character(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        if is_token(word) {
            out.push_str(text.get(copied..word_start).unwrap_or_default());
            out.push_str(PLACEHOLDER);
            copied = word_start + length;
        }
        let gap = after.find(is_token_character).unwrap_or(after.len());
        word_start += length + gap;
        rest = after.get(gap..).unwrap_or_default();
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn is_token_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn is_token(word: &str) -> bool {
    let bodies = ["hvs.", "hvb.", "hvr.", "s.", "b.", "r."]
        .iter()
        .filter_map(|prefix| word.strip_prefix(prefix));
    // A sentence's last full stop belongs to the word; it does not make it shorter.
    bodies
        .map(|body| body.trim_end_matches('.'))
        .any(|body| body.len() >= 20)
}
