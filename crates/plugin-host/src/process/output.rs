//! What a process says on stdout and stderr: read for its whole life, logged, the last lines kept.
//!
//! A plugin whose pipe is not read blocks, so both are drained until they end, whatever the lines
//! contain (plugin-protocol §1.7).

use linchpin_goplugin::log_line::{Classifier, Level, Lines, LogLine};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
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
    lines: Arc<Mutex<VecDeque<String>>>,
    /// Cancelled when stderr has been read to its end.
    complete: CancellationToken,
}

impl LastLines {
    /// Oldest first.
    pub(crate) fn get(&self) -> Vec<String> {
        self.lines.lock().iter().cloned().collect()
    }

    /// The same of a process that has ended: what it said last may still be in the pipe. One that
    /// it left behind may hold the pipe open, so this waits for `patience` at most.
    pub(crate) async fn of_the_end(&self, patience: Duration) -> Vec<String> {
        let _ = tokio::time::timeout(patience, self.complete.cancelled()).await;
        self.get()
    }

    fn push(&self, line: &str) {
        let mut lines = self.lines.lock();
        if lines.len() >= KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(KEPT_CHARACTERS).collect());
    }
}

/// Whose output it is, for the log records.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The base name of the plugin's file, as the reference hosts name the logger.
    pub(crate) logger: Arc<str>,
    /// The process.
    pub(crate) pid: u32,
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
            if let Some(keep) = &keep
                && !record.message.is_empty()
            {
                keep.push(&record.message);
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
            last.push(&format!("{number} {}", "x".repeat(1_000)));
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

    #[tokio::test]
    async fn the_lines_of_the_end_are_those_that_were_still_in_the_pipe() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let (tracker, last) = (TaskTracker::new(), LastLines::default());
        let source = Source {
            logger: "p".into(),
            pid: 1,
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
