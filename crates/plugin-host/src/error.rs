//! Why a plugin could not be started, asked or stopped.
//!
//! The texts are read by people through the API, so each names what an operator needs: the file,
//! both digests, the exit status, the last lines on stderr. None holds a value of `env`.
//!
//! Whoever mounts or reloads a plugin reads what it printed, too. Whoever merely sends a request to
//! a mount does not, for what a plugin prints while it dies may be of another client:
//! [`Error::for_requests`] leaves it out. What a plugin *answers* is meant to be read, and stays.

use crate::diagnosis;
use crate::spawner::Exit;
use linchpin_goplugin::HandshakeError;
use linchpin_model::Sha256;
use std::path::PathBuf;
use std::time::Duration;

/// What this crate reports. Texts of the catalog's rows 12-15 are Vault's (plugin-lifecycle §2.5).
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Row 12: the server has no plugin directory.
    #[error("could not set plugin, plugin directory is not configured")]
    NoDirectory,
    /// The configured plugin directory cannot be used.
    #[error("plugin directory {path:?}: {reason}")]
    Directory {
        /// As it was configured.
        path: PathBuf,
        /// Errno text.
        reason: String,
    },
    /// The directory for the private directories of plugin processes cannot be used.
    #[error("temporary directory {path:?}: {reason}: plugin_tmpdir names another")]
    Temporary {
        /// What was to be made.
        path: PathBuf,
        /// Errno text.
        reason: String,
    },
    /// Row 13: `..` in the name or the command.
    #[error("path cannot contain parent references")]
    ParentReference,
    /// Row 14: the file is missing, or a symlink that leads nowhere.
    #[error("error while validating the command path: lstat {}: {reason}", path.display())]
    Lstat {
        /// The absolute path.
        path: PathBuf,
        /// Errno text as Go writes it.
        reason: String,
    },
    /// Row 15: the file, symlinks resolved, is not directly in the plugin directory.
    #[error("cannot execute files outside of configured plugin directory")]
    OutsideDirectory,
    /// The entry, as it is now, would not be registered (plugin-protocol §2.6).
    #[error(transparent)]
    Entry(#[from] linchpin_catalog::Error),
    /// This host cannot run that kind of plugin.
    #[error("cannot run plugin {name:?}: {reason}")]
    Unsupported {
        /// The plugin's name.
        name: String,
        /// What it asks for.
        reason: &'static str,
    },
    /// The plugin's own words: it refused a step of bringing an instance up.
    #[error("{0}")]
    Refused(String),
    /// The file cannot be executed, and why: empty, not executable, noexec, other architecture …
    #[error("cannot execute {}: {reason}", file.display())]
    NotExecutable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The check of file permissions is on and does not pass (plugin-lifecycle §7.7).
    #[error("{0}")]
    Permissions(String),
    /// The digest of the file is not the entry's.
    #[error("checksums did not match: {} has sha256 {actual}, expected {expected}", file.display())]
    Checksum {
        /// The file.
        file: PathBuf,
        /// What the catalog says.
        expected: Sha256,
        /// What the file has.
        actual: Sha256,
    },
    /// A system call of ours failed while starting.
    #[error("{doing}: {reason}")]
    System {
        /// What we were doing.
        doing: &'static str,
        /// Errno text.
        reason: String,
    },
    /// The process ended before its handshake was complete, or could not be connected to.
    #[error(
        "plugin process did not start: {}: {reason}{}{}",
        file.display(), Advice(advice), Tail(stderr)
    )]
    Start {
        /// The file that it was started from.
        file: PathBuf,
        /// Exit status, signal or what failed in connecting. No words of the plugin.
        reason: String,
        /// What to do about it.
        advice: Option<String>,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// What it printed first is no handshake that this server takes.
    #[error(
        "plugin process did not start: {}: {fault}{}{}",
        file.display(), Advice(&diagnosis::of_handshake(fault, *exit)), Tail(stderr)
    )]
    Handshake {
        /// The file that it was started from.
        file: PathBuf,
        /// What is wrong with it; repeats the plugin's words.
        fault: HandshakeError,
        /// How it ended right after that, if it did.
        exit: Option<Exit>,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// A process that had started has ended.
    #[error("plugin process ended: {exit}{}{}", Advice(&of_exit(*exit)), Tail(stderr))]
    Ended {
        /// Exit status or signal.
        exit: Exit,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// A process answered nothing any more and was killed for it.
    #[error("plugin process hung: {checks} health checks without an answer")]
    Hung {
        /// Health checks in a row that it has missed.
        checks: u32,
    },
    /// No handshake within the limit.
    #[error(
        "timeout while waiting for plugin to start: {}: no handshake within {limit:?}{}; if it only \
         needs longer, plugin_start_timeout is the limit{}",
        file.display(), Meanwhile(*cpu), Tail(stderr)
    )]
    StartTimeout {
        /// The file that it was started from.
        file: PathBuf,
        /// CPU time that it has used meanwhile, where the system says so.
        cpu: Option<Duration>,
        /// `plugin_start_timeout`.
        limit: Duration,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// One step of bringing an instance up failed.
    #[error("{step} failed: {reason}{}", Tail(stderr))]
    Step {
        /// `Setup`, `Type`, `SpecialPaths`, `Initialize` …
        step: &'static str,
        /// What happened to the call. No words of the plugin.
        reason: String,
        /// The last lines of its stderr when the process ended in that step, else empty.
        stderr: Vec<String>,
    },
    /// A step, or the start as a whole, took longer than it may.
    #[error("{step} did not end within {} s{}", limit.as_secs_f64(), Tail(stderr))]
    Deadline {
        /// `MultiplexingSupport`, `Setup`, `Initialize` …
        step: &'static str,
        /// How long it may take.
        limit: Duration,
        /// The last lines of its stderr where the process serves nobody else, else empty.
        stderr: Vec<String>,
    },
    /// The server is ending and starts nothing any more.
    #[error("server is shutting down")]
    Stopping,
}

