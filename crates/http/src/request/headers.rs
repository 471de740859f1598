//! Request headers: token, namespace, wrapping, media type, and what engines may see.

use crate::error::Refusal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use linchpin_model::{ErrorKind, WrapRequest, duration};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
const WRAP_TTL: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");
const WRAP_FORMAT: HeaderName = HeaderName::from_static("x-vault-wrap-format");
const INDEX: HeaderName = HeaderName::from_static("x-vault-index");

const MERGE_PATCH: &str = "application/merge-patch+json";

/// Which header carried the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// `X-Vault-Token`, or no header at all.
    Token,
    /// `Authorization: Bearer`.
    Bearer,
}

/// The token of a request.
pub(crate) struct Credentials {
    pub(crate) token: Option<String>,
    pub(crate) source: Source,
}

/// Finds the token (core-api §1.1): `X-Vault-Token` wins, also when it is wrong; the word `Bearer`
/// is case-sensitive.
pub(crate) fn credentials(headers: &HeaderMap) -> Credentials {
    let sent = text(headers, &TOKEN);
    if let Some(token) = sent.filter(|token| !token.is_empty()) {
        return Credentials {
            token: Some(token),
            source: Source::Token,
        };
    }
    let bearer = text(headers, &header::AUTHORIZATION)
        .and_then(|value| Some(value.strip_prefix("Bearer ")?.trim().to_owned()))
        .filter(|token| !token.is_empty());
    Credentials {
        source: if bearer.is_some() {
            Source::Bearer
        } else {
            Source::Token
        },
        token: bearer,
    }
}

/// The headers that the pipeline may pass on, names in Go's canonical form. The token is in none
/// of them: it travels in its own field only.
pub(crate) fn passed_headers(
    headers: &HeaderMap,
    uri: &Uri,
    source: Source,
) -> Vec<(String, String)> {
    let mut out = Vec::with_capacity(headers.len() + 1);
    for (name, value) in headers {
        if *name == TOKEN || (*name == header::AUTHORIZATION && source == Source::Bearer) {
            continue;
        }
        out.push((canonical_name(name.as_str()), lossy(value)));
    }
    // HTTP/2 has no Host header, but the same fact.
    if let (false, Some(authority)) = (headers.contains_key(header::HOST), uri.authority()) {
        out.push(("Host".to_owned(), authority.as_str().to_owned()));
    }
    out
}

/// `x-custom-id` as `X-Custom-Id`.
fn canonical_name(name: &str) -> String {
    let mut upper = true;
    name.chars()
        .map(|c| {
            let out = if upper { c.to_ascii_uppercase() } else { c };
            upper = c == '-';
            out
        })
        .collect()
}

/// Refuses what can be refused by its headers alone.
pub(super) fn check(headers: &HeaderMap, path: &str) -> Result<(), Refusal> {
    if let Some(namespace) = text(headers, &NAMESPACE)
        && !matches!(namespace.trim_matches('/'), "" | "root")
    {
        if path == "sys/health" {
            return Err(Refusal::plain("operation unavailable in namespaces"));
        }
        return Err(Refusal::Errors(
            ErrorKind::NotFound,
            vec!["namespace not found".to_owned()],
        ));
    }
    if let Some(index) = text(headers, &INDEX)
        && STANDARD.decode(&index).is_err()
    {
        return Err(Refusal::plain("failed to decode \"X-Vault-Index\""));
    }
    Ok(())
}

/// The wrapping that is asked for; a TTL of zero asks for none.
pub(crate) fn wrap(headers: &HeaderMap) -> Result<Option<WrapRequest>, Refusal> {
    let Some(ttl) = text(headers, &WRAP_TTL).filter(|ttl| !ttl.is_empty()) else {
        return Ok(None);
    };
    let ttl = duration::parse(&ttl).map_err(|error| {
        let is_negative = ttl
            .strip_prefix('-')
            .is_some_and(|positive| duration::parse(positive).is_ok());
        let why = match is_negative {
            true => "requested wrap ttl cannot be negative",
            false => error.of_gos_parser(),
        };
        Refusal::plain(format!("error parsing X-Vault-Wrap-TTL header: {why}"))
    })?;
    let format = text(headers, &WRAP_FORMAT).filter(|format| format == "jwt");
    Ok((!ttl.is_zero()).then(|| WrapRequest {
        ttl,
        format: format.unwrap_or_default(),
    }))
}

/// PATCH takes one media type only.
pub(super) fn check_merge_patch(headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    match media_type(&sent) {
        "" => Err(Refusal::plain("mime: no media type")),
        _ if !parameters_are_well_formed(&sent) => {
            Err(Refusal::plain("mime: invalid media parameter"))
        }
        found if found.eq_ignore_ascii_case(MERGE_PATCH) => Ok(()),
        found => Err(Refusal::Errors(
            ErrorKind::UnsupportedMediaType,
            vec![format!(
                "PATCH requires Content-Type of {MERGE_PATCH}, provided {}",
                found.to_ascii_lowercase()
            )],
        )),
    }
}

