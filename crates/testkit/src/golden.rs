//! Recorded pairs of request and answer, kept in text files and reviewed as diffs.
//!
//! ```text
//! # what it shows
//! @ /data/status = "done"       (asked again until it is so)
//! > PUT sys/mounts/m
//! > {"type":"kv"}
//! < 204
//! < {"data":…}                  (keys sorted; nothing = an empty body)
//! ```
//!
//! What differs from run to run is masked: `<uuid>`, `<accessor>`, `<time>`, `<ms>`, and values that the test names, such as `<sha256 of tp1>`,
//! which stand in requests as well. `<answered NAME>` in a request is the member `data.NAME` of an answer before it.
//! `LINCHPIN_UPDATE_GOLDEN=1` writes the `<` lines anew.

use std::fs;
use std::path::Path;

use linchpin_client::{Method, Reply, Request};
use serde_json::Value;

use crate::{Target, until};

/// One request with its answer.
#[derive(Debug, Default)]
struct Pair {
    title: Vec<String>,
    /// A JSON pointer and the value that is waited for.
    condition: Option<(String, Value)>,
    request: Vec<String>,
    answer: Vec<String>,
}

/// Values that stand under a name in the files.
#[derive(Clone, Debug, Default)]
pub struct Masks(Vec<(String, String)>);

impl Masks {
    /// Names one more value; it is written `<name>`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((format!("<{name}>"), value.to_owned()));
        self
    }

    fn hide(&self, text: &str) -> String {
        let hide = |text: String, (name, value): &(String, String)| text.replace(value, name);
        self.0.iter().fold(text.to_owned(), hide)
    }

    fn show(&self, text: &str) -> String {
        let show = |text: String, (name, value): &(String, String)| text.replace(name, value);
        self.0.iter().fold(text.to_owned(), show)
    }
}

/// Sends every request of the file, one after the other, after `dress` has added what its client sends along, and compares the answers.
/// Returns how many there were.
pub async fn play(
    t: &Target,
    file: &Path,
    masks: &Masks,
    dress: impl Fn(Request) -> Request,
) -> usize {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let pairs = pairs(&text);
    let mut masks = masks.clone();
    let mut written = String::new();
    let mut differences = Vec::new();
    for pair in &pairs {
        let (first, body) = pair.request.split_first().expect("a request has a line");
        let first = masks.show(first);
        let (method, path) = first.split_once(' ').expect("a method and a path");
        let method = method.parse::<Method>().expect("a method");
        let body = masks.show(&body.concat());
        let ask = || async {
            let mut request = dress(Request::new(method.clone(), path));
            if !body.is_empty() {
                request = request.bytes(body.clone());
            }
            let reply = t.send(request).await;
            let waits = pair.condition.as_ref();
            let is_there = waits.is_none_or(|(pointer, value)| reply.at(pointer) == *value);
            is_there.then_some(reply)
        };
        let reply = until(&format!("the answer to {first}"), ask).await;
        let answer = render(&reply, &masks);
        if let Value::Object(data) = reply.data() {
            for (name, value) in data {
                if let Value::String(value) = value {
                    let name = format!("<answered {name}>");
                    masks.0.retain(|(known, _)| *known != name);
                    // Only for requests: in answers it has a mask already, or is shown.
                    masks.0.push((name, value));
                }
            }
        }
        if answer != pair.answer {
            differences.push(format!(
                "# {}\n> {}\nrecorded:\n{}\nanswered:\n{}\n",
                pair.title.join(" "),
                pair.request.join("\n> "),
                pair.answer.join("\n"),
                answer.join("\n")
            ));
        }
        written += &pair.write(&answer);
    }
    if std::env::var_os("LINCHPIN_UPDATE_GOLDEN").is_some() {
        fs::write(file, written).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    } else {
        assert!(
            differences.is_empty(),
            "{}: {} answers differ from what is recorded (LINCHPIN_UPDATE_GOLDEN=1 records them anew):\n{}",
            file.display(),
            differences.len(),
            differences.join("\n")
        );
    }
    pairs.len()
}

