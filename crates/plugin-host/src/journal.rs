//! What plugins printed last: for each plugin a ring of lines, bounded in number and in bytes.
//!
//! Everything that a process writes, on stderr and after its handshake over the stdio stream, also
//! what a start printed that failed. A line stays when its process has ended, which is when people
//! ask for it.

use linchpin_engine::LogLine;
use linchpin_goplugin::log_line;
use linchpin_model::PluginType;
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

/// The most lines of a plugin.
const LINES: usize = 1_000;
/// The most bytes of a plugin's lines.
const BYTES: usize = 256 * 1024;
/// The most of a message, and of all fields of a line together, in bytes.
const TEXT: usize = 4 * 1024;
/// The most plugins; of more, those are forgotten that have been silent for longest.
const PLUGINS: usize = 256;

/// Type and name.
type Plugin = (PluginType, String);

/// The last lines of all plugins.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<HashMap<Plugin, Ring>>);

/// Whose line it is.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) plugin: Plugin,
    pub(crate) version: String,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
}

impl Journal {
    /// Takes a line.
    pub(crate) fn write(
        &self,
        writer: &Writer,
        pid: u32,
        record: &log_line::LogLine,
        time: SystemTime,
    ) {
        let mut room = TEXT;
        let fields = record.fields.iter().map_while(|(name, value)| {
            room = room.checked_sub(name.len() + value.len())?;
            Some((name.clone(), value.clone()))
        });
        let line = LogLine {
            time,
            level: word(record.level),
            message: beginning(&record.message, TEXT).to_owned(),
            fields: fields.collect(),
            version: writer.version.clone(),
            pid,
        };
        let mut rings = self.0.lock();
        if !rings.contains_key(&writer.plugin) {
            if rings.len() >= PLUGINS {
                let silent = rings.iter().min_by_key(|(_, ring)| ring.last());
                if let Some(plugin) = silent.map(|(plugin, _)| plugin.clone()) {
                    rings.remove(&plugin);
                }
            }
            rings.insert(writer.plugin.clone(), Ring::default());
        }
        if let Some(ring) = rings.get_mut(&writer.plugin) {
            ring.push(line);
        }
    }

    /// The last lines, at most `limit`, oldest first; of one version only when it is given.
    pub(crate) fn read(
        &self,
        plugin_type: PluginType,
        name: &str,
        version: Option<&str>,
        limit: usize,
    ) -> Vec<LogLine> {
        let key = (plugin_type, name.to_owned());
        let held: Vec<Arc<LogLine>> = match self.0.lock().get(&key) {
            Some(ring) => ring.lines.iter().cloned().collect(),
            None => return Vec::new(),
        };
        let wanted = |line: &&Arc<LogLine>| version.is_none_or(|v| line.version == v);
        let newest = held.iter().rev().filter(wanted).take(limit);
        let mut lines: Vec<LogLine> = newest.map(|line| LogLine::clone(line)).collect();
        lines.reverse();
        lines
    }
}

impl Ring {
    fn last(&self) -> Option<SystemTime> {
        self.lines.back().map(|line| line.time)
    }

    fn push(&mut self, line: LogLine) {
        self.bytes += size(&line);
        self.lines.push_back(Arc::new(line));
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(size(&oldest));
        }
    }
}

fn size(line: &LogLine) -> usize {
    let fields = line.fields.iter().map(|(name, value)| {
        // What the two strings take besides their text.
        name.len() + value.len() + 48
    });
    line.message.len() + fields.sum::<usize>() + 128
}

/// The beginning of a text, not cut within a character.
fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

fn word(level: log_line::Level) -> &'static str {
    match level {
        log_line::Level::Trace => "trace",
        log_line::Level::Debug => "debug",
        log_line::Level::Info => "info",
        log_line::Level::Warn => "warn",
        log_line::Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn writer(name: &str, version: &str) -> Writer {
        Writer {
            plugin: (PluginType::Secret, name.to_owned()),
            version: version.to_owned(),
        }
    }

    fn record(message: &str, fields: &[(&str, &str)]) -> log_line::LogLine {
        log_line::LogLine {
            level: log_line::Level::Warn,
            message: message.to_owned(),
            fields: fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    fn messages(lines: &[LogLine]) -> Vec<&str> {
        lines.iter().map(|line| line.message.as_str()).collect()
    }

    #[test]
    fn lines_are_read_by_plugin_and_version_the_last_ones_in_their_order() {
        let journal = Journal::default();
        let now = SystemTime::UNIX_EPOCH;
        for (name, version, text) in [
            ("a", "v1.0.0", "one"),
            ("a", "", "two"),
            ("b", "", "of another"),
            ("a", "v1.0.0", "three"),
        ] {
            journal.write(&writer(name, version), 7, &record(text, &[("k", "v")]), now);
        }
        let read = |version, limit| journal.read(PluginType::Secret, "a", version, limit);
        assert_eq!(messages(&read(None, 9)), ["one", "two", "three"]);
        assert_eq!(messages(&read(None, 2)), ["two", "three"]);
        assert_eq!(messages(&read(Some("v1.0.0"), 9)), ["one", "three"]);
        assert_eq!(messages(&read(Some(""), 9)), ["two"]);
        let line = &read(None, 1)[0];
        assert_eq!((line.level, line.pid), ("warn", 7));
        assert_eq!(line.fields, [("k".to_owned(), "v".to_owned())]);
        assert!(journal.read(PluginType::Auth, "a", None, 9).is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_in_lines_bytes_and_plugins() {
        let journal = Journal::default();
        let now = SystemTime::UNIX_EPOCH;
        let short = writer("short", "");
        for number in 0..2 * LINES {
            journal.write(&short, 1, &record(&number.to_string(), &[]), now);
        }
        let lines = journal.read(PluginType::Secret, "short", None, usize::MAX);
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines.last().unwrap().message, (2 * LINES - 1).to_string());

        let long = writer("long", "");
        let text = "é".repeat(100_000);
        for _ in 0..LINES {
            journal.write(&long, 1, &record(&text, &[("k", &text)]), now);
        }
        let lines = journal.read(PluginType::Secret, "long", None, usize::MAX);
        assert!(lines.iter().map(size).sum::<usize>() <= BYTES);
        assert!(lines.len() > 50);
        assert_eq!(lines[0].message.len(), TEXT);
        assert!(lines[0].fields.is_empty());

        for number in 0..PLUGINS {
            let later = now + Duration::from_secs(1);
            let other = writer(&number.to_string(), "");
            journal.write(&other, 1, &record("x", &[]), later);
        }
        assert_eq!(journal.0.lock().len(), PLUGINS);
        let gone = journal.read(PluginType::Secret, "short", None, 1);
        assert!(gone.is_empty());
    }
}
