//! Running a plugin's file as a person would run it: without a server's environment, to see that it
//! says what it is and ends (plugin-protocol §6, P1). Everything else about a plugin is learned over
//! the ordinary way, [`crate::PluginHost`].

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// How long a plugin may take to notice that no server started it.
const LIMIT: Duration = Duration::from_secs(10);
/// The most that is kept of an output, in bytes.
const MOST: u64 = 16 * 1024;

/// What a file did that was started by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByHand {
    /// It ended.
    Ended {
        /// Its exit status, or the signal that ended it.
        exit: String,
        /// What it printed to stdout, the beginning of it.
        stdout: String,
        /// What it printed to stderr, the beginning of it.
        stderr: String,
    },
    /// It was still running after ten seconds and was killed.
    RanOn,
    /// It could not be started.
    NotStarted(String),
}

/// Starts `file` with an empty environment and waits for its end.
///
/// # Cancel safety
/// A dropped future kills the process.
pub async fn by_hand(file: &Path) -> ByHand {
    let mut command = tokio::process::Command::new(file);
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return ByHand::NotStarted(error.to_string()),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let (stdout, stderr, exit) =
            tokio::join!(beginning(stdout), beginning(stderr), child.wait());
        let exit = exit.map_or_else(|error| error.to_string(), |exit| exit.to_string());
        ByHand::Ended {
            exit,
            stdout,
            stderr,
        }
    };
    tokio::time::timeout(LIMIT, ended)
        .await
        .unwrap_or(ByHand::RanOn)
}

/// The beginning of what comes, read to its end.
async fn beginning(pipe: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else {
        return String::new();
    };
    let mut bytes = Vec::new();
    let _ = (&mut pipe).take(MOST).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
