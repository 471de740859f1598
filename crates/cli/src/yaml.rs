//! YAML as Vault's command line prints it: names sorted, lists not indented below their name, texts quoted where they would
//! else be read as something other than a text.

use std::fmt::Write as _;

use crate::tree::Tree;

/// `tree` as a YAML document, with an end of line.
pub(crate) fn print(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Map(members) if !members.is_empty() => map(members, 0, &mut out),
        Tree::List(elements) if !elements.is_empty() => list(elements, 0, &mut out),
        _ => {
            scalar(tree, 0, &mut out);
            out.push('\n');
        }
    }
    out
}

fn map(members: &[(String, Tree)], indent: usize, out: &mut String) {
    let mut members: Vec<&(String, Tree)> = members.iter().collect();
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (i, (name, member)) in members.into_iter().enumerate() {
        // The first name of an element stands behind the dash.
        if i > 0 || !out.ends_with("- ") {
            pad(indent, out);
        }
        text(name, indent, out);
        out.push(':');
        match member {
            Tree::Map(members) if !members.is_empty() => {
                out.push('\n');
                map(members, indent + 2, out);
            }
            Tree::List(elements) if !elements.is_empty() => {
                out.push('\n');
                list(elements, indent, out);
            }
            _ => {
                out.push(' ');
                scalar(member, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn list(elements: &[Tree], indent: usize, out: &mut String) {
    for (i, element) in elements.iter().enumerate() {
        if i > 0 || !out.ends_with("- ") {
            pad(indent, out);
        }
        out.push_str("- ");
        match element {
            Tree::Map(members) if !members.is_empty() => map(members, indent + 2, out),
            Tree::List(elements) if !elements.is_empty() => list(elements, indent + 2, out),
            _ => {
                scalar(element, indent + 2, out);
                out.push('\n');
            }
        }
    }
}

fn pad(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(tree: &Tree, indent: usize, out: &mut String) {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(on) => out.push_str(if *on { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(&self::number(number)),
        Tree::Text(of) => text(of, indent, out),
        Tree::List(_) => out.push_str("[]"),
        Tree::Map(_) => out.push_str("{}"),
    }
}

/// Whole numbers keep their text; others lose what does not count, as in `1.50`.
fn number(text: &str) -> String {
    if !text.contains(['.', 'e', 'E']) {
        return text.to_owned();
    }
    match text.parse::<f64>() {
        Ok(number) if number == 0.0 || (1e-4..1e15).contains(&number.abs()) => number.to_string(),
        _ => text.to_owned(),
    }
}

fn text(text: &str, indent: usize, out: &mut String) {
    let special = |c: char| c.is_control() && c != '\n';
    if text.contains(special) || is_other_than_text(text) {
        return double(text, out);
    }
    if text.contains('\n') {
        // A block cannot say that it begins with a space, or keep one at the end of a line.
        if text.starts_with([' ', '\n']) || text.contains(" \n") || text.ends_with(' ') {
            return double(text, out);
        }
        return block(text, indent, out);
    }
    if is_plain(text) {
        out.push_str(text);
    } else {
        let _ = write!(out, "'{}'", text.replace('\'', "''"));
    }
}

fn block(text: &str, indent: usize, out: &mut String) {
    out.push('|');
    let body = match text.strip_suffix('\n') {
        None => {
            out.push('-');
            text
        }
        Some(body) if body.ends_with('\n') => {
            out.push('+');
            body
        }
        Some(body) => body,
    };
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(indent.max(2), out);
            out.push_str(line);
        }
    }
}

fn double(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether a text can stand without quotes.
fn is_plain(text: &str) -> bool {
    let begins_with_sign = text.starts_with(|c| "#,[]{}&*!|>'\"%@`".contains(c))
        || ["-", "?", ":"].contains(&text)
        || ["- ", "? ", ": ", "---", "..."]
            .iter()
            .any(|sign| text.starts_with(sign));
    let reads_as_structure = text.contains(": ") || text.ends_with(':') || text.contains(" #");
    let has_edges = text.starts_with(' ') || text.ends_with(' ');
    !(begins_with_sign || reads_as_structure || has_edges)
}

/// Whether a text without quotes would be read as a number, a date, a truth value or nothing.
fn is_other_than_text(text: &str) -> bool {
    let words = [
        "", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N",
        "no", "No", "NO", "off", "Off", "OFF", "true", "True", "TRUE", "false", "False", "FALSE",
        ".nan", ".NaN", ".NAN",
    ];
    if words.contains(&text) {
        return true;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if [".inf", ".Inf", ".INF"].contains(&unsigned) {
        return true;
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return false;
    }
    let bare = unsigned.replace('_', "");
    let based = |prefix: &str, radix: u32| {
        bare.strip_prefix(prefix)
            .is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)))
    };
    let is_number = bare.parse::<f64>().is_ok() && !bare.contains(char::is_whitespace);
    is_number
        || based("0x", 16)
        || based("0o", 8)
        || based("0b", 2)
        || is_sexagesimal(&bare)
        || is_date(text)
}

/// `12:30`, which YAML 1.1 reads as a number of base 60.
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = text.split(':');
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let first = parts.next().is_some_and(digits);
    let mut rest = parts.peekable();
    first && rest.peek().is_some() && rest.all(|part| part.len() <= 2 && digits(part))
}

/// `2026-01-02`, perhaps with a time.
fn is_date(text: &str) -> bool {
    let (date, time) = text.split_at(text.find(['T', 't', ' ']).unwrap_or(text.len()));
    let mut parts = date.split('-');
    let mut digits = |least: usize, most: usize| {
        parts.next().is_some_and(|part| {
            (least..=most).contains(&part.len()) && part.chars().all(|c| c.is_ascii_digit())
        })
    };
    digits(4, 4) && digits(1, 2) && digits(1, 2) && parts.next().is_none() && {
        let after = time.get(1..).unwrap_or_default();
        time.is_empty() || after.starts_with(|c: char| c.is_ascii_digit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(json: &str) -> String {
        print(&Tree::parse(json.as_bytes()).unwrap())
    }

    /// Recorded from OpenBao's command line.
    #[test]
    fn structure_is_as_recorded() {
        let json = r#"{"m":{"z":{},"y":[],"x":[[1,2],[3]],"w":[{"a":1,"b":[{"c":2}]},{"a":2}],
            "v":{"k":{"l":1}}},"s":"","key: x":1,"1":2,"true":1,"":5,"d":null}"#;
        let expected = r#""": 5
"1": 2
d: null
'key: x': 1
m:
  v:
    k:
      l: 1
  w:
  - a: 1
    b:
    - c: 2
  - a: 2
  x:
  - - 1
    - 2
  - - 3
  "y": []
  z: {}
s: ""
"true": 1
"#;
        assert_eq!(printed(json), expected);
        assert_eq!(printed(r#"["a","b"]"#), "- a\n- b\n");
        assert_eq!(printed("{}"), "{}\n");
    }

    /// Recorded from OpenBao's command line, text by text.
    #[test]
    fn texts_are_quoted_as_recorded() {
        for (given, expected) in [
            ("<b>&\"q\"", "<b>&\"q\""),
            (" lead", "' lead'"),
            ("x: y", "'x: y'"),
            ("true", "\"true\""),
            ("1.0", "\"1.0\""),
            ("yes", "\"yes\""),
            ("#c", "'#c'"),
            ("a #b", "'a #b'"),
            ("- x", "'- x'"),
            ("it's", "it's"),
            ("é ü", "é ü"),
            ("{a}", "'{a}'"),
            ("2026-01-02", "\"2026-01-02\""),
            ("2026-10-26T20:32:27Z", "\"2026-10-26T20:32:27Z\""),
            ("null", "\"null\""),
            ("~", "\"~\""),
            ("0x10", "\"0x10\""),
            ("a\\b", "a\\b"),
            ("\ttab", "\"\\ttab\""),
            ("*x", "'*x'"),
            ("trailing ", "'trailing '"),
            ("12:30", "\"12:30\""),
            ("key:", "'key:'"),
            ("%a", "'%a'"),
            (",b", "',b'"),
            ("`x", "'`x'"),
            ("!x", "'!x'"),
            ("&x", "'&x'"),
            ("|", "'|'"),
            (">", "'>'"),
            ("?x", "?x"),
            ("-x", "-x"),
            (":x", ":x"),
            ("1_000", "\"1_000\""),
            (".5", "\".5\""),
            ("+1", "\"+1\""),
            ("1e3", "\"1e3\""),
            ("0o7", "\"0o7\""),
            (".inf", "\".inf\""),
            ("=x", "=x"),
            ("\"q\"", "'\"q\"'"),
            ("'q'", "'''q'''"),
            ("?", "'?'"),
            ("---", "'---'"),
            ("[x", "'[x'"),
            ("n", "\"n\""),
            ("http://x/y?z=1#frag", "http://x/y?z=1#frag"),
            ("a, b", "a, b"),
            ("v2.7.2+builtin.bao", "v2.7.2+builtin.bao"),
            ("66c0e842-d3bf-1d2c", "66c0e842-d3bf-1d2c"),
            ("l1\nl2", "|-\n  l1\n  l2"),
            ("l1\n", "|\n  l1"),
        ] {
            let shown = print(&Tree::text_of(given));
            assert_eq!(shown, format!("{expected}\n"), "{given:?}");
        }
    }

    #[test]
    fn numbers_lose_only_what_does_not_count() {
        assert_eq!(
            printed("[1.50,1e3,12345678901234567890,0.25,-5]"),
            "- 1.5\n- 1000\n- 12345678901234567890\n- 0.25\n- -5\n"
        );
    }
}
