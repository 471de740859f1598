//! Formats of the output, and how an answer with a secret reads: Vault's table of names and values, or the answer as JSON or
//! YAML.

use std::str::FromStr;

use crate::call::Call;
use crate::failure::Failure;
use crate::session::Answer;
use crate::table::Table;
use crate::tree::Tree;
use crate::yaml;

/// How wide warnings are broken.
const WIDTH: usize = 76;

/// What `-format` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Json,
    Yaml,
    /// The answer's body as it came; for `read` only.
    Raw,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word.to_ascii_lowercase().as_str() {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "yaml" | "yml" => Ok(Self::Yaml),
            "raw" => Ok(Self::Raw),
            _ => Err(format!("Invalid output format: {word}")),
        }
    }
}

impl Format {
    /// `tree` in this format, with an end of line; none for a table.
    pub(crate) fn print(self, tree: &Tree) -> Result<Option<String>, Failure> {
        match self {
            Self::Table => Ok(None),
            Self::Json => Ok(Some(tree.json() + "\n")),
            Self::Yaml => Ok(Some(yaml::print(tree))),
            Self::Raw => Err(Failure::usage(
                "-format=raw is for read alone: use table, json or yaml",
            )),
        }
    }
}

/// What the server wants its users to know, as Vault's command line prints it.
pub(crate) fn warnings(texts: &[String], colour: bool) -> String {
    let mut out = String::new();
    for text in texts {
        let mut line = String::from("  *");
        for word in text.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 3 {
                out += &format!("{line}\n");
                line = "   ".to_owned();
            }
            line += &format!(" {word}");
        }
        out += &format!("{line}\n");
    }
    let text = format!("WARNING! The following warnings were returned from the server:\n\n{out}\n");
    if colour {
        format!("\x1b[33m{text}\x1b[0m")
    } else {
        text
    }
}

impl Call<'_, '_> {
    /// Prints an answer that carries a secret, or the one field of it that was asked for.
    pub(crate) fn show_secret(&mut self, answer: &Answer) -> Result<(), Failure> {
        if let Some(name) = self.typed.value("field").map(str::to_owned) {
            return match field(&answer.body, &name) {
                Some(value) => self.show_field(&value),
                None => Err(Failure::usage(format!(
                    "Field {name:?} not present in secret"
                ))),
            };
        }
        match self.format {
            Format::Raw => {
                let text = String::from_utf8_lossy(&answer.raw).into_owned();
                self.say(text)
            }
            Format::Table => {
                self.warn(&answer.warnings());
                let table = secret(&answer.body);
                if table.is_empty() {
                    return Ok(());
                }
                self.print(&table.print())
            }
            _ => {
                let tree = envelope(&answer.body);
                self.show(&Table::of_values(), &tree)
            }
        }
    }
}

/// The envelope with its members in the order in which Vault's command line prints them.
fn envelope(body: &Tree) -> Tree {
    let always = [
        "request_id",
        "lease_id",
        "lease_duration",
        "renewable",
        "data",
        "warnings",
    ];
    let always = always.map(|name| (name, body.get(name).clone()));
    let if_any = ["auth", "wrap_info"].map(|name| (name, body.get(name).clone()));
    let if_any = if_any.into_iter().filter(|(_, of)| *of != Tree::Null);
    Tree::map(always.into_iter().chain(if_any))
}

/// The table of an answer.
fn secret(body: &Tree) -> Table {
    let mut table = Table::of_values();
    let lease = body.get("lease_duration");
    let lease_id = body.get("lease_id").text();
    if lease.number().is_some_and(|seconds| seconds > 0) {
        let seconds = duration(lease);
        if lease_id.is_empty() {
            table.row(["refresh_interval", &seconds]);
        } else {
            table.row(["lease_id", lease_id]);
            table.row(["lease_duration", &seconds]);
            table.row(["lease_renewable", &body.get("renewable").plain()]);
        }
    }
    for (name, value) in auth(body.get("auth")) {
        table.row([name, value]);
    }
    let wrap = body.get("wrap_info");
    for (name, member) in [
        ("wrapping_token:", "token"),
        ("wrapping_accessor:", "accessor"),
        ("wrapping_token_ttl:", "ttl"),
        ("wrapping_token_creation_time:", "creation_time"),
        ("wrapping_token_creation_path:", "creation_path"),
        ("wrapped_accessor:", "wrapped_accessor"),
    ] {
        if let Some(value) = wrap.find(member) {
            let value = if member == "ttl" {
                duration(value)
            } else {
                value.plain()
            };
            table.row([name, &value]);
        }
    }
    for (name, value) in body.get("data").members() {
        let value = if is_duration(name) {
            duration(value)
        } else {
            value.plain()
        };
        table.row([name.as_str(), &value]);
    }
    table
}

