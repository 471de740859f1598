//! Recorded pairs: `tests/golden/*.txt`, reviewed as diffs.
//!
//! ```text
//! # what it shows
//! > request line and headers (Host and Connection are added)
//! >
//! > body; `\r`, `\n`, `\xff` and `\\` are escapes, the line's end is not part of it
//! = what the handler was asked (nothing = it was not asked)
//! < status
//! < header: value          (sorted; Date left out)
//! <
//! < body; a line feed at its end is written `\n`
//! ```
//!
//! `LINCHPIN_UPDATE_GOLDEN=1` writes the `=` and `<` lines anew.

use crate::fake;
use crate::wire::{self, Answer};
use linchpin_http::Limits;
use std::path::Path;

#[derive(Default)]
struct Case {
    title: String,
    request: Vec<String>,
    expected: Vec<String>,
}

#[tokio::test]
async fn every_recorded_pair_is_answered_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("LINCHPIN_UPDATE_GOLDEN").is_some();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut checked = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut out = String::new();
        for case in cases(&text) {
            let found = play(&case).await;
            out += &format!("# {}\n", case.title);
            for line in &case.request {
                out += &format!("> {line}\n");
            }
            for line in &found {
                out += &format!("{line}\n");
            }
            out.push('\n');
            if !update {
                assert_eq!(found, case.expected, "{}: {}", file.display(), case.title);
            }
            checked += 1;
        }
        if update {
            std::fs::write(&file, out).unwrap();
        }
    }
    assert!(checked > 60, "only {checked} pairs were found");
}

fn cases(text: &str) -> Vec<Case> {
    let mut out: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            out.push(Case {
                title: title.to_owned(),
                ..Case::default()
            });
            continue;
        }
        let Some(case) = out.last_mut() else { continue };
        if let Some(sent) = line.strip_prefix('>') {
            case.request
                .push(sent.strip_prefix(' ').unwrap_or(sent).to_owned());
        } else if line.starts_with(['=', '<']) {
            case.expected.push(line.to_owned());
        }
    }
    out
}

async fn play(case: &Case) -> Vec<String> {
    let limits = Limits {
        body: 2000,
        json_depth: 10,
        json_string: 100,
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let blank = case.request.iter().position(String::is_empty);
    let (head, body) = match blank {
        Some(at) => (
            &case.request[..at],
            unescape(&case.request[at + 1..].concat()),
        ),
        None => (&case.request[..], Vec::new()),
    };
    let mut bytes = Vec::new();
    for (i, line) in head.iter().enumerate() {
        bytes.extend(unescape(line));
        bytes.extend(b"\r\n");
        if i == 0 {
            bytes.extend(b"Host: h\r\nConnection: close\r\n");
        }
    }
    if !body.is_empty()
        && !head
            .iter()
            .any(|line| line.starts_with("Transfer-Encoding"))
    {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    let answer = wire::exchange(server.address, &bytes).await;
    let mut found: Vec<String> = server
        .seen
        .lines
        .lock()
        .iter()
        .map(|line| format!("= {line}"))
        .collect();
    found.extend(render(&answer));
    server.end().await;
    found
}

fn render(answer: &Answer) -> Vec<String> {
    let mut out = vec![format!("< {}", answer.status)];
    for (name, value) in &answer.headers {
        // Its length depends on the request id only by a constant: it is in the body.
        if name != "connection" {
            out.push(format!("< {name}: {value}"));
        }
    }
    if !answer.body.is_empty() {
        out.push("<".to_owned());
        out.push(format!("< {}", escape(&without_id(&answer.text()))));
    }
    out
}

/// The request id differs each time; that it is a UUID is checked here.
fn without_id(body: &str) -> String {
    let Some((before, rest)) = body.split_once("\"request_id\":\"") else {
        return body.to_owned();
    };
    let (id, after) = rest.split_at(36);
    assert!(
        id.chars().all(|c| c.is_ascii_hexdigit() || c == '-'),
        "{id}"
    );
    format!("{before}\"request_id\":\"<id>{after}")
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        let (kind, after) = rest.split_first().unwrap();
        rest = after;
        match kind {
            b'r' => out.push(b'\r'),
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'x' => {
                let (digits, after) = rest.split_at(2);
                out.push(u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
                rest = after;
            }
            other => out.push(*other),
        }
    }
    out
}
