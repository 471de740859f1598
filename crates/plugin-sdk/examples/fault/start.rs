//! What a file may do that is no plugin, or not one of ours, in place of the handshake line.

use std::io::Write as _;
use std::process::ExitCode;

/// Does it, and returns the status to end with; `None` = the plugin goes on to its handshake.
pub(super) fn in_place_of_the_handshake(what: &str) -> Option<ExitCode> {
    match what {
        "exit-0" => return Some(ExitCode::SUCCESS),
        "garbage" => say(b"this is no handshake\n"),
        // Nobody may read on until a line feed comes.
        "long-line" => say(&[b'x'; 1 << 20]),
        "old-protocol" => say(b"1|3|unix|/nowhere|grpc|\n"),
        "stop" => stop(),
        _ => return None,
    }
    loop {
        std::thread::park();
    }
}

/// Stops the process where it is.
pub(super) fn stop() {
    use rustix::process::{Signal, getpid, kill_process};
    let _ = kill_process(getpid(), Signal::STOP);
}

fn say(bytes: &[u8]) {
    // Who listens may have gone away.
    let mut out = std::io::stdout();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}