fn auth(auth: &Tree) -> Vec<(String, String)> {
    if *auth == Tree::Null {
        return Vec::new();
    }
    let ttl = match duration(auth.get("lease_duration")) {
        never if never == "0s" => "∞".to_owned(),
        ttl => ttl,
    };
    let quoted = |name: &str| {
        let texts = auth.get(name).elements().iter();
        let texts: Vec<String> = texts.map(|text| format!("{:?}", text.text())).collect();
        format!("[{}]", texts.join(" "))
    };
    let mut rows = vec![
        ("token".to_owned(), auth.get("client_token").plain()),
        ("token_accessor".to_owned(), auth.get("accessor").plain()),
        ("token_duration".to_owned(), ttl),
        ("token_renewable".to_owned(), auth.get("renewable").plain()),
        ("token_policies".to_owned(), quoted("token_policies")),
        ("identity_policies".to_owned(), quoted("identity_policies")),
        ("policies".to_owned(), quoted("policies")),
    ];
    for (name, value) in auth.get("metadata").members() {
        rows.push((format!("token_meta_{name}"), value.plain()));
    }
    rows
}

/// The value that `-field` names: of the envelope or of its data.
fn field(body: &Tree, name: &str) -> Option<Tree> {
    let auth = body.get("auth");
    let value = match name {
        "refresh_interval" | "lease_duration" => body.find("lease_duration"),
        "lease_id" | "request_id" | "renewable" => body.find(name),
        "lease_renewable" => body.find("renewable"),
        "token" => auth.find("client_token"),
        "token_accessor" => auth.find("accessor"),
        "token_duration" => auth.find("lease_duration"),
        "token_renewable" => auth.find("renewable"),
        "token_policies" | "identity_policies" | "policies" => auth.find(name),
        _ => match name.strip_prefix("wrapping_") {
            Some("token" | "accessor") => body
                .get("wrap_info")
                .find(name.trim_start_matches("wrapping_")),
            Some(rest) if rest.starts_with("token_") => body
                .get("wrap_info")
                .find(rest.trim_start_matches("token_")),
            _ => None,
        },
    };
    let data = body.get("data");
    let value = value
        .filter(|_| data.find(name).is_none())
        .or_else(|| data.find(name))
        .or_else(|| (name == "data").then_some(data));
    value.filter(|value| **value != Tree::Null).cloned()
}

/// Whether a field by its name is a duration in seconds, which tables show as one.
fn is_duration(name: &str) -> bool {
    ["period", "ttl", "duration"]
        .iter()
        .any(|word| name == *word || name.ends_with(&format!("_{word}")))
        || ["lease_max", "ttl_max"].contains(&name)
}

