//! Paths and queries as URLs write them.

use std::fmt::Write as _;

/// `path` with everything escaped that a URL's path cannot hold as it is. Slashes stay: they separate segments.
pub fn escape_path(path: &str) -> String {
    escape(path, b"-_.~$&+,/:;=@")
}

/// `value` as a value of a query.
pub fn escape_query(value: &str) -> String {
    escape(value, b"-_.~")
}

fn escape(text: &str, plain: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || plain.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_a_url_is_escaped() {
        assert_eq!(escape_path("a b/c?d#e%f"), "a%20b/c%3Fd%23e%25f");
        assert_eq!(escape_path("team/kv@1.0-é"), "team/kv@1.0-%C3%A9");
        assert_eq!(escape_query("1.0.0+ent&x=/"), "1.0.0%2Bent%26x%3D%2F");
    }
}