impl Pair {
    fn write(&self, answer: &[String]) -> String {
        let mut text = String::new();
        for line in &self.title {
            text += &format!("# {line}\n");
        }
        if let Some((pointer, value)) = &self.condition {
            text += &format!("@ {pointer} = {value}\n");
        }
        for line in &self.request {
            text += &format!("> {line}\n");
        }
        for line in answer {
            text += &format!("< {line}\n");
        }
        text + "\n"
    }
}

fn pairs(text: &str) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = Vec::new();
    // A pair begins with its title, or with its first line where there is none.
    let mut open = false;
    for line in text.lines() {
        let Some((mark, rest)) = line.split_at_checked(1) else {
            open = false;
            continue;
        };
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        if !open {
            pairs.push(Pair::default());
            open = true;
        }
        let Some(pair) = pairs.last_mut() else {
            continue;
        };
        match mark {
            "#" => pair.title.push(rest.to_owned()),
            ">" => pair.request.push(rest.to_owned()),
            "<" => pair.answer.push(rest.to_owned()),
            "@" => {
                let (pointer, value) = rest.split_once(" = ").expect("a pointer and a value");
                let value = serde_json::from_str(value).expect("a JSON value");
                pair.condition = Some((pointer.to_owned(), value));
            }
            _ => panic!("a line of a golden file begins with #, @, > or <, not {line:?}"),
        }
    }
    pairs
}

fn render(reply: &Reply, masks: &Masks) -> Vec<String> {
    let mut lines = vec![reply.status().to_string()];
    if reply.body().is_empty() {
        return lines;
    }
    let body = match reply.json() {
        Ok(body) => mask("", body).to_string(),
        Err(_) => String::from_utf8_lossy(reply.body()).into_owned(),
    };
    let named = masks
        .0
        .iter()
        .filter(|(name, _)| !name.starts_with("<answered"));
    lines.push(Masks(named.cloned().collect()).hide(&body));
    lines
}

/// Puts what a value is in the place of one that is another in every run.
fn mask(key: &str, value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(members.map(|(k, v)| (k.clone(), mask(&k, v))).collect())
        }
        Value::Array(values) => values.into_iter().map(|value| mask(key, value)).collect(),
        Value::String(text) if key == "accessor" && !text.is_empty() => "<accessor>".into(),
        Value::String(text) if is_uuid(&text) => "<uuid>".into(),
        Value::String(text) if is_time(&text) => "<time>".into(),
        Value::Number(_) if key == "milliseconds" => "<ms>".into(),
        other => other,
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// RFC 3339, to the second and beyond.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).copied();
    text.len() >= 20
        && at(4) == Some(b'-')
        && at(10) == Some(b'T')
        && at(13) == Some(b':')
        && at(19).is_some_and(|end| b".Z+-".contains(&end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_file_is_written_as_it_was_read() {
        let text = "# a title\n# of two lines\n@ /data/a = \"b\"\n> PUT x\n> {}\n< 200\n< {}\n\n> GET y\n< 404\n\n";
        let read = pairs(text);
        assert_eq!(read.len(), 2);
        let written: String = read.iter().map(|pair| pair.write(&pair.answer)).collect();
        assert_eq!(written, text);
    }

    #[test]
    fn what_differs_from_run_to_run_is_masked_and_the_rest_is_not() {
        let answer = json!({
            "request_id": "0a52a6a0-2f1c-4b9c-8f64-5b5c7a3f1b10",
            "data": {"accessor": "kv_12ab", "milliseconds": 17, "since": "2026-01-02T15:04:05Z",
                "uuid": "no uuid", "default_lease_ttl": 17},
        });
        let masked = json!({
            "request_id": "<uuid>",
            "data": {"accessor": "<accessor>", "milliseconds": "<ms>", "since": "<time>",
                "uuid": "no uuid", "default_lease_ttl": 17},
        });
        assert_eq!(mask("", answer), masked);
        let masks = Masks::default().with("sha256 of a", "abcd");
        assert_eq!(masks.hide("is abcd"), "is <sha256 of a>");
        assert_eq!(masks.show("is <sha256 of a>"), "is abcd");
    }
}
