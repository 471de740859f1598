//! The spawner, the launcher and the life of one child process.

use crate::scratch::{PATIENCE, Scratch, eventually, is_gone, runs, spawner};
use linchpin_model::Execution;
use linchpin_plugin_host::artefact::Artefact;
use linchpin_plugin_host::launch::Containment;
use linchpin_plugin_host::spawner::{Exit, SpawnRequest, Spawned};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

fn request(scratch: &Scratch, artefact: Arc<Artefact>, args: &[&str]) -> SpawnRequest {
    SpawnRequest {
        artefact,
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        variables: [
            ("PATH".into(), "/usr/bin:/bin".into()),
            ("GREETING".into(), "hi".into()),
        ]
        .into(),
        private: scratch.private(),
        writable: Vec::new(),
        containment: Containment::Compat,
    }
}

async fn text(fd: OwnedFd) -> String {
    tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::fs::File::from(fd).read_to_string(&mut text).unwrap();
        text
    })
    .await
    .unwrap()
}

async fn exit(spawned: &Spawned) -> Exit {
    tokio::time::timeout(PATIENCE, spawned.child.exited())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_process_gets_exactly_its_arguments_and_variables() {
    let scratch = Scratch::new();
    let (spawner, _) = spawner();
    let script = scratch.script("tp", r#"echo "$0|$#|$1|$2|$GREETING|$HOME"; echo oops >&2"#);
    let spawned = spawner
        .spawn(request(&scratch, script, &["a b", "--parent"]))
        .await
        .unwrap();
    assert_eq!(exit(&spawned).await, Exit::Status(0));
    assert!(is_gone(spawned.child.pid()));
    let path = scratch.plugins().join("tp");
    assert_eq!(
        text(spawned.stdout).await,
        format!("{}|2|a b|--parent|hi|\n", path.display())
    );
    assert_eq!(text(spawned.stderr).await, "oops\n");
    assert!(text(spawned.report).await.starts_with("applied landlock="));
}

#[tokio::test]
async fn a_sealed_binary_runs_although_its_file_has_changed() {
    let scratch = Scratch::new();
    let (spawner, _) = spawner();
    let sleep = std::fs::read("/bin/sleep").unwrap();
    for how in [Execution::Sealed, Execution::Descriptor, Execution::Path] {
        let artefact = scratch.artefact("my-plugin", &sleep, how).unwrap();
        assert_eq!(artefact.execution(), how);
        if how == Execution::Sealed {
            std::fs::remove_file(scratch.plugins().join("my-plugin")).unwrap();
        }
        let spawned = spawner
            .spawn(request(&scratch, artefact, &["1000"]))
            .await
            .unwrap();
        let pid = spawned.child.pid();
        // What people see: the plugin's name, not the number of a descriptor.
        eventually("the process has the plugin's name", || {
            std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c == "my-plugin\n")
        })
        .await;
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        let path = scratch.plugins().join("my-plugin").display().to_string();
        assert_eq!(
            String::from_utf8(command).unwrap(),
            format!("{path}\0{}\0", 1000)
        );
        assert!(spawned.child.is_alive());
        assert!(spawned.child.cpu_ticks().is_some());
        spawned.child.kill();
        assert_eq!(exit(&spawned).await.to_string(), "signal: killed (SIGKILL)");
        assert!(!spawned.child.is_alive());
        let _ = std::fs::remove_dir_all(scratch.private().join("exe"));
    }
}

#[tokio::test]
async fn what_exec_refuses_is_named_in_the_report() {
    let scratch = Scratch::new();
    let (spawner, _) = spawner();
    let mut broken = std::fs::read("/bin/true").unwrap();
    broken[56..58].fill(0); // no program headers
    let interpreter = scratch.root().join("interpreter");
    std::fs::copy("/bin/true", &interpreter).unwrap();
    let script = format!("#!{}\n", interpreter.display());
    for (name, bytes, expected) in [
        (
            "no-interpreter",
            script.as_bytes(),
            "interpreter or loader is missing",
        ),
        ("headless", &broken, "exec format error"),
    ] {
        let artefact = scratch.artefact(name, bytes, Execution::Sealed).unwrap();
        let _ = std::fs::remove_file(&interpreter);
        let spawned = spawner
            .spawn(request(&scratch, artefact, &[]))
            .await
            .unwrap();
        assert_eq!(exit(&spawned).await, Exit::Status(127));
        let report = text(spawned.report).await;
        assert!(
            report.contains("\nfailed ") && report.contains(expected),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_dropped_process_is_killed_with_its_group_and_reaped() {
    let scratch = Scratch::new();
    let (spawner, tracker) = spawner();
    let script = scratch.script("tp", "sleep 1000 & echo $!; wait");
    let spawned = spawner.spawn(request(&scratch, script, &[])).await.unwrap();
    let (pid, stdout) = (spawned.child.pid(), spawned.stdout);
    let line = tokio::task::spawn_blocking(move || {
        let mut byte = [0_u8; 1];
        let (mut line, mut file) = (String::new(), std::fs::File::from(stdout));
        while file.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(char::from(byte[0]));
        }
        line
    });
    let grandchild: u32 = line.await.unwrap().parse().unwrap();
    assert!(runs(pid) && runs(grandchild));
    drop(spawned.child);
    eventually("process and grandchild have ended", || {
        is_gone(pid) && !runs(grandchild)
    })
    .await;
    tracker.close();
    tokio::time::timeout(PATIENCE, tracker.wait())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_leaves_no_process() {
    let scratch = Scratch::new();
    let (spawner, _) = spawner();
    let marker = scratch.private().join("pid");
    let script = scratch.script(
        "tp",
        &format!("echo $$ > {}; exec sleep 1000", marker.display()),
    );
    for _ in 0..20 {
        // Whether the caller goes before or after the fork differs from round to round.
        let start = spawner.spawn(request(&scratch, script.clone(), &[]));
        let _ = tokio::time::timeout(Duration::ZERO, start).await;
    }
    // A last one that is taken proves that the thread has worked through all the others.
    let last = spawner.spawn(request(&scratch, script, &[])).await.unwrap();
    drop(last);
    let mine = std::process::id().to_string();
    eventually("no sleeping child is left", || {
        !children_of(&mine).contains(&"sleep".to_owned())
    })
    .await;
}

fn children_of(parent: &str) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path().join("stat")).ok())
        .filter_map(|stat| {
            let (head, rest) = stat.rsplit_once(')')?;
            let is_ours = rest.split_whitespace().nth(1)? == parent;
            is_ours.then(|| head.split_once('(').map(|(_, name)| name.to_owned()))?
        })
        .collect()
}

#[tokio::test]
async fn a_contained_process_writes_only_where_it_may() {
    let scratch = Scratch::new();
    let (spawner, _) = spawner();
    let allowed = scratch.root().join("allowed");
    let outside = scratch.root().join("outside");
    for directory in [&allowed, &outside] {
        std::fs::create_dir(directory).unwrap();
    }
    let script = scratch.script(
        "tp",
        &format!(
            r#"for d in {} {} {}; do (echo x > "$d/file") 2>/dev/null && echo yes || echo no; done
echo z > /dev/null && cat /etc/hostname > /dev/null && echo reads
ulimit -c; grep NoNewPrivs /proc/self/status; ls /proc/self/fd | wc -l"#,
            scratch.private().display(),
            allowed.display(),
            outside.display()
        ),
    );
    let mut contained = request(&scratch, script.clone(), &[]);
    contained.writable = vec![allowed.clone()];
    let spawned = spawner.spawn(contained).await.unwrap();
    let report = text(spawned.report).await;
    let out = text(spawned.stdout).await;
    let lines: Vec<&str> = out.lines().collect();
    // 0, 1, 2 and the listing's own.
    assert_eq!(lines[3..], ["reads", "0", "NoNewPrivs:\t1", "4"], "{out}");
    if report.contains("landlock=full") || report.contains("landlock=partial") {
        assert_eq!(lines[..3], ["yes", "yes", "no"], "{out}");
    }

    let mut free = request(&scratch, script, &[]);
    free.containment = Containment::Off;
    let spawned = spawner.spawn(free).await.unwrap();
    let out = text(spawned.stdout).await;
    assert_eq!(out.lines().take(3).collect::<Vec<_>>(), ["yes"; 3], "{out}");
}
