//! What people read when a plugin does not start: whole texts, so that a change of one shows.

use super::*;

fn start(reason: &str, advice: Option<&str>, stderr: &[&str]) -> Error {
    Error::Start {
        file: "/plugins/tp".into(),
        reason: reason.to_owned(),
        advice: advice.map(str::to_owned),
        stderr: stderr.iter().map(|line| (*line).to_owned()).collect(),
    }
}

fn handshake(line: &str, exit: Option<Exit>, stderr: &[&str]) -> Error {
    let fault = linchpin_goplugin::Handshake::parse(line.as_bytes(), &[5], true);
    Error::Handshake {
        file: "/plugins/tp".into(),
        fault: fault.unwrap_err(),
        exit,
        stderr: stderr.iter().map(|line| (*line).to_owned()).collect(),
    }
}

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
fn a_failed_start_names_file_cause_cure_and_last_output_in_this_order() {
    for (error, expected) in [
        (
            start("exit status 3 before its handshake", None, &[]),
            "plugin process did not start: /plugins/tp: exit status 3 before its handshake",
        ),
        (
            start("exit status 3", Some("do this"), &["one", "two"]),
            "plugin process did not start: /plugins/tp: exit status 3; do this; last output: one | two",
        ),
        (
            Error::StartTimeout {
                file: "/plugins/tp".into(),
                cpu: Some(Duration::from_millis(1_250)),
                limit: Duration::from_secs(60),
                stderr: vec!["waiting for a lock".to_owned()],
            },
            "timeout while waiting for plugin to start: /plugins/tp: no handshake within 60s, in which \
             it used 1.2 s of CPU time; if it only needs longer, plugin_start_timeout is the limit; \
             last output: waiting for a lock",
        ),
        (
            Error::Ended {
                exit: Exit::Signal(9),
                stderr: Vec::new(),
            },
            "plugin process ended: signal: killed (SIGKILL); it was killed from outside: look for the \
             out-of-memory killer in the kernel's log and at the memory limit of the server's service \
             or container, then for security software",
        ),
        (
            Error::Hung { checks: 3 },
            "plugin process hung: 3 health checks without an answer",
        ),
    ] {
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn what_is_no_handshake_is_told_with_what_to_do() {
    let old = "the plugin was built with a Vault SDK that is too old: rebuild it with v0.6.0 or \
               newer, which speaks plugin protocol 5, and with go-plugin v1.4.5 or newer, without \
               which it mounts and then reaches no storage";
    let current = "rebuild the plugin with a current SDK, whose ServeMultiplex speaks gRPC over TLS \
                   and plugin protocol 5";
    for (error, parts) in [
        (
            handshake("hello, world", Some(Exit::Status(0)), &[]),
            [
                "/plugins/tp: Unrecognized remote plugin message: \"hello, world\"",
                "the program ended (exit status 0): it is not a plugin",
            ],
        ),
        (
            handshake("2026-01-01 [INFO] starting", None, &[]),
            [
                "Unrecognized remote plugin message: \"2026-01-01 [INFO] starting\"",
                "the first line on stdout has to be the handshake",
            ],
        ),
        (
            handshake("1|4|unix|/tmp/p|grpc|", None, &["starting"]),
            ["plugin version \"4\", client versions [5]", old],
        ),
        (
            handshake("1|6|unix|/tmp/p|grpc|", None, &[]),
            ["plugin version \"6\", client versions [5]", "no protocol 5"],
        ),
        (
            handshake("1|5|unix|/tmp/p", None, &[]),
            ["plugin speaks net/rpc", current],
        ),
        (
            handshake("1|5|unix|/tmp/p|grpc|", None, &[]),
            ["sent no certificate", current],
        ),
    ] {
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "{text}: {part}");
        }
    }
    assert!(
        handshake("1|4|unix|/tmp/p|grpc|", None, &["starting"])
            .to_string()
            .ends_with("reaches no storage; last output: starting")
    );
}

#[test]
fn however_much_a_plugin_prints_the_error_stays_readable() {
    let lines: Vec<String> = (0..21)
        .map(|n| format!("{n} {}", "é".repeat(490)))
        .collect();
    let mut panicking = lines.clone();
    panicking[0] = "panic: no such thing".to_owned();
    for (stderr, first) in [(lines, "17 "), (panicking, "panic: no such thing | 17 ")] {
        let error = Error::Ended {
            exit: Exit::Status(2),
            stderr,
        };
        let text = error.to_string();
        assert!(text.chars().count() < 2_200, "{}", text.chars().count());
        let (_, output) = text.split_once("; last output: ").unwrap();
        assert!(output.starts_with(first), "{output}");
        assert!(output.contains(" | 20 "), "{output}");
    }
}

#[test]
fn a_request_reads_nothing_that_the_plugin_printed() {
    let said = || vec!["panic: password=hunter2".to_owned()];
    let limit = Duration::from_secs(60);
    for (error, expected) in [
        (
            start(
                "exit status 1 before its handshake",
                None,
                &["panic: password=hunter2"],
            ),
            "plugin process did not start: exit status 1 before its handshake",
        ),
        (
            handshake("password=hunter2", None, &["panic: password=hunter2"]),
            "plugin process did not start: what it printed is no handshake that this server takes",
        ),
        (
            Error::StartTimeout {
                file: "/plugins/tp".into(),
                cpu: None,
                limit,
                stderr: said(),
            },
            "plugin process did not answer the handshake within 60 s",
        ),
        (
            Error::Ended {
                exit: Exit::Status(2),
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