/// A number of seconds as `1h30m`; what is none stays as it is.
pub(crate) fn duration(value: &Tree) -> String {
    let Tree::Number(text) = value else {
        return value.plain();
    };
    let Ok(seconds) = text.parse::<i64>() else {
        return text.clone();
    };
    let sign = if seconds < 0 { "-" } else { "" };
    let left = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (left / 3600, left / 60 % 60, left % 60);
    let parts = [(hours, 'h'), (minutes, 'm'), (seconds, 's')];
    // From the first part that is not zero to the last.
    let last = parts.iter().rposition(|(amount, _)| *amount > 0);
    let first = parts.iter().position(|(amount, _)| *amount > 0);
    match (first, last) {
        (Some(first), Some(last)) => {
            let parts = parts.iter().skip(first).take(last - first + 1);
            let parts: String = parts
                .map(|(amount, unit)| format!("{amount}{unit}"))
                .collect();
            format!("{sign}{parts}")
        }
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Tree {
        Tree::parse(json.as_bytes()).unwrap()
    }

    /// Recorded from OpenBao's command line.
    #[test]
    fn a_secret_reads_as_recorded() {
        let body = tree(
            r#"{"request_id":"r","lease_id":"","renewable":false,"lease_duration":3600,"data":{"ttl":3600,"a_ttl":90,
            "b_duration":1.5,"f":1e3,"g":true,"period":86400,"t_period":360000,"u_ttl":-5,"h":[null,"a b",1.50],"e":"",
            "x_ttl":"90"},"wrap_info":null,"warnings":null,"auth":null}"#,
        );
        let expected = "\
Key                 Value
---                 -----
refresh_interval    1h
a_ttl               1m30s
b_duration          1.5
e                   n/a
f                   1e3
g                   true
h                   [<nil> a b 1.50]
period              24h
t_period            100h
ttl                 1h
u_ttl               -5s
x_ttl               90
";
        assert_eq!(secret(&body).print(), expected);
        let order = "{\n  \"request_id\": \"r\",\n  \"lease_id\": \"\",\n  \"lease_duration\": 3600,\n  \
                     \"renewable\": false,\n  \"data\": {";
        assert!(envelope(&body).json().starts_with(order));
        assert!(
            envelope(&body)
                .json()
                .ends_with("},\n  \"warnings\": null\n}")
        );
    }

    #[test]
    fn a_wrapped_answer_reads_as_recorded() {
        let body = tree(
            r#"{"wrap_info":{"token":"s.y","accessor":"a","ttl":60,"creation_time":"2026-11-24T14:59:06Z",
            "creation_path":"kv/b"},"data":null,"auth":null}"#,
        );
        let text = secret(&body).print();
        assert!(
            text.contains("wrapping_token_ttl:              1m\n"),
            "{text}"
        );
        assert!(
            text.contains("wrapping_token:                  s.y\n"),
            "{text}"
        );
        assert_eq!(field(&body, "wrapping_token"), Some(Tree::text_of("s.y")));
        assert_eq!(
            field(&body, "wrapping_token_creation_path"),
            Some(Tree::text_of("kv/b"))
        );
    }

    #[test]
    fn a_login_reads_as_vault_prints_it() {
        let body = tree(
            r#"{"auth":{"client_token":"s.t","accessor":"acc","lease_duration":0,"renewable":false,
            "token_policies":["default","a"],"identity_policies":null,"policies":["default","a"],
            "metadata":{"username":"alice"}},"data":null}"#,
        );
        let text = secret(&body).print();
        assert!(text.contains("token_duration         ∞\n"), "{text}");
        assert!(
            text.contains("token_policies         [\"default\" \"a\"]\n"),
            "{text}"
        );
        assert!(text.contains("token_meta_username    alice\n"), "{text}");
    }

    #[test]
    fn fields_are_found_in_the_data_and_around_it() {
        let body =
            tree(r#"{"request_id":"r","lease_duration":3600,"data":{"d":null,"user":"alice"}}"#);
        assert_eq!(field(&body, "user"), Some(Tree::text_of("alice")));
        assert_eq!(field(&body, "request_id"), Some(Tree::text_of("r")));
        assert_eq!(field(&body, "lease_duration"), Some(Tree::from(3600)));
        assert_eq!(
            field(&body, "data").unwrap().plain(),
            "map[d:<nil> user:alice]"
        );
        for missing in ["d", "nope", "warnings", "wrapping_token"] {
            assert_eq!(field(&body, missing), None, "{missing}");
        }
    }

    #[test]
    fn warnings_are_broken_between_words() {
        let text = warnings(&["short".to_owned(), "word ".repeat(30)], false);
        let expected =
            "WARNING! The following warnings were returned from the server:\n\n  * short\n  * word";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.ends_with("word\n\n"), "{text}");
        assert!(warnings(&["x".to_owned()], true).starts_with("\x1b[33mWARNING!"));
    }
}