/// A media type without its parameters.
pub(crate) fn media_type(sent: &str) -> &str {
    sent.split(';').next().unwrap_or_default().trim()
}

fn parameters_are_well_formed(sent: &str) -> bool {
    sent.split(';')
        .skip(1)
        .map(str::trim)
        .filter(|parameter| !parameter.is_empty())
        .all(|parameter| {
            parameter
                .split_once('=')
                .is_some_and(|(name, _)| !name.trim().is_empty())
        })
}

/// The first value of a header, without surrounding blanks.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers
        .get(name)
        .map(|value| lossy(value).trim().to_owned())
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
        list.iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn the_token_is_found_as_vault_finds_it() {
        for (sent, expected) in [
            (&[("x-vault-token", "root")][..], Some("root")),
            (&[("x-vault-token", " root ")], Some("root")),
            (&[("authorization", "Bearer root")], Some("root")),
            (&[("authorization", "bearer root")], None),
            (&[("authorization", "root")], None),
            (&[("authorization", "Basic cm9vdA==")], None),
            (
                &[("x-vault-token", "bad"), ("authorization", "Bearer root")],
                Some("bad"),
            ),
            (
                &[("x-vault-token", ""), ("authorization", "Bearer root")],
                Some("root"),
            ),
            (&[("x-vault-token", "")], None),
            (&[("x-bao-token", "root")], None),
            (&[("x-vault-token", "röt")], Some("röt")),
        ] {
            assert_eq!(
                credentials(&headers(sent)).token.as_deref(),
                expected,
                "{sent:?}"
            );
        }
    }

    #[test]
    fn no_passed_header_holds_the_token() {
        let sent = headers(&[
            ("authorization", "Bearer root"),
            ("x-custom-id", "7"),
            ("host", "h"),
        ]);
        let source = credentials(&sent).source;
        let passed = passed_headers(&sent, &Uri::from_static("/"), source);
        assert!(passed.contains(&("X-Custom-Id".to_owned(), "7".to_owned())));
        assert!(passed.iter().all(|(_, value)| !value.contains("root")));
        // Beside X-Vault-Token an Authorization header is an ordinary one.
        let sent = headers(&[("authorization", "Bearer other"), ("x-vault-token", "root")]);
        let passed = passed_headers(&sent, &Uri::from_static("/"), credentials(&sent).source);
        assert_eq!(
            passed,
            [("Authorization".to_owned(), "Bearer other".to_owned())]
        );
    }

    #[test]
    fn only_the_root_namespace_exists() {
        for root in ["", "/", "root", "root/"] {
            assert_eq!(check(&headers(&[("x-vault-namespace", root)]), "k"), Ok(()));
        }
        assert!(matches!(
            check(&headers(&[("x-vault-namespace", "nope")]), "k"),
            Err(Refusal::Errors(ErrorKind::NotFound, _))
        ));
        assert_eq!(
            check(&headers(&[("x-vault-namespace", "nope")]), "sys/health"),
            Err(Refusal::plain("operation unavailable in namespaces"))
        );
    }

    #[test]
    fn wrapping_is_parsed_with_gos_words() {
        let of = |ttl: &str| wrap(&headers(&[("x-vault-wrap-ttl", ttl)]));
        assert_eq!(of("60").unwrap().unwrap().ttl, Duration::from_secs(60));
        assert_eq!(of("5d").unwrap().unwrap().ttl, Duration::from_secs(432_000));
        assert_eq!(of("0"), Ok(None));
        assert_eq!(of(""), Ok(None));
        for (ttl, why) in [
            ("bad", "strconv.ParseInt: parsing \"ba\": invalid syntax"),
            ("d", "strconv.ParseInt: parsing \"\": invalid syntax"),
            ("xyz", "time: invalid duration \"xyz\""),
            ("-x", "time: invalid duration \"-x\""),
            ("1x", "time: unknown unit \"x\" in duration \"1x\""),
            ("1.5", "time: missing unit in duration \"1.5\""),
            ("-5", "requested wrap ttl cannot be negative"),
            ("-1h", "requested wrap ttl cannot be negative"),
        ] {
            let text = format!("error parsing X-Vault-Wrap-TTL header: {why}");
            assert_eq!(of(ttl), Err(Refusal::plain(text)), "{ttl}");
        }
    }

    #[test]
    fn a_patch_needs_its_media_type() {
        let of = |sent: &str| check_merge_patch(&headers(&[("content-type", sent)]));
        assert_eq!(of("application/merge-patch+json"), Ok(()));
        assert_eq!(of("Application/Merge-Patch+json; charset=utf-8"), Ok(()));
        assert_eq!(of(""), Err(Refusal::plain("mime: no media type")));
        assert_eq!(of(";;"), Err(Refusal::plain("mime: no media type")));
        assert_eq!(
            of("application/merge-patch+json; x"),
            Err(Refusal::plain("mime: invalid media parameter"))
        );
        assert!(matches!(
            of("application/json"),
            Err(Refusal::Errors(ErrorKind::UnsupportedMediaType, _))
        ));
    }
}
