//! Why a plugin could not be started, asked or stopped.
//!
//! The texts are read by people through the API, so each names what an operator needs: the file,
//! both digests, the exit status, the last lines on stderr. None holds a value of `env`.

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
    /// The plugin's own words: its Setup or Initialize refused.
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
    /// The process ended, or spoke something else, before its handshake was complete.
    #[error("plugin process did not start: {reason}{}", Tail(stderr))]
    Start {
        /// Exit status, signal or protocol error.
        reason: String,
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
        /// The plugin's own text, or what happened to the call.
        reason: String,
        /// The last lines of its stderr when the process ended in that step, else empty.
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

impl Error {
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
}
