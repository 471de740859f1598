//! What must hold for any path: of a request, a mount, a key, an engine (core-api §1.4, plugin-lifecycle §0.5).
//!
//! The input is a byte that picks the method, then up to two texts with a line feed between them: a path, and a pattern or another
//! path. Shared by the fuzz target and the test that replays its corpus.

use http::{HeaderMap, Method, Uri, header};
use linchpin_engine::path::Pattern;
use linchpin_http::fuzzing;
use linchpin_model::{MountPath, Operation, request_path};
use linchpin_storage::{Key, MAX_KEY_LENGTH, Prefix};

/// Checks one input; whether the path would reach an engine.
pub(crate) fn check(data: &[u8]) -> bool {
    let Some((&method, text)) = data.split_first() else {
        return false;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    decoding(first);
    mounts(first, second);
    keys(first, second);
    for pattern in PATTERNS {
        matching(pattern, first);
    }
    // Patterns are written by authors of engines: three parameters are many, and each more costs a factor.
    if second.len() < 64 && second.matches('{').count() <= 3 {
        matching(second, first.get(..256).unwrap_or(first));
    }
    heads(method, first)
}

/// The patterns that engines have, one of each shape.
const PATTERNS: [&str; 8] = [
    "config",
    "keys/?",
    "keys/{name}",
    "code/{name:segment}",
    "catalog/{type:auth|secret|database}/{name:rest}",
    "mounts/{path:rest}/tune",
    "reload/{type}/{name:rest}/?",
    "{path:rest}",
];

fn decoding(escaped: &str) {
    let Ok(path) = request_path(escaped) else {
        return;
    };
    assert!(path.len() <= 20_000 && !path.chars().any(char::is_control));
    assert!(path.split('/').all(|part| part != "." && part != ".."));
    assert_eq!(path.contains('%'), escaped.contains("%25"), "decoded once");
    if !escaped.contains('%') {
        assert_eq!(path, escaped);
    }
    let every_byte: String = path.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(request_path(&every_byte).as_ref(), Ok(&path));
}

fn mounts(first: &str, second: &str) {
    let Some(mount) = MountPath::new(first) else {
        assert!(first.chars().all(|c| c == '/'));
        return;
    };
    let text = mount.as_str();
    assert!(text.ends_with('/') && !text.ends_with("//") && !text.starts_with('/'));
    assert_eq!(MountPath::new(text).as_ref(), Some(&mount));
    assert!(mount.overlaps(&mount));
    if let Some(other) = MountPath::new(second) {
        assert_eq!(mount.overlaps(&other), other.overlaps(&mount));
        let below = |a: &MountPath, b: &MountPath| {
            let mut parts = b.as_str().split_terminator('/');
            a.as_str()
                .split_terminator('/')
                .all(|part| parts.next() == Some(part))
        };
        let expected = below(&mount, &other) || below(&other, &mount);
        assert_eq!(mount.overlaps(&other), expected, "{mount} {other}");
    }
}

fn keys(first: &str, second: &str) {
    let key = Key::new(first);
    assert_eq!(key.as_str(), first);
    assert!(!key.to_string().chars().any(char::is_control));
    if key.check().is_ok() {
        assert!((1..=MAX_KEY_LENGTH).contains(&first.len()) && !first.starts_with('/'));
        assert!(!first.chars().any(char::is_control));
    }
    let prefix = Prefix::new(first);
    assert_eq!(Prefix::new(prefix.as_str()), prefix);
    assert!(prefix.as_str().is_empty() || prefix.as_str().ends_with('/'));
    let child = prefix.key(second);
    assert_eq!(child.as_str().strip_prefix(prefix.as_str()), Some(second));
    assert!(prefix.below(second).as_str().starts_with(prefix.as_str()));
}

/// A pattern against a path, and against a matcher that knows nothing of order or speed.
fn matching(source: &str, path: &str) {
    let Ok(pattern) = Pattern::parse(source) else {
        return;
    };
    assert_eq!(pattern.source(), source);
    let captures = pattern.captures(path);
    let mut names: Vec<&str> = pattern.parameters().map(|(name, _)| name).collect();
    let count = names.len();
    assert_eq!(pattern.template().contains('{'), count > 0);
    names.sort_unstable();
    names.dedup();
    if let Some(captures) = &captures {
        assert!(
            captures
                .keys()
                .map(String::as_str)
                .eq(names.iter().copied())
        );
        assert!(captures.values().all(|value| !value.is_empty()));
        // Put back into the pattern, the captures are the path.
        if count == names.len() && !source.contains("}}") {
            let filled = captures
                .iter()
                .fold(template(source), |text, (name, value)| {
                    text.replace(&format!("\u{1}{name}\u{2}"), value)
                });
            let fits = path == filled || path.strip_suffix('/') == Some(&filled);
            assert!(
                fits || path.contains(['\u{1}', '\u{2}']),
                "{source}: {path} is not {filled}"
            );
        }
    }
    if path.len() <= 48 && count <= 3 {
        assert_eq!(
            captures.is_some(),
            slowly(source, path),
            "{source} {path:?}"
        );
    }
}

/// The pattern with `\u{1}name\u{2}` for each parameter, and without the optional slash.
fn template(source: &str) -> String {
    let mut rest = source.strip_suffix("/?").unwrap_or(source);
    let mut out = String::new();
    while let Some((literal, after)) = rest.split_once('{') {
        let (parameter, tail) = after.split_once('}').expect("it was parsed");
        let name = parameter.split(':').next().unwrap_or_default();
        out = out + literal + "\u{1}" + name + "\u{2}";
        rest = tail;
    }
    out + rest
}

fn slowly(source: &str, path: &str) -> bool {
    if let Some(body) = source.strip_suffix("/?") {
        return slow_body(body, path)
            || path
                .strip_suffix('/')
                .is_some_and(|path| slow_body(body, path));
    }
    slow_body(source, path)
}

fn slow_body(body: &str, path: &str) -> bool {
    let Some((literal, after)) = body.split_once('{') else {
        return body == path;
    };
    let (parameter, tail) = after.split_once('}').expect("it was parsed");
    let Some(path) = path.strip_prefix(literal) else {
        return false;
    };
    let class = parameter.split_once(':').map_or("word", |(_, class)| class);
    let borders = path.char_indices().map(|(at, c)| at + c.len_utf8());
    borders.into_iter().any(|end| {
        let (value, rest) = path.split_at(end);
        fits(class, value) && slow_body(tail, rest)
    })
}

fn fits(class: &str, value: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match class {
        "rest" => true,
        "segment" => !value.contains('/'),
        "word" => {
            let inside = value.chars().all(|c| word(c) || c == '.' || c == '-');
            inside && value.starts_with(word) && value.ends_with(word)
        }
        choice => !value.contains('/') && choice.split('|').any(|one| one == value),
    }
}

/// The whole head of a request with this path, with or without its `/v1/`.
fn heads(method: u8, path: &str) -> bool {
    let method = match method & 7 {
        0 => Method::POST,
        1 => Method::DELETE,
        2 => Method::from_bytes(b"LIST").expect("a method"),
        3 => Method::PATCH,
        4 => Method::from_bytes(b"SCAN").expect("a method"),
        5 => Method::HEAD,
        _ => Method::GET,
    };
    let sent = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/v1/{path}")
    };
    let Ok(uri) = sent.parse::<Uri>() else {
        return false;
    };
    let headers = HeaderMap::new();
    match fuzzing::head(&method, &uri, &headers) {
        Ok((operation, path, _)) => {
            reaches(operation, &path);
            true
        }
        Err(refusal) => {
            let status = refusal.status().as_u16();
            assert!(
                [307, 400, 404, 405, 415].contains(&status),
                "{sent}: {status}"
            );
            if status == 307 {
                let to = refusal.headers().get(header::LOCATION).expect("a location");
                let to = to.to_str().expect("ASCII");
                assert!(
                    to.starts_with('/') && !to.starts_with("//"),
                    "{sent} -> {to}"
                );
                let next = to.parse::<Uri>().expect("a location is a path");
                let next = fuzzing::head(&method, &next, &headers);
                let again = next.is_err_and(|answer| answer.status() == 307);
                // The root leads to the UI, which is not below `/v1/`.
                let root = matches!(to.split('?').next(), Some("/" | "/ui" | "/ui/"));
                assert!(!again || root, "{sent} -> {to} -> again");
            }
            false
        }
    }
}

fn reaches(operation: Operation, path: &str) {
    assert!(path.len() <= 20_001 && !path.chars().any(char::is_control));
    assert!(
        path.split('/').all(|part| part != "." && part != ".."),
        "{path}"
    );
    match operation {
        Operation::List | Operation::Scan => assert!(path.is_empty() || path.ends_with('/')),
        Operation::Update | Operation::Patch => assert!(!path.ends_with('/')),
        _ => {}
    }
}
