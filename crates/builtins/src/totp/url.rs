//! `otpauth://` URLs, read leniently and written strictly.

/// A URL taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OtpUrl {
    /// The decoded path without its first slash: `issuer:account` or `account`.
    label: String,
    query: Vec<(String, String)>,
}

impl OtpUrl {
    /// Parses any URL: scheme and host are not looked at, as the witness does not. `None` for what
    /// is no URL at all.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.chars().any(char::is_control) {
            return None;
        }
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let (before, query) = text.split_once('?').unwrap_or((text, ""));
        let (has_scheme, rest) = match before.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (true, rest),
            // A colon in what would be a path's first segment is a broken scheme.
            Some((first, _)) if !first.contains('/') => return None,
            _ => (false, before),
        };
        let path = if let Some(after) = rest.strip_prefix("//") {
            let (host, path) = after.find('/').map_or((after, ""), |at| after.split_at(at));
            if !is_host(host) {
                return None;
            }
            path
        } else if has_scheme && !rest.starts_with('/') {
            // `otpauth:totp/…` is opaque: it has no path.
            ""
        } else {
            rest
        };
        let label = decode(path, false)?;
        let label = label.strip_prefix('/').unwrap_or(&label).to_owned();
        let query = query
            .split('&')
            .filter(|part| !part.is_empty() && !part.contains(';'))
            .filter_map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                Some((decode(name, true)?, decode(value, true)?))
            })
            .collect();
        Some(Self { label, query })
    }

    /// The first value of a parameter; empty ones count as absent.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, value) = self.query.iter().find(|(n, _)| n == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// The account of the label.
    pub(super) fn account(&self) -> &str {
        self.label
            .split_once(':')
            .map_or(&self.label, |(_, account)| account)
    }

    /// The issuer: the parameter, or else the label's.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.parameter("issuer")
            .or_else(|| self.label.split_once(':').map(|(issuer, _)| issuer))
    }
}

/// Whether it could be a host: no character that none may have, and digits after its last colon.
fn is_host(text: &str) -> bool {
    let port = match text.rsplit_once(':') {
        Some((_, port)) if !text.ends_with(']') => port,
        _ => "",
    };
    !text.contains([' ', '%', '"', '<', '>', '\\', '^', '`', '{', '|', '}'])
        && port.bytes().all(|b| b.is_ascii_digit())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// Decodes `%XX`, and `+` where it is a blank; `None` for a broken escape.
fn decode(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_blank => out.push(b' '),
            other => out.push(other),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Escapes for the label.
pub(super) fn escape_label(text: &str) -> String {
    escape(text, b"$&+,/:;=@")
}

/// Escapes for a parameter's value.
pub(super) fn escape_value(text: &str) -> String {
    escape(text, b"$:=@")
}

fn escape(text: &str, also_plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || also_plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(url: &str, expected: Option<(&str, Option<&str>, Option<&str>)>) {
        let found = OtpUrl::parse(url);
        let found = found
            .as_ref()
            .map(|url| (url.account(), url.issuer(), url.parameter("secret")));
        assert_eq!(found, expected, "{url}");
    }

    #[test]
    fn urls_are_read_as_the_witness_reads_them() {
        check(
            "otpauth://totp/G:t@g.com?secret=S&issuer=H",
            Some(("t@g.com", Some("H"), Some("S"))),
        );
        check(
            "otpauth://totp/t@g.com?secret=S",
            Some(("t@g.com", None, Some("S"))),
        );
        check(
            "otpauth://totp/My%20Co:al%20ice?secret=S&issuer=Big+Co",
            Some(("al ice", Some("Big Co"), Some("S"))),
        );
        check(
            "otpauth://totp/a:b:c?secret=S",
            Some(("b:c", Some("a"), Some("S"))),
        );
        check(
            "otpauth://totp/%3Aa?secret=S",
            Some(("a", Some(""), Some("S"))),
        );
        check(
            "otpauth://totp/?secret=S&issuer=x",
            Some(("", Some("x"), Some("S"))),
        );
        check("otpauth://totp?secret=S", Some(("", None, Some("S"))));
        check("https://totp/a?secret=S", Some(("a", None, Some("S"))));
        check("otpauth:totp/x:a?secret=S", Some(("", None, Some("S"))));
        check("otpauth://totp/a?secret=%ZZ", Some(("a", None, None)));
        check(
            "otpauth://totp:9//a/?secret=S",
            Some(("/a/", None, Some("S"))),
        );
        check("otpauth://[::1]/a?secret=S", Some(("a", None, Some("S"))));
        check("bad url", Some(("bad url", None, None)));
        for bad in [
            ":",
            "1a:b?secret=S",
            "otpauth://totp/a%zz?secret=S",
            "otpauth://to tp/a?secret=S",
            "  otpauth://totp/a?secret=S",
            "otpauth://totp:x/a?secret=S",
            "otpauth://totp/a\u{1}?secret=S",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn what_is_escaped_reads_back() {
        let odd = "i&+=/?,;:@ \u{dc}!*";
        assert_eq!(escape_label(odd), "i&+=/%3F,;:@%20%C3%9C%21%2A");
        assert_eq!(escape_value(odd), "i%26%2B=%2F%3F%2C%3B:@%20%C3%9C%21%2A");
        let url = format!("otpauth://totp/x?issuer={}", escape_value(odd));
        assert_eq!(OtpUrl::parse(&url).unwrap().issuer(), Some(odd));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,60}") {
            let _ = OtpUrl::parse(&text);
        }
    }
}
