//! What a process says on stdout and stderr: read for its whole life, logged, the last lines kept.
//!
//! A plugin whose pipe is not read blocks, so both are drained until they end, whatever the lines
//! contain (plugin-protocol §1.7).

use crate::journal::{Journal, Writer};
use linchpin_goplugin::log_line::{Classifier, Level, Lines, LogLine};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many lines are kept for errors and for the API.
const KEPT_LINES: usize = 20;
/// How much of a line is kept, in characters.
const KEPT_CHARACTERS: usize = 500;

/// The last lines that a process wrote to stderr.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastLines {
    kept: Arc<Mutex<Kept>>,
    /// What of the entry's environment must not be repeated.
    secrets: Arc<Secrets>,
    /// Cancelled when stderr has been read to its end.
    complete: CancellationToken,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<String>,
    /// The line that a panic began with: the traces behind it are longer than what is kept.
    panic: Option<String>,
}

impl LastLines {
    /// None yet, of a process with these `KEY=value` words in its environment.
    pub(crate) fn without(env: &[String]) -> Self {
        Self {
            secrets: Arc::new(Secrets::of(env)),
            ..Self::default()
        }
    }

    /// Oldest first; the beginning of a panic before them.
    pub(crate) fn get(&self) -> Vec<String> {
        let kept = self.kept.lock();
        kept.panic.iter().chain(&kept.lines).cloned().collect()
    }

    /// A text of the plugin without the values of its environment.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    /// The same of a process that has ended: what it said last may still be in the pipe. One that
    /// it left behind may hold the pipe open, so this waits for `patience` at most.
    pub(crate) async fn of_the_end(&self, patience: Duration) -> Vec<String> {
        let _ = tokio::time::timeout(patience, self.complete.cancelled()).await;
        self.get()
    }

    fn push(&self, record: &LogLine) {
        let mut line = record.message.clone();
        for (name, value) in &record.fields {
            if name != "timestamp" && !name.starts_with('@') {
                line = format!("{line} {name}={value}");
            }
        }
        let line = self.hide(line.trim());
        if line.is_empty() {
            return;
        }
        let line: String = line.chars().take(KEPT_CHARACTERS).collect();
        let mut kept = self.kept.lock();
        if kept.lines.len() >= KEPT_LINES
            && let Some(gone) = kept.lines.pop_front()
            && (gone.starts_with("panic: ") || gone.starts_with("fatal error: "))
        {
            kept.panic.get_or_insert(gone);
        }
        kept.lines.push_back(line);
    }
}

/// The values of an entry's environment. A plugin may print them, and an error is read by people
/// who may not read the entry.
#[derive(Debug, Default)]
struct Secrets(Vec<(String, String)>);

/// A shorter value is a switch or a number, and part of too many words.
const SHORTEST_SECRET: usize = 6;

impl Secrets {
    fn of(env: &[String]) -> Self {
        let words = env.iter().filter_map(|word| word.split_once('='));
        let lines = words.flat_map(|(name, value)| {
            let lines = value.lines().map(str::trim);
            let long = lines.filter(|line| line.len() >= SHORTEST_SECRET);
            long.map(|line| (name.to_owned(), line.to_owned()))
        });
        let mut all: Vec<(String, String)> = lines.collect();
        // One value may be the beginning of another.
        all.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Self(all)
    }

    fn hide(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.0 {
            if text.contains(value) {
                text = text.replace(value, &format!("<{name}>"));
            }
        }
        text
    }
}

/// Whose output it is, for the log records.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The base name of the plugin's file, as the reference hosts name the logger.
    pub(crate) logger: Arc<str>,
    /// The process.
    pub(crate) pid: u32,
    /// The plugin.
    pub(crate) writer: Arc<Writer>,
    /// Where its lines are kept.
    pub(crate) journal: Arc<Journal>,
}

