//! What must hold for any message that a plugin answers with, up to the HTTP answer that is made of it (plugin-protocol §3.8, §3.9,
//! §3.13).
//!
//! The first byte of the input says which call is answered, the second what the client had asked; the rest is protobuf. Shared by
//! the fuzz target and the test that replays its corpus.

use std::collections::BTreeMap;

use http::{HeaderName, header};
use linchpin_catalog::check_reported;
use linchpin_engine::{Error, SpecialPaths};
use linchpin_goplugin::convert::{
    PluginError, answer_from_wire, answer_to_wire, request_from_wire, request_to_wire,
};
use linchpin_goplugin::proto::{logical, pb};
use linchpin_http::fuzzing;
use linchpin_model::{Operation, PluginEntry, PluginType, Response, Sha256};
use prost::Message;
use serde_json::value::RawValue;

/// Checks one input; whether it is an answer with something in it.
pub(crate) fn check(data: &[u8]) -> bool {
    let &[call, asked, ref message @ ..] = data else {
        return false;
    };
    let operation = match asked & 7 {
        0 => Operation::Read,
        1 => Operation::Update,
        2 => Operation::List,
        3 => Operation::Help,
        4 => Operation::Delete,
        5 => Operation::Scan,
        6 => Operation::Create,
        _ => Operation::Header,
    };
    match call {
        0..=199 => pb::HandleRequestReply::decode(message)
            .is_ok_and(|reply| handled(reply, operation, message.len())),
        200..=214 => pb::SpecialPathsReply::decode(message)
            .is_ok_and(|reply| special_paths(reply.paths.unwrap_or_default(), asked)),
        215..=224 => pb::InitializeReply::decode(message)
            .is_ok_and(|reply| reply.err.is_some_and(|error| failed(error, operation))),
        225..=234 => pb::HandleExistenceCheckReply::decode(message)
            .is_ok_and(|reply| reply.err.is_some_and(|error| failed(error, operation))),
        235..=239 => logical::VersionReply::decode(message)
            .is_ok_and(|reply| reported(&reply.plugin_version)),
        // A request goes the other way; but the SDK reads it from a host that is no more trusted than a plugin.
        _ => pb::Request::decode(message).is_ok_and(asked_of_a_plugin),
    }
}

fn handled(reply: pb::HandleRequestReply, operation: Operation, size: usize) -> bool {
    let Ok(answer) = answer_from_wire(reply.response, reply.err) else {
        return false;
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            rendered_error(error.into(), operation, size);
            return false;
        }
    };
    let Some(response) = answer else {
        rendered(None, operation, size);
        return false;
    };
    assert!(response.raw.is_none() || response.data.is_none());
    assert!(
        !response.inject_top_level && !response.accepted,
        "ours alone"
    );

    // What an engine in a Rust plugin answers with the same meaning reads the same: the form is final.
    let (sent, error) = answer_to_wire(Ok(Some(response.clone())));
    assert_eq!(error, None);
    let sent = sent.expect("there is a response");
    let sent = pb::Response::decode(sent.encode_to_vec().as_slice()).expect("our own message");
    let again = answer_from_wire(Some(sent.clone()), None).expect("our own response");
    let again = again.unwrap_or_else(|error| panic!("an answer stays one: {error}"));
    let (sent_again, _) = answer_to_wire(Ok(again));
    assert_eq!(sent_again, Some(sent));

    rendered(Some(response), operation, size);
    true
}

/// An answer of HTTP for an answer of an engine.
fn rendered(response: Option<Response>, operation: Operation, size: usize) {
    let answer = fuzzing::answer("id", operation, Ok(response.clone()));
    let (parts, body) = split(answer);
    assert!((200..600).contains(&parts.status.as_u16()));
    // Text that becomes `\u0000`, headers, and the envelope.
    assert!(body.len() <= 6 * size + 512, "{} of {size}", body.len());
    let of_ours = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|v| v == "application/json");
    let raw = response.as_ref().and_then(|response| response.raw.as_ref());
    match raw {
        Some(raw) if parts.status.as_u16() == raw.status => {
            assert!(raw.status == 204 || body == raw.body, "sent as it is");
        }
        _ if body.is_empty() => {}
        _ if of_ours => envelope(&body, response.as_ref(), operation),
        _ => panic!("a body of unknown kind"),
    }
    let framing = [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
    ];
    assert!(
        !framing
            .iter()
            .any(|name: &HeaderName| parts.headers.contains_key(name))
    );
    if response.is_some_and(|response| response.redirect.is_some()) && parts.status == 307 {
        assert_eq!(parts.headers.get_all(header::LOCATION).iter().count(), 1);
    }
}

/// A body of ours is one JSON document whose data is the plugin's own text.
fn envelope(body: &[u8], response: Option<&Response>, operation: Operation) {
    let body = std::str::from_utf8(body).expect("JSON is text");
    let line = body.strip_suffix('\n').expect("it ends its line");
    let members: BTreeMap<String, &RawValue> = match serde_json::from_str(line) {
        Ok(members) => members,
        Err(_) if operation == Operation::Help => return,
        Err(error) => panic!("{error}: {line}"),
    };
    if operation == Operation::Help {
        return;
    }
    if members.len() == 1 {
        assert!(members.contains_key("errors"), "{line}");
        return;
    }
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "auth",
            "data",
            "lease_duration",
            "lease_id",
            "renewable",
            "request_id",
            "warnings",
            "wrap_info"
        ]
    );
    let sent = response.and_then(|response| response.data.as_ref());
    let sent = sent.map_or("null", |data| data.as_str().trim());
    assert_eq!(members.get("data").map(|data| data.get()), Some(sent));
}