/// How much of what a plugin printed an error repeats, in characters.
const PRINTED: usize = 2_000;

/// Appends what the process last said, if it said anything: the last lines that there is room for.
struct Tail<'a>(&'a [String]);

impl std::fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut room = PRINTED;
        let fits = |line: &&String| {
            room = room.saturating_sub(line.chars().count());
            room > 0
        };
        let count = self.0.iter().rev().take_while(fits).count();
        let lines = self.0.get(self.0.len() - count..).unwrap_or_default();
        // The line of a panic comes first, however long the rest is.
        let first = self.0.first().filter(|_| count < self.0.len());
        let panic = first.filter(|line| line.starts_with("panic: ") || line.starts_with("fatal "));
        for (place, line) in panic.into_iter().chain(lines).enumerate() {
            let gap = if place == 0 { "; last output: " } else { " | " };
            write!(f, "{gap}{line}")?;
        }
        Ok(())
    }
}

/// Appends what to do.
struct Advice<'a>(&'a Option<String>);

impl std::fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(text) => write!(f, "; {text}"),
            None => Ok(()),
        }
    }
}

/// Says whether a process that did not get ready was waiting or working.
struct Meanwhile(Option<Duration>);

impl std::fmt::Display for Meanwhile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(cpu) => write!(
                f,
                ", in which it used {:.1} s of CPU time",
                cpu.as_secs_f64()
            ),
            None => Ok(()),
        }
    }
}

fn of_exit(exit: Exit) -> Option<String> {
    match exit {
        Exit::Signal(number) => diagnosis::of_signal(number).map(str::to_owned),
        Exit::Status(_) | Exit::Unknown => None,
    }
}

impl Error {
    /// The text for whoever sent a request to a mount: what happened, without anything that the
    /// plugin printed.
    pub(crate) fn for_requests(&self) -> String {
        match self {
            Self::Start { reason, advice, .. } => {
                format!("plugin process did not start: {reason}{}", Advice(advice))
            }
            Self::Handshake { .. } => {
                "plugin process did not start: what it printed is no handshake that this server takes"
                    .to_owned()
            }
            Self::StartTimeout { limit, .. } => {
                let limit = limit.as_secs_f64();
                format!("plugin process did not answer the handshake within {limit} s")
            }
            Self::Ended { exit, .. } => {
                format!("plugin process ended: {exit}{}", Advice(&of_exit(*exit)))
            }
            Self::Step { step, reason, .. } => format!("{step} failed: {reason}"),
            Self::Deadline { step, limit, .. } => {
                format!("{step} did not end within {} s", limit.as_secs_f64())
            }
            other => other.to_string(),
        }
    }

    /// The refusal of a lifecycle operation, plain(400): the words of plugin-lifecycle §4.3.
    pub(crate) fn into_refusal(self) -> linchpin_engine::Error {
        match self {
            Self::Stopping => {
                linchpin_engine::Error::unavailable(self.to_string(), Duration::from_secs(1))
            }
            other => linchpin_engine::Error::refused(other.to_string()).with_source(other),
        }
    }

    /// The same with what the process said, when that is what a deadline passed over.
    pub(crate) fn with_output(mut self, lines: Vec<String>) -> Self {
        if let Self::Deadline { stderr, .. } = &mut self {
            *stderr = lines;
        }
        self
    }

    /// A failed system call.
    pub(crate) fn system(doing: &'static str, error: impl Into<std::io::Error>) -> Self {
        Self::System {
            doing,
            reason: errno_text(&error.into()),
        }
    }
}

/// The text of an I/O error as Vault prints it: Go's errno words, no number behind them.
pub(crate) fn errno_text(error: &std::io::Error) -> String {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => "no such file or directory".to_owned(),
        Some(Errno::ACCESS) => "permission denied".to_owned(),
        Some(Errno::NOTDIR) => "not a directory".to_owned(),
        Some(Errno::LOOP) => "too many levels of symbolic links".to_owned(),
        Some(Errno::NAMETOOLONG) => "file name too long".to_owned(),
        Some(Errno::NOEXEC) => "exec format error".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
