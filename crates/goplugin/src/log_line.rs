//! What a line on a plugin's stderr means: level, message, fields (plugin-protocol §1.7).
//!
//! Plugins write structured logs (hclog, one JSON object a line), prefixed text, plain text and panics there. Everything is
//! untrusted: a line is bounded, control characters are taken out, and no input panics. Pure: the caller reads the pipe, splits it
//! with [`Lines`], classifies each line with a [`Classifier`] and logs the [`LogLine`] under the plugin's name.

use std::collections::BTreeMap;

use serde_json::Value;

/// The longest line that is parsed, in bytes; longer ones come in verbatim fragments of this size.
pub const MAX_LINE: usize = 64 * 1024;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Finest detail.
    Trace,
    /// What is logged without any mark.
    Debug,
    /// Normal operation.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed; also every line of a panic.
    Error,
}

/// One log record of a plugin, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: Level,
    /// Its text; the whole line when it was not structured.
    pub message: String,
    /// Its other fields in order of their names, each as text; a time stamp is called `timestamp`.
    pub fields: Vec<(String, String)>,
}

/// Classifies the lines of one plugin process, in order. It remembers one thing: whether a panic is being printed.
#[derive(Debug, Default)]
pub struct Classifier {
    panicking: bool,
}

impl Classifier {
    /// What the line says.
    pub fn classify(&mut self, line: &Line<'_>) -> LogLine {
        let text = String::from_utf8_lossy(line.bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        if line.fragment {
            return plain(Level::Debug, text);
        }
        if let Some(structured) = structured(text) {
            return structured;
        }
        if let Some(level) = prefix_level(text).or_else(|| text_mode_level(text)) {
            return plain(level, text);
        }
        if text.starts_with("panic: ") || text.starts_with("fatal error: ") {
            self.panicking = true;
        }
        let level = if self.panicking {
            Level::Error
        } else {
            Level::Debug
        };
        plain(level, text)
    }
}

/// One line, or a piece of one that is longer than [`MAX_LINE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its bytes, without the newline.
    pub bytes: &'a [u8],
    /// Whether it is only a piece, which is logged verbatim and not parsed.
    pub fragment: bool,
}

/// Cuts a stream of bytes into lines, holding back at most [`MAX_LINE`] bytes.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<u8>,
    /// Whether the line that is being held has already been delivered in part.
    in_fragments: bool,
}

impl Lines {
    /// Takes the next bytes and hands every finished line to `each`.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.hold(line, &mut each);
            self.end(&mut each);
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.hold(bytes, &mut each);
    }

    /// Hands over what is left when the stream ends without a newline.
    pub fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if !self.held.is_empty() {
            self.end(&mut each);
        }
    }

    fn hold(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Line<'_>)) {
        while self.held.len() + bytes.len() > MAX_LINE {
            let room = MAX_LINE.saturating_sub(self.held.len());
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(now);
            self.in_fragments = true;
            each(Line {
                bytes: &self.held,
                fragment: true,
            });
            self.held.clear();
            bytes = later;
        }
        self.held.extend_from_slice(bytes);
    }

    fn end(&mut self, each: &mut impl FnMut(Line<'_>)) {
        // The line ended exactly where its last piece did: there is nothing more to say.
        if !(self.in_fragments && self.held.is_empty()) {
            each(Line {
                bytes: &self.held,
                fragment: self.in_fragments,
            });
        }
        self.held.clear();
        self.in_fragments = false;
    }
}

fn plain(level: Level, text: &str) -> LogLine {
    LogLine {
        level,
        message: strip(text),
        fields: Vec::new(),
    }
}

/// A line of hclog's JSON form. The reference host dies on a message that is no string; here any type does.
fn structured(text: &str) -> Option<LogLine> {
    if !text.starts_with('{') {
        return None;
    }
    let mut members: BTreeMap<String, Value> = serde_json::from_str(text).ok()?;
    let timestamp = match members.remove("@timestamp") {
        Some(Value::String(stamp)) if is_timestamp(&stamp) => Some(stamp),
        Some(Value::String(_)) => return None,
        Some(other) => Some(other.to_string()),
        None => None,
    };
    let level = match members.remove("@level") {
        Some(Value::String(word)) => level_word(&word),
        _ => None,
    };
    // Without a level the raw line is what an operator can make sense of.
    let Some(level) = level else {
        return Some(plain(Level::Debug, text));
    };
    let message = members.remove("@message").map(as_text).unwrap_or_default();
    let fields = members
        .into_iter()
        .map(|(name, value)| (strip(&name), strip(&as_text(value))))
        .chain(timestamp.map(|stamp| ("timestamp".to_owned(), strip(&stamp))))
        .collect();
    Some(LogLine {
        level,
        message: strip(&message),
        fields,
    })
}

fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn level_word(word: &str) -> Option<Level> {
    [
        ("trace", Level::Trace),
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
    ]
    .into_iter()
    .find(|(name, _)| name.eq_ignore_ascii_case(word))
    .map(|(_, level)| level)
}

fn prefix_level(text: &str) -> Option<Level> {
    let (word, _) = text.strip_prefix('[')?.split_once(']')?;
    if word.bytes().all(|byte| byte.is_ascii_uppercase()) {
        level_word(word)
    } else {
        None
    }
}

/// `TIMESTAMP [LEVEL]  name: message`: hclog's text form, whose time stamp hides the prefix.
fn text_mode_level(text: &str) -> Option<Level> {
    let (stamp, rest) = text.split_once(' ')?;
    if stamp.starts_with(|c: char| c.is_ascii_digit()) && stamp.contains('T') {
        prefix_level(rest)
    } else {
        None
    }
}

/// `YYYY-MM-DDTHH:MM:SS.ffffff` and `Z` or `±HH:MM`.
fn is_timestamp(text: &str) -> bool {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd.dddddd";
    let bytes = text.as_bytes();
    let Some((time, zone)) = bytes.split_at_checked(SHAPE.len()) else {
        return false;
    };
    let fits = |bytes: &[u8], shape: &[u8]| {
        bytes.len() == shape.len()
            && bytes.iter().zip(shape).all(|(byte, want)| match want {
                b'd' => byte.is_ascii_digit(),
                b's' => matches!(byte, b'+' | b'-'),
                other => byte == other,
            })
    };
    let number = |range: std::ops::Range<usize>| {
        text.get(range)
            .and_then(|digits| digits.parse::<u8>().ok())
            .unwrap_or(u8::MAX)
    };
    fits(time, SHAPE)
        && (fits(zone, b"Z") || fits(zone, b"sdd:dd"))
        && (1..=12).contains(&number(5..7))
        && (1..=31).contains(&number(8..10))
        && number(11..13) < 24
        && number(14..16) < 60
        && number(17..19) < 60
}

/// Takes out what could rewrite a terminal or forge a second record.
fn strip(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\t' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect()
}

#[cfg(test)]
mod tests;