fn failed(error: pb::ProtoError, operation: Operation) -> bool {
    let size = error.encoded_len();
    let error = PluginError::from_wire(error);
    let _ = (
        error.is_read_only(),
        error.is_unsupported(),
        error.to_string(),
    );
    let wire = error.to_wire();
    assert_eq!(PluginError::from_wire(wire.clone()).to_wire(), wire);
    rendered_error(error.into(), operation, size);
    true
}

/// An answer of HTTP for an error of a plugin: always one of the client's or the server's failures, with its text in JSON.
fn rendered_error(error: Error, operation: Operation, size: usize) {
    let kind = error.kind();
    let (_, sent) = answer_to_wire(Err(error.prefixed("")));
    let sent = PluginError::from_wire(sent.expect("an error stays one"));
    let again = Error::from(sent);
    if kind != linchpin_model::ErrorKind::Internal {
        assert_eq!(
            linchpin_http::status(kind),
            linchpin_http::status(again.kind()),
            "one hop more changes no status"
        );
    }
    let (parts, body) = split(fuzzing::answer("id", operation, Err(again.into())));
    let status = parts.status.as_u16();
    assert!((400..600).contains(&status), "{status}");
    assert!(body.len() <= 6 * size + 512, "{} of {size}", body.len());
    let members: BTreeMap<String, &RawValue> = serde_json::from_slice(&body).expect("JSON");
    assert!(members.contains_key("errors"));
}

/// Special paths as the host takes them, against a matcher that knows nothing of speed.
fn special_paths(paths: pb::Paths, asked: u8) -> bool {
    let special = SpecialPaths {
        root: paths.root,
        unauthenticated: paths.unauthenticated,
        local_storage: paths.local_storage,
        seal_wrap_storage: paths.seal_wrap_storage,
    };
    // A path that is likely to match: one of the patterns, its wildcards filled in.
    let all: Vec<&String> = special
        .unauthenticated
        .iter()
        .chain(&special.root)
        .collect();
    let mut path = all
        .get(usize::from(asked) % all.len().max(1))
        .map(|pattern| pattern.replace('+', "seg").replace('*', "t/ail"))
        .unwrap_or_default();
    if asked & 0x80 != 0 {
        path.push('x');
    }
    let is_root = special.is_root(&path);
    let expected = special.root.iter().any(|pattern| {
        match pattern.split_at_checked(pattern.len().saturating_sub(1)) {
            Some((prefix, "*")) => path.starts_with(prefix),
            _ => *pattern == path,
        }
    });
    assert_eq!(is_root, expected);
    if let Some(invalid) = special.first_invalid() {
        // Such a plugin is refused; asking all the same must not hurt.
        assert!(
            special
                .unauthenticated
                .iter()
                .any(|pattern| pattern == invalid)
        );
        let _ = special.is_unauthenticated(&path);
        return false;
    }
    let matches = special
        .unauthenticated
        .iter()
        .any(|pattern| slowly(pattern, &path));
    assert_eq!(
        special.is_unauthenticated(&path),
        matches,
        "{special:?} {path:?}"
    );
    !special.unauthenticated.is_empty()
}

/// Whether a path matches a valid pattern: exact, `*` at the end for any rest, `+` for one whole segment.
fn slowly(pattern: &str, path: &str) -> bool {
    match (pattern.chars().next(), path.chars().next()) {
        (None, None) => true,
        (Some('*'), _) => true,
        (Some('+'), _) => {
            let end = path.find('/').unwrap_or(path.len());
            slowly(&pattern[1..], &path[end..])
        }
        (Some(want), Some(got)) if want == got => {
            slowly(&pattern[want.len_utf8()..], &path[got.len_utf8()..])
        }
        _ => false,
    }
}

fn reported(version: &str) -> bool {
    let entry = PluginEntry {
        plugin_type: PluginType::Secret,
        name: "plugin".into(),
        version: "v1.2.3".parse().ok(),
        command: "plugin".into(),
        args: Vec::new(),
        env: Vec::new(),
        sha256: Sha256([0; 32]),
        oci_image: String::new(),
        runtime: String::new(),
        overlap: true,
        execution: None,
    };
    let agrees = check_reported(&entry, version);
    if let Err(error) = &agrees {
        let _ = error.to_string();
    }
    agrees.is_ok()
}

fn asked_of_a_plugin(request: pb::Request) -> bool {
    let Ok(request) = request_from_wire(request) else {
        return false;
    };
    let sent = request_to_wire(&request);
    let again = request_from_wire(sent.clone()).expect("our own request");
    assert_eq!(request_to_wire(&again), sent, "the form is final");
    true
}

fn split(answer: fuzzing::Answer) -> (http::response::Parts, bytes::Bytes) {
    use http_body_util::BodyExt as _;
    let (parts, body) = answer.into_parts();
    let mut waiting = std::task::Context::from_waker(std::task::Waker::noop());
    let collected = std::pin::pin!(body.collect());
    match std::future::Future::poll(collected, &mut waiting) {
        std::task::Poll::Ready(Ok(body)) => (parts, body.to_bytes()),
        _ => panic!("a whole body is there at once"),
    }
}
