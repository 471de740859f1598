//! What the parser makes of real and hostile text. A tree is printed in a short notation, one line per source:
//! `key "label" {…}` for a block, `key=value` for an assignment.

#![cfg(test)]

use std::fmt::Write as _;

use linchpin_hcl::{Body, Error, Value, ValueKind, parse};
use proptest::prelude::*;

fn show_body(body: &Body) -> String {
    let mut out = String::new();
    for (i, item) in body.items.iter().enumerate() {
        let space = if i == 0 { "" } else { " " };
        write!(out, "{space}{}", item.key.text).unwrap();
        for label in &item.labels {
            write!(out, " {:?}", label.text).unwrap();
        }
        write!(out, "={}", show_value(&item.value)).unwrap();
    }
    out
}

fn show_value(value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) => format!("{text:?}"),
        ValueKind::Number(number) => number.literal().to_owned(),
        ValueKind::Bool(value) => value.to_string(),
        ValueKind::Null => "null".to_owned(),
        ValueKind::List(values) => format!(
            "[{}]",
            values.iter().map(show_value).collect::<Vec<_>>().join(",")
        ),
        ValueKind::Object(body) => format!("{{{}}}", show_body(body)),
    }
}

fn check(source: &str, expected: &str) {
    match parse(source) {
        Ok(body) => assert_eq!(show_body(&body), expected, "{source}"),
        Err(error) => panic!("{source}\n{error}"),
    }
}

fn refuse(source: &str, expected: &str) {
    match parse(source) {
        Ok(body) => panic!("{source}\nwas read as {}", show_body(&body)),
        Err(error) => assert_eq!(error.to_string(), expected, "{source}"),
    }
}

#[test]
fn what_hcl_2_refuses_is_read() {
    check(
        r#"path "a" { "capabilities" = ["read"] }"#,
        r#"path "a"={capabilities=["read"]}"#,
    );
    check(
        r#"path "a" { capabilities = ["read"] min_wrapping_ttl = "1s" }"#,
        r#"path "a"={capabilities=["read"] min_wrapping_ttl="1s"}"#,
    );
    check(
        r#"path "a" { capabilities = ["read"], min_wrapping_ttl = "1s" }"#,
        r#"path "a"={capabilities=["read"] min_wrapping_ttl="1s"}"#,
    );
    check(
        r#""path" "a" { policy = "write" }"#,
        r#"path "a"={policy="write"}"#,
    );
    check(
        r#"path "secret/${x}/%{y}/*" { }"#,
        r#"path "secret/${x}/%{y}/*"={}"#,
    );
    check(
        r#"path "id/{{identity.entity.id}}" {}"#,
        r#"path "id/{{identity.entity.id}}"={}"#,
    );
}

