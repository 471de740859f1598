//! What a file may do that is no plugin, or not one of ours, in place of the handshake line; and what a plugin may do beside its protocol.

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

/// Says so many lines of a KiB, after the handshake line: stdout is nobody's business any more, and must not fill up.
pub(super) fn say_lines(number: u64) {
    for _ in 0..number {
        say(format!("{}\n", "x".repeat(1023)).as_bytes());
    }
}

/// Starts a process that nobody ends, in a group of its own; a `bare` one has an empty environment. Ends the plugin when it cannot, so that
/// no test passes for want of a child.
pub(super) fn leave_a_child(is_bare: bool) {
    use std::os::unix::process::CommandExt as _;
    let mut child = std::process::Command::new("/bin/sleep");
    // Tests know a plugin's processes by this, and must not end the child in the server's place.
    child.arg("3600").env_remove("FAULT_IF").process_group(0);
    if is_bare {
        child.env_clear();
    }
    let child = child.stdin(std::process::Stdio::null());
    if let Err(error) = child.spawn() {
        eprintln!("fault: no child: {error}");
        std::process::exit(4);
    }
}