/// Reads a pipe to its end and logs every line; `keep` keeps the last of them.
pub(crate) fn drain(
    tracker: &TaskTracker,
    pipe: pipe::Receiver,
    source: Source,
    keep: Option<LastLines>,
) {
    tracker.spawn(async move {
        let mut reader = pipe;
        let (mut lines, mut classifier) = (Lines::default(), Classifier::default());
        let mut buffer = vec![0_u8; 8 * 1024];
        let mut each = |line: linchpin_goplugin::log_line::Line<'_>| {
            let record = classifier.classify(&line);
            if let Some(keep) = &keep {
                keep.push(&record);
            }
            log(&source, &record);
        };
        while let Ok(read) = reader.read(&mut buffer).await {
            match buffer.get(..read) {
                None | Some([]) => break,
                Some(bytes) => lines.push(bytes, &mut each),
            }
        }
        lines.finish(&mut each);
        if let Some(keep) = &keep {
            keep.complete.cancel();
        }
    });
}

/// A pipe's reading end for tokio.
pub(crate) fn receiver(fd: OwnedFd) -> Result<pipe::Receiver, crate::Error> {
    pipe::Receiver::from_owned_fd(fd).map_err(|e| crate::Error::system("read a pipe", e))
}

/// One line of a plugin as one of our own log records.
pub(crate) fn log(source: &Source, record: &LogLine) {
    let (logger, pid) = (&*source.logger, source.pid);
    let now = SystemTime::now();
    source.journal.write(&source.writer, pid, record, now);
    let fields = Fields(&record.fields);
    let text = &record.message;
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(target: "plugin", logger, pid, %fields, "{text}")
        };
    }
    match record.level {
        Level::Trace => event!(trace),
        Level::Debug => event!(debug),
        Level::Info => event!(info),
        Level::Warn => event!(warn),
        Level::Error => event!(error),
    }
}

/// The fields of a structured line in one: their names are the plugin's, not ours.
struct Fields<'a>(&'a [(String, String)]);

impl std::fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, (name, value)) in self.0.iter().enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept_and_each_is_cut() {
        let last = LastLines::default();
        for number in 0..100 {
            last.push(&said(&format!("{number} {}", "x".repeat(1_000)), &[]));
        }
        let lines = last.get();
        assert_eq!(lines.len(), KEPT_LINES);
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() == KEPT_CHARACTERS)
        );
        assert!(lines.last().is_some_and(|line| line.starts_with("99 ")));
    }

    fn said(message: &str, fields: &[(&str, &str)]) -> LogLine {
        let fields = fields
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        LogLine {
            level: Level::Debug,
            message: message.to_owned(),
            fields: fields.collect(),
        }
    }

    #[test]
    fn the_line_that_a_panic_began_with_is_not_pushed_out_by_its_trace() {
        let last = LastLines::default();
        last.push(&said("starting", &[]));
        last.push(&said("panic: no such thing", &[]));
        for number in 0..100 {
            last.push(&said(&format!("goroutine {number} [running]:"), &[]));
        }
        let lines = last.get();
        assert_eq!(lines.len(), KEPT_LINES + 1);
        assert_eq!(lines[0], "panic: no such thing");
    }

    #[test]
    fn what_the_environment_holds_is_not_repeated() {
        let env = [
            "A=hunter2-long",
            "B=hunter2",
            "C=on",
            "D=first line\nsecond line",
            "E",
        ];
        let last = LastLines::without(&env.map(str::to_owned));
        let fields = [
            ("err", "bad hunter2-long on"),
            ("timestamp", "now"),
            ("@module", "m"),
        ];
        last.push(&said("key hunter2, second line", &fields));
        assert_eq!(last.get(), ["key <B>, <D> err=bad <A> on"]);
    }

    #[tokio::test]
    async fn the_lines_of_the_end_are_those_that_were_still_in_the_pipe() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let (tracker, last) = (TaskTracker::new(), LastLines::default());
        let source = Source {
            logger: "p".into(),
            pid: 1,
            writer: Arc::new(Writer {
                plugin: (linchpin_model::PluginType::Secret, "p".to_owned()),
                version: String::new(),
            }),
            journal: Arc::default(),
        };
        let pipe = receiver(reader.into()).unwrap();
        drain(&tracker, pipe, source, Some(last.clone()));
        std::io::Write::write_all(&mut writer, b"one\nlast words").unwrap();
        drop(writer);
        // On the one thread of this test nothing has been read yet.
        assert!(last.get().is_empty());
        let lines = last.of_the_end(Duration::from_secs(20)).await;
        assert_eq!(lines, ["one", "last words"]);
    }
}
