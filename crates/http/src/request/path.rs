//! The path: redirections, the `/v1` prefix, and the words for what cannot be served.

use crate::error::Refusal;
use http::{Method, Uri};
use linchpin_model::{ErrorKind, Operation, PathError, request_path};

/// The escaped path below `/v1/`.
///
/// Cleaning looks at the path as it was sent: an escaped `.` or `/` is no reason for a redirection
/// (and is refused, or part of a name, later).
pub(super) fn below_v1<'a>(method: &Method, uri: &'a Uri) -> Result<&'a str, Refusal> {
    let sent = uri.path();
    let page = matches!(*method, Method::GET | Method::HEAD);
    let Some(below) = sent.strip_prefix("/v1/") else {
        return Err(match sent {
            "/" | "/ui" => Refusal::Redirect {
                location: "/ui/".to_owned(),
                page,
            },
            _ => Refusal::empty(ErrorKind::NotFound),
        });
    };
    if is_clean(below) {
        return Ok(below);
    }
    let mut location = cleaned(sent);
    if let Some(query) = uri.query() {
        location.push('?');
        location.push_str(query);
    }
    Err(Refusal::Redirect { location, page })
}

fn is_clean(below: &str) -> bool {
    let mut segments = below.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if segment == "." || segment == ".." || (segment.is_empty() && !last) {
            return false;
        }
    }
    true
}

/// The path without empty and relative segments, as Go cleans it; a final slash stays.
fn cleaned(sent: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in sent.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    let mut out = String::with_capacity(sent.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    // `..` leaves its parent, which is written with a slash when it is all that is left to name.
    let was_folder = sent.ends_with('/') || (sent.ends_with("/..") && kept.len() < 2);
    if out.is_empty() || was_folder {
        out.push('/');
    }
    out
}

/// Decodes and checks the path.
pub(super) fn canonical(escaped: &str, operation: Operation) -> Result<String, Refusal> {
    request_path(escaped).map_err(|error| match error {
        PathError::Character => unreadable(escaped, operation),
        other => Refusal::plain(other.to_string()),
    })
}

/// Which kind of unreadable: Vault tells them apart, and what cannot be stored cannot be found.
fn unreadable(escaped: &str, operation: Operation) -> Refusal {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low).unwrap_or(0)),
            _ => return Refusal::BrokenEscape,
        }
    }
    if bytes.iter().any(u8::is_ascii_control) || std::str::from_utf8(&bytes).is_ok() {
        return Refusal::Unprintable;
    }
    let why = "key contains invalid UTF-8 characters";
    match operation {
        Operation::Update | Operation::Patch => Refusal::wrapped(
            ErrorKind::InvalidRequest,
            &format!("failed to write: {why}"),
        ),
        Operation::Delete => Refusal::wrapped(ErrorKind::InvalidRequest, why),
        _ => Refusal::empty(ErrorKind::NotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(sent: &str, expected: Result<&str, &str>) {
        let uri: Uri = sent.parse().unwrap();
        let found = below_v1(&Method::GET, &uri);
        match (found, expected) {
            (Ok(below), Ok(expected)) => assert_eq!(below, expected, "{sent}"),
            (Err(Refusal::Redirect { location, .. }), Err(expected)) => {
                assert_eq!(location, expected, "{sent}");
            }
            (Err(Refusal::Errors(ErrorKind::NotFound, _)), Err("404")) => {}
            (other, _) => panic!("{sent}: {other:?}"),
        }
    }

    #[test]
    fn paths_are_cleaned_by_redirection() {
        check("/v1/k/ex", Ok("k/ex"));
        check("/v1/", Ok(""));
        check("/v1/k/", Ok("k/"));
        check("/v1/k/a..b/...", Ok("k/a..b/..."));
        check("/v1/%2e%2e/k", Ok("%2e%2e/k"));
        check("/v1/k//ex", Err("/v1/k/ex"));
        check("/v1/k//ex?a=1&b=2", Err("/v1/k/ex?a=1&b=2"));
        check("/v1//k", Err("/v1/k"));
        check("/v1//", Err("/v1/"));
        check("/v1/k/./ex", Err("/v1/k/ex"));
        check("/v1/k/.", Err("/v1/k"));
        check("/v1/k/./", Err("/v1/k/"));
        check("/v1/k/x/../ex", Err("/v1/k/ex"));
        check("/v1/k/..", Err("/v1/"));
        check("/v1/../../x", Err("/x"));
        check("/", Err("/ui/"));
        for nowhere in ["/v1", "/v2/x", "//v1/k", "/..", "/x"] {
            check(nowhere, Err("404"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let refusal = |path, op| canonical(path, op).unwrap_err();
        assert_eq!(refusal("k/a%zz", Operation::Read), Refusal::BrokenEscape);
        assert_eq!(refusal("k/a%4", Operation::Read), Refusal::BrokenEscape);
        for control in ["k/%00", "k/%0a", "k/%7f", "k/%ff%00", "k/%c2%85"] {
            assert_eq!(refusal(control, Operation::Update), Refusal::Unprintable);
        }
        assert_eq!(
            refusal("k/%ff", Operation::Read),
            Refusal::empty(ErrorKind::NotFound)
        );
        assert!(matches!(
            refusal("k/%ff", Operation::Update),
            Refusal::Errors(ErrorKind::InvalidRequest, _)
        ));
        assert_eq!(
            refusal("%2e%2e/x", Operation::Read),
            Refusal::plain("relative paths not supported")
        );
    }

    proptest! {
        #[test]
        fn a_redirection_leads_to_a_clean_path(below in "[a-z./%]{0,30}") {
            let sent = format!("/v1/{below}");
            if let Ok(uri) = sent.parse::<Uri>()
                && let Err(Refusal::Redirect { location, .. }) = below_v1(&Method::GET, &uri)
                && let Some(rest) = location.strip_prefix("/v1/")
            {
                prop_assert!(is_clean(rest), "{sent} -> {location}");
            }
        }
    }
}
