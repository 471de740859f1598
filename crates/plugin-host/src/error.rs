//! Why a plugin could not be started, asked or stopped.
//!
//! The texts are read by people through the API, so each names what an operator needs: the file,
//! both digests, the exit status, the last lines on stderr. None holds a value of `env`.
//!
//! Whoever mounts or reloads a plugin reads what it printed, too. Whoever merely sends a request to
//! a mount does not, for what a plugin prints while it dies may be of another client:
//! [`Error::for_requests`] leaves it out. What a plugin *answers* is meant to be read, and stays.

use linchpin_goplugin::{HandshakeError, names};
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
        "plugin process did not start: {reason}{}{}",
        Tail(stderr),
        Hint(is_old(stderr))
    )]
    Start {
        /// Exit status, signal or what failed in connecting. No words of the plugin.
        reason: String,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// What it printed first is no handshake that this server takes.
    #[error(
        "plugin process did not start: {fault}{}{}",
        Tail(stderr), Hint(speaks_old(fault) || is_old(stderr))
    )]
    Handshake {
        /// What is wrong with it; repeats the plugin's words.
        fault: HandshakeError,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// A process that had started has ended.
    #[error("plugin process ended: {exit}{}", Tail(stderr))]
    Ended {
        /// Exit status or signal.
        exit: String,
        /// The last lines of its stderr, oldest first.
        stderr: Vec<String>,
    },
    /// No handshake within the limit.
    #[error(
        "timeout while waiting for plugin to start: no handshake within {limit:?}{}",
        Tail(stderr)
    )]
    StartTimeout {
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

/// Appends what the process last said, if it said anything.
struct Tail<'a>(&'a [String]);

impl std::fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; last output: {}", self.0.join(" | "))
    }
}

/// What to do with a plugin that is too old, behind its own words.
struct Hint(bool);

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.0 {
            return Ok(());
        }
        write!(
            f,
            "; the plugin was built with a Vault SDK that is too old: rebuild it with v0.6.0 or \
             newer, which speaks plugin protocol {}",
            names::BACKEND_VERSION
        )
    }
}

/// Whether the plugin offers a protocol from before the one that this server speaks.
fn speaks_old(fault: &HandshakeError) -> bool {
    match fault {
        HandshakeError::AppVersion { found, .. } => {
            found.parse().is_ok_and(|v: u32| v < names::BACKEND_VERSION)
        }
        _ => false,
    }
}

/// Whether it ended over the certificate that a host of the old protocols would have wrapped for it
/// (plugin-protocol §2.5).
fn is_old(stderr: &[String]) -> bool {
    let complaint = "error parsing wrapping token";
    stderr.iter().any(|line| line.contains(complaint))
}

impl Error {
    /// The text for whoever sent a request to a mount: what happened, without anything that the
    /// plugin printed.
    pub(crate) fn for_requests(&self) -> String {
        match self {
            Self::Start { reason, .. } => format!("plugin process did not start: {reason}"),
            Self::Handshake { .. } => {
                "plugin process did not start: what it printed is no handshake that this server takes"
                    .to_owned()
            }
            Self::StartTimeout { limit, .. } => {
                let limit = limit.as_secs_f64();
                format!("plugin process did not answer the handshake within {limit} s")
            }
            Self::Ended { exit, .. } => format!("plugin process ended: {exit}"),
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
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_reads_as_vault_writes_it() {
        let path = PathBuf::from("/plugins/nope");
        let reason = errno_text(&std::io::Error::from_raw_os_error(2));
        let error = Error::Lstat { path, reason };
        assert_eq!(
            error.to_string(),
            "error while validating the command path: lstat /plugins/nope: no such file or directory"
        );
    }

    #[test]
    fn a_start_error_ends_with_the_last_output() {
        let error = Error::Start {
            reason: "exit status 3".to_owned(),
            stderr: vec!["one".to_owned(), "two".to_owned()],
        };
        assert_eq!(
            error.to_string(),
            "plugin process did not start: exit status 3; last output: one | two"
        );
    }

    #[test]
    fn a_plugin_that_is_too_old_is_told_what_to_do_after_its_own_words() {
        let hint = "; the plugin was built with a Vault SDK that is too old: rebuild it with v0.6.0 \
                    or newer, which speaks plugin protocol 5";
        let offers = |version: u32| {
            let line = format!("1|{version}|unix|/tmp/p|grpc|");
            let fault = linchpin_goplugin::Handshake::parse(line.as_bytes(), &[5], true);
            let error = Error::Handshake {
                fault: fault.unwrap_err(),
                stderr: vec!["starting".to_owned()],
            };
            error.to_string()
        };
        let text = offers(4);
        let own = "plugin version \"4\", client versions [5]; last output: starting";
        assert!(text.ends_with(&format!("{own}{hint}")), "{text}");
        // One from the future needs something else.
        assert!(!offers(6).contains("rebuild"), "{}", offers(6));

        let ended = |line: &str| {
            let error = Error::Start {
                reason: "exit status 0 before its handshake".to_owned(),
                stderr: vec![line.to_owned()],
            };
            error.to_string()
        };
        let own = "plugin tls init: error parsing wrapping token: square/go-jose";
        assert_eq!(
            ended(own),
            format!(
                "plugin process did not start: exit status 0 before its handshake; last output: {own}{hint}"
            )
        );
        assert!(!ended("out of memory").contains("rebuild"));
    }

    #[test]
    fn a_request_reads_nothing_that_the_plugin_printed() {
        let said = || vec!["panic: password=hunter2".to_owned()];
        let limit = Duration::from_secs(60);
        let fault = linchpin_goplugin::Handshake::parse(b"password=hunter2", &[5], true);
        for (error, expected) in [
            (
                Error::Start {
                    reason: "signal 9 before its handshake".to_owned(),
                    stderr: said(),
                },
                "plugin process did not start: signal 9 before its handshake",
            ),
            (
                Error::Handshake {
                    fault: fault.unwrap_err(),
                    stderr: said(),
                },
                "plugin process did not start: what it printed is no handshake that this server takes",
            ),
            (
                Error::StartTimeout {
                    limit,
                    stderr: said(),
                },
                "plugin process did not answer the handshake within 60 s",
            ),
            (
                Error::Ended {
                    exit: "exit status 2".to_owned(),
                    stderr: said(),
                },
                "plugin process ended: exit status 2",
            ),
            (
                Error::Step {
                    step: "Setup",
                    reason: "the plugin process ended: exit status 2".to_owned(),
                    stderr: said(),
                },
                "Setup failed: the plugin process ended: exit status 2",
            ),
            (
                Error::Deadline {
                    step: "Setup",
                    limit,
                    stderr: said(),
                },
                "Setup did not end within 60 s",
            ),
        ] {
            assert!(error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error.for_requests(), expected);
        }
        let answered = Error::Refused("port 80 is taken".to_owned());
        assert_eq!(answered.for_requests(), "port 80 is taken");
    }
}
