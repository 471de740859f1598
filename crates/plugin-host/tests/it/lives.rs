//! The life of a process beside its requests: its end, its silence, what is left of it, and what is
//! seen of it all.

use crate::plugins::kill;
use crate::scratch::{PATIENCE, eventually, is_gone, runs};
use crate::world::{World, launcher, settings};
use linchpin_engine::{Fleet, InstanceState, Joining};
use linchpin_model::{PluginEntry, PluginType};
use linchpin_plugin_host::{FilePermissions, PluginHost};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn h40_a_process_ends_with_its_last_mount_and_its_directory_with_it() {
    let world = World::new(|_| {});
    let (a, b) = (world.mount(&[], "a").await, world.mount(&[], "b").await);
    let pid = world.pid(&a).await;
    a.cleanup(&world.ctx).await;
    assert!(runs(pid));
    assert_eq!(world.directories(), 1);
    let began = Instant::now();
    b.cleanup(&world.ctx).await;
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
    assert!(is_gone(pid));
    assert_eq!(world.directories(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn h41_a_plugin_that_ignores_shutdown_is_killed_after_two_seconds() {
    let world = World::new(|_| {});
    let mount = world.mount(&["FAULT_SHUTDOWN=ignore"], "a").await;
    let pid = world.pid(&mount).await;
    let began = Instant::now();
    mount.cleanup(&world.ctx).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(1_900), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(is_gone(pid));
    assert_eq!(world.directories(), 0);
}

/// Pings would make a Go server end the connection (plugin-protocol §1.10). Fifteen minutes when
/// `LINCHPIN_TEST_LONG` is set, else a few seconds, with a hundred times as many health checks.
#[tokio::test(flavor = "multi_thread")]
async fn h54_an_idle_go_plugin_keeps_its_connection() {
    let Ok(file) = std::env::var("LINCHPIN_TEST_KV_NEW") else {
        assert!(
            std::env::var("CI").is_err(),
            "h54 needs LINCHPIN_TEST_KV_NEW"
        );
        eprintln!("skipped: h54: no Go plugin");
        return;
    };
    let long = std::env::var("LINCHPIN_TEST_LONG").is_ok();
    let (idle, interval) = if long {
        (Duration::from_secs(15 * 60), Duration::from_secs(5))
    } else {
        (Duration::from_secs(2), Duration::from_millis(20))
    };
    let world = World::new(|s| s.health_interval = interval);
    let entry = world.other("kv", std::fs::read(file).unwrap());
    let made = world.prepare(entry, "a", Joining::Newest).await.unwrap();
    made.backend.initialize(&world.ctx).await.unwrap();
    let pid = world.host.instances()[0].pid();
    tokio::time::sleep(idle).await;
    world.read(&made.backend, "config").await.unwrap();
    let now = &world.host.instances()[0];
    assert_eq!(
        (now.pid(), now.restarts, &now.state),
        (pid, 0, &InstanceState::Running)
    );
    let lines = world.host.logs(PluginType::Secret, "tp", None, 1_000);
    let complaint = lines
        .iter()
        .find(|line| line.message.contains("too_many_pings"));
    assert_eq!(complaint, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_has_left_is_cleared_at_the_next_start() {
    let mut left = None;
    let world = World::new(|s| {
        let abandoned = s.socket_directory.join("lp-abandoned");
        std::fs::create_dir_all(abandoned.join("exe")).unwrap();
        let child = Command::new("tail")
            .args(["-f", "/dev/null"])
            .env("PLUGIN_UNIX_SOCKET_DIR", &abandoned)
            .spawn()
            .unwrap();
        // The spawn returns within exec, a moment before the kernel shows the environment.
        let environment = format!("/proc/{}/environ", child.id());
        let end = Instant::now() + PATIENCE;
        while std::fs::read(&environment).unwrap().is_empty() {
            assert!(Instant::now() < end, "no environment to see");
            std::thread::yield_now();
        }
        left = Some(child);
    });
    let mut child = left.unwrap();
    // As the child of this process it stays a zombie until it is waited for.
    assert!(!child.wait().unwrap().success());
    assert_eq!(world.directories(), 0);

    // A second server in the same directory leaves the first one's processes alone.
    let mount = world.mount(&[], "a").await;
    let pid = world.pid(&mount).await;
    let second = PluginHost::start(settings(&world.scratch), launcher()).unwrap();
    assert_eq!(world.directories(), 1);
    assert_eq!(world.pid(&mount).await, pid);
    second.shutdown().await;
    assert_eq!(world.pid(&mount).await, pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn owner_and_mode_are_checked_where_that_is_on() {
    let on = |uid| Some(FilePermissions { uid, mode: None });
    let world = World::new(|s| s.file_permissions = on(None));
    let mount = world.mount(&[], "a").await;
    assert!(world.pid(&mount).await > 0);
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let directory = world.scratch.plugins();
    for path in [directory.join("fault"), directory.clone()] {
        set(&path, 0o777);
        let text = format!(
            "path {:?} has insecure permissions 777. Vault expects no write permissions for group \
             or others",
            path.display().to_string()
        );
        let refused = world.prepare(world.entry(&["X=1"]), "b", Joining::Newest);
        assert_eq!(refused.await.err().unwrap().to_string(), text);
        let refused = world.host.inspect("fault").await.unwrap_err();
        assert_eq!(refused.to_string(), text);
        if path == directory {
            let mut settings = settings(&world.scratch);
            settings.file_permissions = on(None);
            let refused = PluginHost::start(settings, launcher()).unwrap_err();
            assert_eq!(refused.to_string(), text);
        }
        set(&path, 0o755);
    }
    let mut settings = settings(&world.scratch);
    settings.file_permissions = on(Some(4_242));
    let refused = PluginHost::start(settings, launcher())
        .unwrap_err()
        .to_string();
    assert!(refused.ends_with("is not owned by uid 4242"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_process_is_listed_counted_and_kept() {
    let world = World::new(|s| {
        s.restart.first_pause = Duration::from_secs(5);
        s.restart.breaker_after = 0;
    });
    let entry = PluginEntry {
        version: Some("v1.0.0".parse().unwrap()),
        ..world.entry(&["FAULT_STDERR=3"])
    };
    let mut mounts = Vec::new();
    for path in ["b", "a"] {
        let made = world
            .prepare(entry.clone(), path, Joining::Newest)
            .await
            .unwrap();
        made.backend.initialize(&world.ctx).await.unwrap();
        mounts.push(made.backend);
    }
    let listed = world.host.instances();
    let paths: Vec<&str> = listed.iter().map(|i| i.mount.as_str()).collect();
    assert_eq!(paths, ["a/", "b/"]);
    let status = listed[0].clone();
    assert_eq!((status.restarts, status.last_error.as_deref()), (0, None));
    let process = status.process.unwrap();
    assert!(process.multiplexed && process.started <= std::time::SystemTime::now());
    assert!(process.handshake > Duration::ZERO);
    assert!(process.memory.is_some_and(|bytes| bytes > 1 << 20));
    assert!(
        process
            .cpu
            .is_some_and(|time| time < Duration::from_secs(60))
    );
    assert!(process.containment.contains("no_new_privs=on"));
    let lines = world.host.logs(PluginType::Secret, "tp", Some("v1.0.0"), 2);
    let said: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "[WARN] fault: line 1 as told",
            "[WARN] fault: line 2 as told"
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.pid == process.pid && line.level == "warn")
    );

    kill(process.pid, "KILL");
    let now = || world.host.instances()[0].clone();
    eventually("it runs again", || now().restarts == 1).await;
    let cause = now().last_error.unwrap();
    assert!(
        cause.starts_with("plugin process ended: signal: killed (SIGKILL)"),
        "{cause}"
    );
    assert!(cause.contains("out-of-memory killer"), "{cause}");
    kill(now().pid().unwrap(), "KILL");
    eventually("the breaker is open", || {
        world.host.totals()[0].breaker_open
    })
    .await;
    let row = &world.host.totals()[0];
    assert_eq!((row.name.as_str(), row.version.as_str()), ("tp", "v1.0.0"));
    assert_eq!(
        (row.starts, row.failed_starts, row.crashes, row.hangs),
        (2, 0, 2, 0)
    );
    for mount in mounts {
        mount.cleanup(&world.ctx).await;
    }
    assert!(!world.host.totals()[0].breaker_open);
}