#[test]
fn layout_and_comments_do_not_matter() {
    check("", "");
    check(" # only a comment", "");
    check("a=1// x\nb=2 /* y\n z */ c=3#end", "a=1 b=2 c=3");
    check("\u{feff}a = 1\r\nb = true\r\n", "a=1 b=true");
    check("a\n=\n1", "a=1");
    check("l = [1, 2,\n # last\n 3,]", "l=[1,2,3]");
    check("l = []", "l=[]");
    check("l = [[1], {a = 1}, \"x\"]", r#"l=[[1],{a=1},"x"]"#);
    check("plugin secret kv { }", r#"plugin "secret" "kv"={}"#);
    check("a-b.c_d = false", "a-b.c_d=false");
    check("a = 1, b = 2,", "a=1 b=2");
    check(
        "mode = 0755 hex = 0x1f neg = -3 f = 1.5e3",
        "mode=0755 hex=0x1f neg=-3 f=1.5e3",
    );
    check("true = false", "true=false");
}

#[test]
fn strings_and_heredocs() {
    check(
        r#"s = "a\n\t\"\\\x41\u00e9\U0001F600\101""#,
        r#"s="a\n\t\"\\Aé😀A""#,
    );
    check(
        "s = \"${ f(\"x\n\") {} }\"",
        "s=\"${ f(\\\"x\\n\\\") {} }\"",
    );
    check("s = \"a $ b $$ {\"", r#"s="a $ b $$ {""#);
    check("s = <<EOF\n one\ntwo\nEOF\nt = 1", r#"s=" one\ntwo\n" t=1"#);
    check("s = <<EOF\nEOF", r#"s="""#);
    check("s = <<EOF\r\none\r\nEOF\r\n", r#"s="one\n""#);
    check(
        "s = <<-EOF\n    one\n\n      two\n    EOF\n",
        r#"s="one\n\n  two\n""#,
    );
    check(
        "s = <<-EOF\n  one\n    two\n    EOF\n",
        r#"s="  one\n    two\n""#,
    );
    check("l = [<<A\nx\nA\n, \"y\"]", r#"l=["x\n","y"]"#);
    check("s = <<EOF\nEOFX\n EOF\nEOF", r#"s="EOFX\n EOF\n""#);
}

#[test]
fn json_gives_the_same_tree() {
    check(
        r#"{"path":{"a":{"capabilities":["read"],"n":1.5,"t":true,"z":null}}}"#,
        r#"path={a={capabilities=["read"] n=1.5 t=true z=null}}"#,
    );
    check(" \n {\"a\":\"\\ud83d\\ude00${x\"}", r#"a="😀${x""#);
    check("{}", "");
}

#[test]
fn blocks_are_found_in_every_form() {
    let forms = [
        r#"path "a" { c = 1 } path "b" { c = 2 }"#,
        r#"path { a { c = 1 } "b" { c = 2 } }"#,
        r#"path = { a = { c = 1 } b = { c = 2 } }"#,
        r#"path = [{ a = { c = 1 } }, { b = { c = 2 } }]"#,
        r#"{"path": {"a": {"c": 1}, "b": {"c": 2}}}"#,
        r#"{"path": [{"a": {"c": 1}}, {"b": [{"c": 2}]}]}"#,
    ];
    for source in forms {
        let body = parse(source).unwrap();
        let found: Vec<String> = body
            .blocks("path", 1)
            .unwrap()
            .iter()
            .map(|b| format!("{} {}", b.labels[0].text, show_body(b.body)))
            .collect();
        assert_eq!(found, ["a c=1", "b c=2"], "{source}");
    }
    let body = parse(r#"plugin "secret" "kv" { w = 1 } plugin "auth" { jwt { w = 2 } }"#).unwrap();
    let labels: Vec<Vec<&str>> = body
        .blocks("plugin", 2)
        .unwrap()
        .iter()
        .map(|b| b.labels.iter().map(|l| l.text.as_str()).collect())
        .collect();
    assert_eq!(labels, [["secret", "kv"], ["auth", "jwt"]]);

    for (source, name, labels) in [
        ("\npath = 1", "path", 1),
        ("\npath \"a\" \"b\" {}", "path", 1),
        ("\nui { a = 1 }", "ui", 1),
    ] {
        let body = parse(source).unwrap();
        let error = body.blocks(name, labels).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("2:1: {name:?} must be a block with {labels} label(s)"),
            "{source}"
        );
    }
}

#[test]
fn mistakes_say_where() {
    refuse(
        "a = 1\nb = 2\na = 3",
        "3:1: \"a\" was already set at 1:1; each argument can only be set once",
    );
    refuse(
        r#"{"a": 1,"#,
        "1:8: invalid JSON: EOF while parsing an object",
    );
    refuse(
        "{\n \"a\": 1,\n \"b\": x}",
        "3:7: invalid JSON: expected value",
    );
    refuse(
        "{\"a\": \"\\ud800\"}",
        "1:14: invalid JSON: unexpected end of hex escape",
    );
    refuse(
        "{\"a\": 1, \"a\": 2}",
        "1:15: \"a\" was already set at 1:7; each argument can only be set once",
    );
    refuse("{\"a\": 1} x", "1:10: invalid JSON: trailing characters");
    refuse("a = ", "1:5: expected a value, found the end of the text");
    refuse("a = b", "1:5: expected a value, found `b`");
    refuse("a b = 1", "1:5: expected `{`, found `=`");
    refuse(
        "a",
        "1:2: expected `=`, `{` or a label, found the end of the text",
    );
    refuse(
        "a {",
        "1:4: expected a key or `}`, found the end of the text",
    );
    refuse("a = 1 }", "1:7: expected a key or `}`, found `}`");
    refuse("a = [1 2]", "1:8: expected `,` or `]`, found number 2");
    refuse("a = [1,,2]", "1:8: expected a value, found `,`");
    refuse("é = \"x\ny\"", "1:5: string is not terminated");
    refuse("a = \"${x\"", "1:5: string is not terminated");
    refuse("a = \"\\q\"", "1:6: invalid escape sequence in string");
    refuse("a = \"\\ud800\"", "1:6: invalid escape sequence in string");
    refuse("a = \"\\777\"", "1:6: invalid escape sequence in string");
    refuse("a = \"\\xff\"", "1:6: invalid escape sequence in string");
}

#[test]
fn more_mistakes_say_where() {
    refuse("/* x", "1:1: comment is not terminated");
    refuse(
        "a = <<EOF\nx",
        "1:5: heredoc is not terminated: no line with only \"EOF\"",
    );
    refuse(
        "a = <<\nx",
        "1:5: heredoc needs a marker and a line break after `<<`",
    );
    refuse("a = < x", "1:5: unexpected character '<'");
    refuse("a = 089", "1:5: \"089\" is not a number");
    refuse("a = 1x", "1:5: \"1x\" is not a number");
    refuse("a : 1", "1:3: unexpected character ':'");
    refuse(
        "<<EOF\nx\nEOF\n = 1",
        "1:1: expected a key or `}`, found a string",
    );
}

#[test]
fn nesting_and_size_are_bounded() {
    for deep in [
        format!("a = {}", "[".repeat(100_000)),
        format!("{{\"a\":{}1{}}}", "[".repeat(5000), "]".repeat(5000)),
        "a{".repeat(100_000),
    ] {
        assert!(
            matches!(parse(&deep), Err(Error::TooDeep { .. })),
            "{:?}",
            parse(&deep).err()
        );
    }
    let large = format!("a = \"{}\"", "x".repeat(linchpin_hcl::MAX_SOURCE));
    assert!(matches!(parse(&large), Err(Error::TooLarge { .. })));
}

#[test]
fn weak_types_convert_as_vault_does() {
    let body = parse(r#"a = "true" b = 1 c = "12" d = 0755 e = [1] f = 1.5"#).unwrap();
    let value = |name: &str| &body.attribute(name).unwrap().value;
    assert_eq!(value("a").to_bool(), Some(true));
    assert_eq!(value("b").to_bool(), Some(true));
    assert_eq!(value("c").to_i64(), Some(12));
    assert_eq!(value("d").to_text().as_deref(), Some("0755"));
    assert_eq!(value("e").to_text(), None);
    assert_eq!(value("f").to_i64(), None);
}

/// Text made of the pieces that mean something to the scanner: plain random text hardly gets past the first key.
fn hcl_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("=".to_owned()),
        Just(",".to_owned()),
        Just("\"".to_owned()),
        Just("${".to_owned()),
        Just("\\".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("<<EOF\n".to_owned()),
        Just("<<-EOF\n".to_owned()),
        Just("EOF\n".to_owned()),
        Just("/*".to_owned()),
        Just("*/".to_owned()),
        Just("#".to_owned()),
        Just(" ".to_owned()),
        Just(":".to_owned()),
        Just("é😀".to_owned()),
        "[a-z0-9.-]{1,4}",
        "\"[a-z$]{0,3}\"",
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// A body, printable as HCL and as JSON; keys are distinct.
fn value_tree() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        ".*".prop_map(serde_json::Value::from),
    ];
    let nested = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[a-z]{1,6}", nested, 0..5)
        .prop_map(|m| serde_json::Value::Object(m.into_iter().collect()))
}

fn print_hcl(value: &serde_json::Value, top: bool) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let inner: String = members
                .iter()
                .map(|(k, v)| format!("{k} = {}\n", print_hcl(v, false)))
                .collect();
            if top { inner } else { format!("{{\n{inner}}}") }
        }
        serde_json::Value::Array(values) => {
            format!(
                "[{}]",
                values
                    .iter()
                    .map(|v| print_hcl(v, false))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        }
        serde_json::Value::String(text) => {
            // HCL has `\u` and `\U` escapes for whatever is not plain; `$` is escaped so that no `${` appears.
            let escape = |c: char| match c {
                '"' | '\\' => format!("\\{c}"),
                c if c.is_control() || c == '$' => format!("\\U{:08x}", u32::from(c)),
                c => c.to_string(),
            };
            format!("\"{}\"", text.chars().map(escape).collect::<String>())
        }
        other => other.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn never_panics_on_any_text(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn never_panics_on_near_hcl_and_errors_lie_inside(text in hcl_like()) {
        if let Err(error) = parse(&text) {
            let at = error.position().expect("small texts have positions");
            let lines = u32::try_from(text.split('\n').count()).unwrap();
            prop_assert!(at.line >= 1 && at.line <= lines, "{error} of {lines} lines");
        }
    }

    #[test]
    fn hcl_and_json_of_one_tree_agree(tree in value_tree()) {
        let hcl = parse(&print_hcl(&tree, true)).expect("printed HCL is HCL");
        let json = parse(&tree.to_string()).expect("printed JSON is JSON");
        prop_assert_eq!(show_body(&hcl), show_body(&json));
        prop_assert_eq!(show_value(&Value { at: linchpin_hcl::Position { line: 1, column: 1 }, kind: ValueKind::Object(json) }),
            show_json(&tree));
    }
}

fn show_json(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let inner: Vec<String> = members
                .iter()
                .map(|(k, v)| format!("{k}={}", show_json(v)))
                .collect();
            format!("{{{}}}", inner.join(" "))
        }
        serde_json::Value::Array(values) => format!(
            "[{}]",
            values.iter().map(show_json).collect::<Vec<_>>().join(",")
        ),
        serde_json::Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
