//! Starts that fail: real files, real ends, and the one message that comes of each.

use crate::scratch::{Scratch, eventually};
use crate::world::{World, example};
use linchpin_engine::{Fleet, Joining};
use linchpin_model::{ErrorKind, Execution, PluginEntry, PluginType};
use std::time::{Duration, Instant};

/// What is said when the entry is mounted, and that nothing of the start is left.
async fn refusal(world: &World, entry: PluginEntry) -> String {
    let error = world.prepare(entry, "a", Joining::Newest).await.err();
    let error = error.expect("it does not start");
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert_eq!(world.directories(), 0, "{error}");
    error.to_string()
}

fn script(body: &str) -> String {
    format!("#!/bin/sh\n{body}\n")
}

/// The bytes of a program of this system with some of them replaced, everywhere.
fn patched(program: &str, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = std::fs::read(program).unwrap();
    let places: Vec<usize> = (0..bytes.len() - from.len())
        .filter(|at| bytes[*at..].starts_with(from.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "{program} has no {from}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn h01_what_is_no_plugin_is_told_from_a_plugin_that_fails() {
    let world = World::new(|_| {});
    let cookie = "This binary is a plugin. These are not meant to be executed directly.";
    let unusable = format!("1|5|unix|/nowhere/p|grpc|MC0{}", "A".repeat(60));
    for (name, body, parts) in [
        (
            "silent",
            "exit 0".to_owned(),
            [
                "exit status 0 before its handshake",
                "this is another program",
            ],
        ),
        (
            "tls",
            "echo 'plugin tls init: no entropy' >&2".to_owned(),
            [
                "its last output says why",
                "last output: plugin tls init: no entropy",
            ],
        ),
        (
            "cookie",
            format!("echo '{cookie}' >&2; exit 1"),
            [
                "exit status 1 before its handshake",
                "registered under the type database",
            ],
        ),
        (
            "hello",
            "echo hello".to_owned(),
            [
                "Unrecognized remote plugin message: \"hello\"",
                "the program ended (exit status 0): it is not a plugin",
            ],
        ),
        (
            "chatty",
            "echo '2026-01-01T00:00:00Z [INFO] starting'; exec sleep 60".to_owned(),
            ["Unrecognized remote plugin message", "belongs on stderr"],
        ),
        (
            "segv",
            "kill -SEGV $$".to_owned(),
            [
                "signal: segmentation fault (SIGSEGV) before its handshake",
                "it crashed",
            ],
        ),
        (
            "killed",
            "kill -KILL $$".to_owned(),
            [
                "signal: killed (SIGKILL) before its handshake",
                "out-of-memory killer",
            ],
        ),
        (
            "closed",
            "exec >&-; exec sleep 60".to_owned(),
            ["it closed its stdout before its handshake", ""],
        ),
        (
            "command",
            "no-such-command".to_owned(),
            [
                "exit status 127 before its handshake",
                "a shell ends like this",
            ],
        ),
        (
            "nobody-listens",
            format!("echo '{unusable}'; exec sleep 60"),
            ["its socket does not answer as it should", ""],
        ),
        (
            "gone-again",
            format!("echo '{unusable}'"),
            ["exit status 0 right after its handshake", ""],
        ),
        (
            "three",
            "echo '1|3|unix|/tmp/p|grpc|'; exec sleep 60".to_owned(),
            [
                "plugin version \"3\", client versions [5]",
                "rebuild it with v0.6.0 or newer",
            ],
        ),
    ] {
        let text = refusal(&world, world.other(name, script(&body))).await;
        for part in [
            &format!(
                "did not start: {}/{name}: ",
                world.scratch.plugins().display()
            ),
            parts[0],
            parts[1],
        ] {
            assert!(text.contains(part), "{text}: {part}");
        }
    }
    // A program of the system, with arguments; and the probe says the same as the mount.
    let mut entry = world.other("echo", std::fs::read("/bin/echo").unwrap());
    entry.args = vec!["usage: echo".to_owned()];
    let probed = world.host.probe(&world.ctx, &entry, None).await;
    let text = probed.unwrap_err().to_string();
    assert!(
        text.contains("Unrecognized remote plugin message: \"usage: echo\""),
        "{text}"
    );
    let text = refusal(&world, entry).await;
    assert!(text.contains("the program ended (exit status 0)"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h02_a_handshake_that_does_not_come_ends_the_start() {
    let world = World::new(|s| s.plugin_start_timeout = Duration::from_millis(400));
    let began = Instant::now();
    let body = "echo waiting for a lock >&2; exec sleep 60";
    let text = refusal(&world, world.other("waits", script(body))).await;
    assert!(began.elapsed() < Duration::from_secs(20));
    for part in [
        "timeout while waiting for plugin to start: ",
        "/waits: no handshake within 400ms, in which it used 0.0 s of CPU time",
        "plugin_start_timeout is the limit",
        "last output: waiting for a lock",
    ] {
        assert!(text.contains(part), "{text}: {part}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h57_a_library_that_is_missing_or_too_old_is_named() {
    let world = World::new(|_| {});
    let missing = patched("/bin/sleep", "libc.so.6", "libq.so.6");
    let text = refusal(&world, world.other("missing", missing)).await;
    for part in [
        "/missing: exit status 127 before its handshake",
        "the library libq.so.6 cannot be loaded",
        "execution=path",
        "error while loading shared libraries",
    ] {
        assert!(text.contains(part), "{text}: {part}");
    }
    let newer = patched("/bin/sleep", "GLIBC_2.34", "GLIBC_9.99");
    let text = refusal(&world, world.other("newer", newer)).await;
    assert!(text.contains("it wants GLIBC_9.99"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h57_a_file_system_that_is_mounted_noexec_is_named() {
    let mount = Scratch::new();
    let done = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "noexec,size=4m", "tmpfs"])
        .arg(mount.plugins())
        .output();
    if !done.is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: h57, noexec: this user may not mount");
        return;
    }
    let world = World::new(|s| s.plugin_directory = Some(mount.plugins()));
    let sha256 = mount.write("tp", script("exit 0"));
    let entry = PluginEntry {
        command: "tp".to_owned(),
        sha256,
        ..world.entry(&[])
    };
    let text = refusal(&world, entry).await;
    let unmounted = std::process::Command::new("umount")
        .arg("--lazy")
        .arg(mount.plugins())
        .status();
    assert!(unmounted.unwrap().success());
    assert!(
        text.contains("/tp: permission denied: its file system is mounted noexec"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn h57_files_that_cannot_run_are_told_apart() {
    let world = World::new(|_| {});
    std::fs::create_dir(world.scratch.plugins().join("folder")).unwrap();
    let mut folder = world.entry(&[]);
    folder.command = "folder".to_owned();
    let plain = world.other("plain", script("exit 0"));
    let file = world.scratch.plugins().join("plain");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let mut foreign = example("fault");
    foreign[18..20].copy_from_slice(&[243, 0]);
    for (entry, part) in [
        (folder, "/folder: it is a directory"),
        (plain, "/plain: permission denied: it is not executable"),
        (world.other("empty", ""), "/empty: it is empty"),
        (
            world.other("foreign", foreign),
            "/foreign: exec format error: it was built for RISC-V",
        ),
        (
            world.other("page", "<html>404 not found</html>"),
            "/page: exec format error: it is a page of a web site",
        ),
        (
            world.other("lost", "#!/usr/bin/no-python\n"),
            "/lost: its interpreter /usr/bin/no-python: no such file or directory",
        ),
    ] {
        let text = refusal(&world, entry).await;
        assert!(
            text.starts_with("cannot execute /") && text.contains(part),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_the_environment_is_repeated() {
    let world = World::new(|_| {});
    let says = "echo \"[ERROR] bad key $API_KEY\" >&2; echo \"$API_KEY\"; exit 1";
    let mut entry = world.other("says", script(says));
    entry.env = vec!["API_KEY=hunter2-and-more".to_owned()];
    let text = refusal(&world, entry.clone()).await;
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("Unrecognized remote plugin message: \"<API_KEY>\""),
        "{text}"
    );
    assert!(
        text.contains("last output: [ERROR] bad key <API_KEY>"),
        "{text}"
    );
    let probed = world.host.probe(&world.ctx, &entry, None).await;
    assert!(!probed.unwrap_err().to_string().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panic_that_ended_a_plugin_is_told_however_long_its_trace_is() {
    let world = World::new(|_| {});
    let body = "echo 'panic: no such thing' >&2; \
                for i in $(seq 500); do echo \"goroutine $i [running]: main.main()\" >&2; done; exit 2";
    let text = refusal(&world, world.other("panics", script(body))).await;
    assert!(
        text.contains("last output: panic: no such thing | "),
        "{text}"
    );
    assert!(
        text.ends_with("goroutine 500 [running]: main.main()"),
        "{text}"
    );
    assert!(text.len() < 3_000, "{}", text.len());
}

/// A failed start leaves its lines for whoever asks later, and is counted.
#[tokio::test(flavor = "multi_thread")]
async fn h14_whatever_a_plugin_writes_to_stderr_is_read_and_kept() {
    let world = World::new(|_| {});
    let body = r#"{
echo '{"@level":"warn","@message":"of hclog","@timestamp":"2026-01-02T03:04:05.000000Z","key":7}'
echo '[WARN] of a prefix'
head -c 200000 /dev/zero | tr '\0' x; echo
printf 'bad \377 bytes \033[31m\n'
echo 'panic: at last'
echo 'goroutine 1 [running]:'
} >&2
exit 2"#;
    let mut entry = world.other("writes", script(body));
    entry.version = Some("v1.2.3".parse().unwrap());
    let text = refusal(&world, entry).await;
    assert!(text.contains("panic: at last"), "{text}");
    let lines = world
        .host
        .logs(PluginType::Secret, "tp", Some("v1.2.3"), 1_000);
    let find = |part: &str| {
        lines
            .iter()
            .find(|line| line.message.contains(part))
            .unwrap()
    };
    let structured = find("of hclog");
    assert_eq!(structured.level, "warn");
    assert!(
        structured
            .fields
            .contains(&("key".to_owned(), "7".to_owned()))
    );
    assert_eq!(find("of a prefix").level, "warn");
    assert_eq!(find("panic: at last").level, "error");
    assert_eq!(find("goroutine 1").level, "error");
    assert!(!find("bad ").message.contains('\u{1b}'));
    assert!(lines.iter().all(|line| line.message.len() <= 4_096));
    assert!(lines.iter().any(|line| line.message.starts_with("xxxx")));
    assert!(
        lines
            .iter()
            .all(|line| line.version == "v1.2.3" && line.pid > 0)
    );
    assert!(world.host.logs(PluginType::Auth, "tp", None, 9).is_empty());

    let totals = world.host.totals();
    let row = totals.iter().find(|row| row.version == "v1.2.3").unwrap();
    assert_eq!((row.starts, row.failed_starts, row.crashes), (0, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn h60_an_entry_that_was_edited_in_storage_is_refused_as_its_registration_would_be() {
    let world = World::new(|_| {});
    std::fs::write(world.scratch.root().join("outside"), script("exit 0")).unwrap();
    let link = world.scratch.plugins().join("link");
    std::os::unix::fs::symlink(world.scratch.root().join("outside"), link).unwrap();
    let edited = |edit: fn(&mut PluginEntry)| {
        let mut entry = world.entry(&[]);
        edit(&mut entry);
        entry
    };
    for (entry, part) in [
        (
            edited(|e| e.command = "../outside".to_owned()),
            "path cannot contain parent references",
        ),
        (
            edited(|e| e.command = "link".to_owned()),
            "cannot execute files outside of configured plugin directory",
        ),
        (
            edited(|e| e.oci_image = "registry/tp".to_owned()),
            "unable to run plugin",
        ),
        (
            edited(|e| e.env = vec!["LD_PRELOAD=/x.so".to_owned()]),
            "LD_PRELOAD",
        ),
    ] {
        let text = refusal(&world, entry).await;
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_a_setup_that_fails_leaves_nothing_behind() {
    let world = World::new(|_| {});
    for env in [
        ["FAULT_SETUP=fail"].as_slice(),
        &["FAULT_SETUP=fail", "FAULT_MULTIPLEX=0"],
    ] {
        let text = refusal(&world, world.entry(env)).await;
        assert_eq!(text, "fault: Setup fails as told");
    }
    assert!(world.host.instances().is_empty());
    // Beside a mount that lives, only the failed one goes.
    let mount = world.mount(&[], "lives").await;
    let pid = world.pid(&mount).await;
    let failed = world.prepare(world.entry(&["FAULT_SETUP=fail"]), "b", Joining::Newest);
    assert!(failed.await.is_err());
    assert_eq!(world.directories(), 1);
    assert_eq!(world.pid(&mount).await, pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn h42_a_file_that_was_replaced_starts_no_generation_and_a_respawn_has_the_sealed_bytes() {
    let world = World::new(|_| {});
    for (name, execution) in [
        ("sealed", Execution::Sealed),
        ("descriptor", Execution::Descriptor),
        ("path", Execution::Path),
    ] {
        let entry = PluginEntry {
            execution: Some(execution),
            ..world.other(name, example("fault"))
        };
        let made = world.prepare(entry.clone(), name, Joining::Newest).await;
        let mount = made.unwrap().backend;
        mount.initialize(&world.ctx).await.unwrap();
        let pid = world.pid(&mount).await;
        let listed = world.host.instances();
        let process = listed[0].process.clone().unwrap();
        let verified = if execution == Execution::Path {
            "at start"
        } else {
            "at execution"
        };
        assert_eq!(process.verified, verified);
        assert!(process.memory.is_some_and(|bytes| bytes > 1 << 20));
        assert!(process.cpu.is_some());

        // Another file of that name; the one that runs cannot be written to when it runs by path.
        std::fs::remove_file(world.scratch.plugins().join(name)).unwrap();
        world.scratch.write(name, script("exit 0"));
        let refused = world.prepare(
            entry,
            "b",
            Joining::NewerThan {
                generation: Some(u64::MAX),
                call: "call".into(),
            },
        );
        let text = refused.await.err().unwrap().to_string();
        assert!(text.contains("checksums did not match"), "{text}");
        crate::plugins::kill(pid, "KILL");
        let now = || world.host.instances()[0].clone();
        match execution {
            // The opened file is still the old one.
            Execution::Sealed | Execution::Descriptor => {
                eventually("it runs again", || now().pid().is_some_and(|p| p != pid)).await;
                assert_ne!(world.pid(&mount).await, pid);
            }
            Execution::Path => {
                let cause = || now().last_error.unwrap_or_default();
                eventually("it is not started", || {
                    cause().contains("checksums did not match")
                })
                .await;
                assert_eq!(now().pid(), None);
            }
        }
        mount.cleanup(&world.ctx).await;
        assert_eq!(world.directories(), 0);
    }
}
