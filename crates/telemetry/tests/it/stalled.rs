//! A process whose log nobody reads. It is this test's own binary, started again with a pipe for its standard error.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use linchpin_telemetry::{Format, Options, flush, init};

const LIMIT: Duration = Duration::from_secs(20);

/// What the started one says when its log is full.
const FLOODED: &str = "flooded";

/// Tells the started one what it is.
const PART: &str = "LINCHPIN_TEST_PART";

fn start(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PART, "1")
        .stdin(Stdio::piped())
        .env_remove("RUST_BACKTRACE")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_started() -> bool {
    std::env::var_os(PART).is_some()
}

fn json() {
    init(Options {
        format: Format::Json,
        ..Options::default()
    })
    .unwrap();
}

/// More than the queue and the pipe hold.
fn flood() {
    for number in 0..20_000 {
        tracing::info!(target: "linchpin_test", number, "line");
    }
}

/// Waits for its end, which must come by itself.
fn ended(child: &mut Child) -> bool {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}

#[test]
fn a_process_whose_log_nobody_reads_works_and_ends() {
    if is_started() {
        json();
        flood();
        // Not even a panic waits for the reader.
        let panicked = std::thread::spawn(|| panic!("for the test")).join();
        assert!(panicked.is_err());
        assert!(!flush(Duration::from_millis(100)));
        // The test's own words would wait for the reader too.
        std::process::exit(0);
    }
    let mut child = start("stalled::a_process_whose_log_nobody_reads_works_and_ends");
    assert!(ended(&mut child), "it hangs, or failed");
}

#[test]
fn what_was_lost_is_counted_in_the_form_of_the_log_and_the_log_goes_on() {
    if is_started() {
        json();
        flood();
        println!("{FLOODED}");
        // Now it is read again.
        std::io::stdin().read_exact(&mut [0]).unwrap();
        assert!(flush(LIMIT));
        tracing::info!(target: "linchpin_test", "after");
        let panicked = std::thread::spawn(|| panic!("for the test")).join();
        assert!(panicked.is_err());
        assert!(flush(LIMIT));
        std::process::exit(0);
    }
    let mut child =
        start("stalled::what_was_lost_is_counted_in_the_form_of_the_log_and_the_log_goes_on");
    let said = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let has_flooded = |line: std::io::Result<String>| line.is_ok_and(|l| l.ends_with(FLOODED));
        tell.send(said.lines().any(has_flooded))
    });
    if told.recv_timeout(LIMIT) != Ok(true) {
        child.kill().unwrap();
        panic!("it hangs, or failed");
    }
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let (mut seen, mut lost, mut rest) = (0, 0, Vec::new());
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        let object: serde_json::Value = serde_json::from_str(&line).unwrap();
        line.clear();
        match object["message"].as_str().unwrap() {
            "line" => seen += 1,
            _ if object.get("lost").is_some() => lost += object["lost"].as_u64().unwrap(),
            text => rest.push(text.to_owned()),
        }
    }
    assert!(ended(&mut child));
    assert!(seen > 0 && lost > 0);
    assert_eq!(seen + lost, 20_000);
    assert!(
        matches!(&rest[..], [after, panic] if after == "after" && panic.contains("panicked at ") && panic.ends_with(": for the test")),
        "{rest:?}"
    );
}
