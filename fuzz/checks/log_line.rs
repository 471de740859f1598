//! What must hold for anything that a plugin writes to stderr (plugin-protocol §1.7).
//!
//! The first byte of the input says how often the rest is repeated, the second in which pieces it arrives. Shared by the fuzz
//! target and the test that replays its corpus.

use linchpin_goplugin::log_line::{Classifier, Level, Line, Lines, LogLine, MAX_LINE};

/// Checks one input; whether a line of it is structured or has a level of its own.
pub(crate) fn check(data: &[u8]) -> bool {
    let &[repeat, size, ref text @ ..] = data else {
        return false;
    };
    // Few inputs pay for lines that are longer than the limit.
    let times = match (repeat, size) {
        (255, 255) => 1 + 70_000 / text.len().max(64),
        _ => 1,
    };
    let stream = text.repeat(times);
    let whole = lines([stream.as_slice()].into_iter());
    let piece = (usize::from(size) + 1) * if times == 1 { 1 } else { 301 };
    let pieces = lines(stream.chunks(piece));
    assert_eq!(whole, pieces, "how it arrives does not matter");
    let pieces: Vec<&[u8]> = whole.iter().map(|(bytes, _)| bytes.as_slice()).collect();
    let kept: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    assert_eq!(
        pieces.concat(),
        kept.concat(),
        "nothing is lost, nothing is added"
    );

    let bounded = |bytes: &[u8]| bytes.len() <= MAX_LINE && !bytes.contains(&b'\n');
    assert!(whole.iter().all(|(bytes, _)| bounded(bytes)));

    let mut classifier = Classifier::default();
    let mut panicking = false;
    let mut said_something = false;
    // The repeated text says again what it has said.
    for (bytes, fragment) in whole.iter().take(64.max(text.len())) {
        let line = Line {
            bytes,
            fragment: *fragment,
        };
        // Length is the splitting's matter, which is checked above; what a line says shows at its beginning.
        if bytes.len() > 4_096 {
            continue;
        }
        let said = classifier.classify(&line);
        one(&line, &said);
        let text = String::from_utf8_lossy(bytes);
        if !fragment && (text.starts_with("panic: ") || text.starts_with("fatal error: ")) {
            panicking = true;
        }
        if *fragment {
            assert_eq!(said.level, Level::Debug);
        } else if panicking && !text.starts_with(['{', '[']) && !text.contains('[') {
            assert_eq!(said.level, Level::Error, "a panic stays one: {text:?}");
        }
        said_something |= !said.fields.is_empty() || said.level != Level::Debug;
    }
    said_something
}

fn lines<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, bool)> {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for piece in pieces {
        lines.push(piece, |line| {
            found.push((line.bytes.to_vec(), line.fragment))
        });
    }
    lines.finish(|line| found.push((line.bytes.to_vec(), line.fragment)));
    found
}

fn one(line: &Line<'_>, said: &LogLine) {
    let texts = said.fields.iter().flat_map(|(name, value)| [name, value]);
    let mut size = said.message.len();
    for text in texts {
        size += text.len();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    assert!(!said.message.chars().any(char::is_control), "{said:?}");
    // A byte that is no text becomes three; `1e9` as a field becomes `1000000000.0`.
    assert!(
        size <= 8 * line.bytes.len() + 16,
        "{size} of {}",
        line.bytes.len()
    );
    if said.fields.is_empty() && said.level == Level::Debug {
        let text = said.message.as_bytes();
        let again = Classifier::default().classify(&Line {
            bytes: text,
            fragment: true,
        });
        assert_eq!(again.message, said.message, "what is plain is final");
    }
}
