//! Check H14 of plugin-protocol §8, line by line.

use super::*;
use proptest::prelude::*;

fn classify(lines: &[&str]) -> Vec<LogLine> {
    let mut classifier = Classifier::default();
    lines
        .iter()
        .map(|line| {
            classifier.classify(&Line {
                bytes: line.as_bytes(),
                fragment: false,
            })
        })
        .collect()
}

fn levels(lines: &[&str]) -> Vec<Level> {
    classify(lines).into_iter().map(|line| line.level).collect()
}

#[test]
fn a_json_line_gives_level_message_and_fields() {
    let line = r#"{"@level":"WARN","@message":"low","@module":"kv","@timestamp":"2026-11-24T08:00:00.123456Z","n":12345678901234567890,"x":{"a":[1]}}"#;
    let record = classify(&[line]).remove(0);
    assert_eq!(record.level, Level::Warn);
    assert_eq!(record.message, "low");
    let field = |name: &str| {
        let found = record.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(field("@module"), Some("kv"));
    assert_eq!(field("n"), Some("12345678901234567890"));
    assert_eq!(field("x"), Some(r#"{"a":[1]}"#));
    assert_eq!(field("timestamp"), Some("2026-11-24T08:00:00.123456Z"));
    assert_eq!(field("@level"), None);
}

#[test]
fn a_message_that_is_no_string_is_printed_as_json() {
    let record = classify(&[r#"{"@level":"info","@message":7}"#]).remove(0);
    assert_eq!((record.level, record.message.as_str()), (Level::Info, "7"));
}

#[test]
fn json_without_a_known_level_is_logged_raw_at_debug() {
    for line in [
        r#"{"a":1}"#,
        r#"{"@level":"loud","@message":"x"}"#,
        r#"{"@level":3}"#,
    ] {
        let record = classify(&[line]).remove(0);
        assert_eq!(
            (record.level, record.message.as_str()),
            (Level::Debug, line)
        );
    }
}

#[test]
fn a_bad_timestamp_makes_the_line_plain() {
    for stamp in [
        "yesterday",
        "2026-13-24T08:00:00.123456Z",
        "2026-11-24T08:00:00Z",
        "2026-11-24T08:00:00.123456+1",
    ] {
        let line = format!(r#"{{"@level":"error","@message":"x","@timestamp":"{stamp}"}}"#);
        let record = classify(&[&line]).remove(0);
        assert_eq!((record.level, record.message), (Level::Debug, line));
    }
    let zoned =
        r#"{"@level":"error","@message":"x","@timestamp":"2026-11-24T08:00:00.123456+01:00"}"#;
    assert_eq!(levels(&[zoned]), [Level::Error]);
}

#[test]
fn prefixes_and_text_mode_select_the_level() {
    assert_eq!(
        levels(&[
            "[TRACE] a",
            "[DEBUG] a",
            "[INFO] a",
            "[WARN] a",
            "[ERROR] a",
            "[warn] a",
            "2026-11-24T08:00:00.123Z [WARN]  kv: a",
            "nothing",
        ]),
        [
            Level::Trace,
            Level::Debug,
            Level::Info,
            Level::Warn,
            Level::Error,
            Level::Debug,
            Level::Warn,
            Level::Debug,
        ]
    );
}

#[test]
fn a_panic_is_an_error_to_its_last_untagged_line() {
    let lines = [
        "before",
        "panic: boom",
        "",
        "goroutine 1 [running]:",
        "[INFO] tagged",
        "main.main()",
    ];
    assert_eq!(
        levels(&lines),
        [
            Level::Debug,
            Level::Error,
            Level::Error,
            Level::Error,
            Level::Info,
            Level::Error
        ]
    );
    assert_eq!(
        levels(&["fatal error: all goroutines are asleep", "x"]),
        [Level::Error; 2]
    );
}

#[test]
fn control_characters_and_broken_utf8_do_no_harm() {
    let mut classifier = Classifier::default();
    let record = classifier.classify(&Line {
        bytes: b"a\x1b[31m\xff\tb\r",
        fragment: false,
    });
    assert_eq!(record.message, "a[31m\u{fffd} b");
    let record =
        classify(&[r#"{"@level":"info","@message":"a\nb","k\u0007":"\u001b]0;x"}"#]).remove(0);
    assert_eq!(record.message, "ab");
    assert_eq!(record.fields, [("k".to_owned(), "]0;x".to_owned())]);
}

fn split(chunks: &[&[u8]]) -> Vec<(usize, bool)> {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for chunk in chunks {
        lines.push(chunk, |line| found.push((line.bytes.len(), line.fragment)));
    }
    lines.finish(|line| found.push((line.bytes.len(), line.fragment)));
    found
}

#[test]
fn lines_are_put_together_from_chunks() {
    assert_eq!(
        split(&[b"ab", b"c\nd", b"\n\n", b"tail"]),
        [(3, false), (1, false), (0, false), (4, false)]
    );
}

#[test]
fn a_line_of_200_kib_comes_in_fragments() {
    let long = vec![b'x'; 200 * 1024];
    assert_eq!(
        split(&[&long, b"\nshort\n"]),
        [
            (MAX_LINE, true),
            (MAX_LINE, true),
            (MAX_LINE, true),
            (8 * 1024, true),
            (5, false)
        ]
    );
    let exact = vec![b'x'; MAX_LINE];
    assert_eq!(split(&[&exact, b"\n"]), [(MAX_LINE, false)]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8)) {
        let mut lines = Lines::default();
        let mut classifier = Classifier::default();
        for chunk in &chunks {
            lines.push(chunk, |line| {
                let record = classifier.classify(&line);
                assert!(!record.message.chars().any(char::is_control));
            });
        }
    }

    #[test]
    fn no_byte_is_lost_whatever_the_chunks(text in "[a-c\n]{0,200}", at in 0_usize..200) {
        let bytes = text.as_bytes();
        let (first, second) = bytes.split_at(at.min(bytes.len()));
        let mut whole = Vec::new();
        let mut lines = Lines::default();
        lines.push(first, |line| whole.push(line.bytes.to_vec()));
        lines.push(second, |line| whole.push(line.bytes.to_vec()));
        lines.finish(|line| whole.push(line.bytes.to_vec()));
        let expected: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        prop_assert_eq!(whole, expected);
    }
}
