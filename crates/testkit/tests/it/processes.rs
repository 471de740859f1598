//! Processes: sharing, stopping, crashing, hanging, leaving nothing behind. Cases 70-75, 77, 78, 91, 97.

use std::time::{Duration, Instant};

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{
    Expect, Load, Process, Product, Settings, Signal, Target, cases, sleep, switch, until, within,
};
use serde_json::json;

cases! {
    both:
        case_70_equal_entries_share_a_process_if_they_multiplex,
        case_71_a_process_ends_with_its_last_mount,
        case_72_a_crash_inside_a_request_costs_that_request,
        case_73_a_killed_process_is_replaced,
        case_74_a_plugin_that_ignores_shutdown_is_killed,
        case_78_a_stopped_server_leaves_no_process;
    linchpin:
        case_73_a_killed_process_is_replaced_without_a_request,
        case_75_a_plugin_that_hangs_at_start_blocks_nobody,
        case_77_a_mount_whose_initialize_fails_does_not_exist,
        case_78_a_killed_server_leaves_no_process,
        case_78_a_server_stopped_during_a_start_leaves_no_process,
        case_91_a_respawn_runs_the_same_bytes,
        case_97_what_cannot_be_served_now_is_a_503_with_its_cause,
        kill_under_load_costs_at_most_what_was_in_flight,
        a_crash_loop_is_retried_with_growing_pauses,
        idle_plugins_outlive_the_blocking_pool;
}

const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

async fn mounted(product: Product, mounts: &[&str]) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in mounts {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    t
}

async fn case_70_equal_entries_share_a_process_if_they_multiplex(product: Product) {
    let t = mounted(product, &["a", "b"]).await;
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t.mount("c", "tp", json!({})).await.ok();
    let (a, b, c) = (t.info("a").await, t.info("b").await, t.info("c").await);
    assert_eq!(a.pid, b.pid);
    assert_ne!(a.instance, b.instance);
    assert_ne!(a.pid, c.pid, "another version is another process");
    t.register(
        "single",
        "1.0.0",
        "tp1",
        json!({"env": [switch::NO_MULTIPLEXING]}),
    )
    .await
    .ok();
    for mount in ["d", "e"] {
        t.mount(mount, "single", json!({})).await.ok();
    }
    assert_ne!(t.info("d").await.pid, t.info("e").await.pid);
}

async fn case_71_a_process_ends_with_its_last_mount(product: Product) {
    let t = mounted(product, &["a", "b"]).await;
    let shared = t.info("a").await.pid;
    t.delete("sys/mounts/a").await.ok();
    assert_eq!(t.info("b").await.pid, shared);
    t.delete("sys/mounts/b").await.ok();
    within(Duration::from_secs(3), "the process ends", || async {
        (!t.has_process(shared)).then_some(())
    })
    .await;
}

async fn case_72_a_crash_inside_a_request_costs_that_request(product: Product) {
    let t = mounted(product, &["m"]).await;
    let rounds = product.pick(5, 1);
    for round in 0..rounds {
        let old = t.info("m").await;
        let reply = t.post("m/exit", json!({})).await;
        assert!(reply.status() >= 500, "{reply:?}");
        if t.is_ours() {
            // Always the next one, not one of the next.
            assert_ne!(t.info("m").await.pid, old.pid, "round {round}");
        } else {
            until("the mount answers again", || async {
                t.get("m/info").await.is_success().then_some(())
            })
            .await;
        }
    }
}

async fn case_73_a_killed_process_is_replaced(product: Product) {
    let t = mounted(product, &["m"]).await;
    t.store("m", "key", "kept").await;
    let old = t.info("m").await;
    Process::kill(old.pid);
    until("the process is gone", || async {
        (!Process::runs(old.pid)).then_some(())
    })
    .await;
    let new = t.info("m").await;
    assert_ne!(new.pid, old.pid);
    assert_eq!(new.version, old.version);
    assert_eq!(t.stored("m", "key").await, "kept");
}

async fn case_73_a_killed_process_is_replaced_without_a_request(product: Product) {
    let t = mounted(product, &["m"]).await;
    let old = t.info("m").await.pid;
    Process::kill(old);
    let replaced = || async { t.plugin_pids().into_iter().find(|pid| *pid != old) };
    let new = within(Duration::from_secs(1), "a new process is there", replaced).await;
    assert_eq!(t.info("m").await.pid, new);
}

async fn case_74_a_plugin_that_ignores_shutdown_is_killed(product: Product) {
    let t = Target::start(product).await;
    t.register(
        "tp",
        "1.0.0",
        "tp1",
        json!({"env": [switch::IGNORES_SHUTDOWN]}),
    )
    .await
    .ok();
    t.mount("m", "tp", json!({})).await.ok();
    let old = t.info("m").await.pid;
    let begin = Instant::now();
    t.reload("m").await.is(200);
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "the reload took {:?}",
        begin.elapsed()
    );
    within(
        Duration::from_secs(5),
        "the old process is gone",
        || async { (!t.has_process(old)).then_some(()) },
    )
    .await;
    assert_ne!(t.info("m").await.pid, old);
}

async fn case_75_a_plugin_that_hangs_at_start_blocks_nobody(product: Product) {
    let t = Target::with(
        product,
        Settings::default().set("plugin_start_timeout", "3s"),
    )
    .await;
    let begin = Instant::now();
    let register = t.register(
        "hung",
        "1.0.0",
        "tp1",
        json!({"env": [switch::HANGS_AT_START]}),
    );
    let others = async {
        until("the process hangs", || async {
            (!t.plugin_pids().is_empty()).then_some(())
        })
        .await;
        let begin = Instant::now();
        t.get("sys/plugins/catalog/secret/kv").await.is(200);
        t.mount("things", "kv", json!({})).await.ok();
        assert!(
            begin.elapsed() < Duration::from_secs(1),
            "others waited {:?}",
            begin.elapsed()
        );
        assert!(!t.plugin_pids().is_empty(), "the process hung meanwhile");
    };
    let (reply, ()) = tokio::join!(register, others);
    // A plugin that cannot be asked for its version registers all the same (§2.5 note c).
    reply.ok();
    // Two attempts, of protocol 5 and of the older ones.
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "the registration took {:?}",
        begin.elapsed()
    );
    until("no process is left", || async {
        t.plugin_pids().is_empty().then_some(())
    })
    .await;
}

async fn case_77_a_mount_whose_initialize_fails_does_not_exist(product: Product) {
    let t = Target::start(product).await;
    t.register(
        "tp",
        "1.0.0",
        "tp1",
        json!({"env": [switch::INITIALIZE_FAILS]}),
    )
    .await
    .ok();
    t.mount("m", "tp", json!({})).await.is(400);
    t.get("sys/mounts/m")
        .await
        .is(400)
        .error_is("No secret engine mount at m/");
    until("no process is left", || async {
        t.plugin_pids().is_empty().then_some(())
    })
    .await;
}

async fn case_78_a_stopped_server_leaves_no_process(product: Product) {
    let mut t = mounted(product, &["m"]).await;
    let pid = t.info("m").await.pid;
    let left = t.server_mut().stop(Signal::TERM);
    assert!(left.is_empty() && !Process::runs(pid), "{left:?}");
}

async fn case_78_a_killed_server_leaves_no_process(product: Product) {
    let mut t = mounted(product, &["m"]).await;
    let pid = t.info("m").await.pid;
    let left = t.server_mut().stop(Signal::KILL);
    assert!(left.is_empty() && !Process::runs(pid), "{left:?}");
}

async fn case_78_a_server_stopped_during_a_start_leaves_no_process(product: Product) {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut t = Target::start(product).await;
        let hung = {
            let register = t.register(
                "hung",
                "1.0.0",
                "tp1",
                json!({"env": [switch::HANGS_AT_START]}),
            );
            let starting = until("the process hangs", || async {
                t.plugin_pids().first().copied()
            });
            tokio::select! {
                reply = register => panic!("the registration did not wait: {reply:?}"),
                pid = starting => pid,
            }
        };
        let left = t.server_mut().stop(signal);
        assert!(
            left.is_empty() && !Process::runs(hung),
            "{signal:?} left {left:?}"
        );
    }
}

async fn case_91_a_respawn_runs_the_same_bytes(product: Product) {
    let t = mounted(product, &["m"]).await;
    let sha = t.digest("tp1");
    let respawned = async |what: &str| {
        let old = t.info("m").await;
        Process::kill(old.pid);
        until("the process is gone", || async {
            (!Process::runs(old.pid)).then_some(())
        })
        .await;
        let new = t.info("m").await;
        assert_ne!(new.pid, old.pid, "{what}");
        assert_eq!(new.version, "v1.0.0", "{what}");
        t.get("sys/mounts/m")
            .await
            .is(200)
            .has("/data/running_sha256", sha.clone());
    };
    // Its version deregistered: a new generation is refused, and changes nothing.
    t.delete("sys/plugins/catalog/secret/tp?version=1.0.0")
        .await
        .ok();
    respawned("deregistered").await;
    let running = t.info("m").await;
    t.reload("m").await.is(400);
    assert_eq!(t.info("m").await, running);
    // Its entry overwritten.
    t.register("tp", "1.0.0", "tp1", json!({"sha256": ZEROS}))
        .await
        .ok();
    respawned("overwritten").await;
    t.reload("m")
        .await
        .is(400)
        .error_has("checksums did not match");
    // Its file replaced.
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.plugins().write("tp1", b"no plugin");
    respawned("replaced").await;
    t.reload("m")
        .await
        .is(400)
        .error_has("checksums did not match");
    // And with a good entry it moves on.
    t.plugins()
        .install("good", &linchpin_testkit::binary("fault-v1"));
    t.register("tp", "1.0.0", "good", json!({})).await.ok();
    let old = t.info("m").await;
    t.reload("m").await.is(200);
    assert_ne!(t.info("m").await.pid, old.pid);
}

async fn case_97_what_cannot_be_served_now_is_a_503_with_its_cause(product: Product) {
    // A full gate: one request may wait, and it does.
    let settings = Settings::default()
        .set("gate_queue", 1)
        .set("gate_timeout", "3s")
        .set("drain_timeout", "6s");
    let t = Target::with(product, settings).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.mount("m", "tp", json!({})).await.ok();
    let load = Load::start(
        t.client(),
        4,
        |_, _| Request::new(Method::GET, "m/info"),
        |_| String::new(),
    );
    let reload = async {
        load.advance(4, Duration::from_secs(30)).await;
        t.reload("m").await.is(200);
    };
    let (reply, ()) = tokio::join!(t.send(sleep("m", 2.0)), reload);
    reply.is(200);
    let report = load.stop().await;
    let refused = report.failures();
    assert!(
        !refused.is_empty(),
        "nobody found the gate full: {:?}",
        report.statuses()
    );
    for answer in refused {
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    // An open breaker: a plugin that ends again and again.
    t.register(
        "crash",
        "1.0.0",
        "tp1",
        json!({"env": [switch::EXITS_AFTER_INITIALIZE]}),
    )
    .await
    .ok();
    t.mount("c", "crash", json!({})).await.ok();
    let refused = until("the breaker opens", || async {
        Some(t.get("c/info").await).filter(|reply| reply.status() == 503)
    })
    .await;
    assert!(
        refused
            .header("retry-after")
            .is_some_and(|seconds| seconds.parse::<u32>().is_ok()),
        "{refused:?}"
    );
    assert!(
        refused.errors().iter().any(|error| !error.is_empty()),
        "{refused:?}"
    );
}

async fn kill_under_load_costs_at_most_what_was_in_flight(product: Product) {
    const CONNECTIONS: usize = 8;
    let t = mounted(product, &["m"]).await;
    t.store("m", "key", "kept").await;
    for _ in 0..3 {
        let load = Load::start(
            t.client(),
            CONNECTIONS,
            |_, _| Request::new(Method::GET, "m/kv/key"),
            |_| String::new(),
        );
        load.advance(200, Duration::from_secs(30)).await;
        Process::kill(t.info("m").await.pid);
        load.advance(500, Duration::from_secs(30)).await;
        let report = load.stop().await;
        let failures = report.failures();
        assert!(
            failures.len() <= CONNECTIONS,
            "{} failed {:?}: {:?}",
            failures.len(),
            report.statuses(),
            failures.first()
        );
    }
}

async fn a_crash_loop_is_retried_with_growing_pauses(product: Product) {
    let t = Target::start(product).await;
    t.register(
        "crash",
        "1.0.0",
        "tp1",
        json!({"env": [switch::EXITS_AFTER_INITIALIZE]}),
    )
    .await
    .ok();
    t.mount("m", "crash", json!({})).await.ok();
    let mut starts: Vec<(u32, Instant)> = Vec::new();
    let begin = Instant::now();
    within(
        Duration::from_secs(20),
        "ten seconds have been watched",
        || {
            for pid in t.plugin_pids() {
                if starts.iter().all(|(known, _)| *known != pid) {
                    starts.push((pid, Instant::now()));
                }
            }
            let over = begin.elapsed() > Duration::from_secs(10);
            async move { over.then_some(()) }
        },
    )
    .await;
    let pauses: Vec<Duration> = starts
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .collect();
    assert!(
        (3..=20).contains(&starts.len()),
        "{} starts in ten seconds: {pauses:?}",
        starts.len()
    );
    let (first, last) = (pauses.first().unwrap(), pauses.last().unwrap());
    assert!(*last > *first * 2, "the pauses do not grow: {pauses:?}");
}

async fn idle_plugins_outlive_the_blocking_pool(product: Product) {
    const PLUGINS: usize = 50;
    let t = Target::start(product).await;
    t.register(
        "single",
        "1.0.0",
        "tp1",
        json!({"env": [switch::NO_MULTIPLEXING]}),
    )
    .await
    .ok();
    t.mount("things", "kv", json!({})).await.ok();
    for number in 0..PLUGINS {
        t.mount(&format!("m{number}"), "single", json!({}))
            .await
            .ok();
    }
    let before = t.plugin_pids();
    assert_eq!(before.len(), PLUGINS);
    // A thread of the blocking pool ends after ten idle seconds. Bursts of writes with pauses longer than that start and end them, while
    // no plugin has anything to do.
    for burst in 0..4 {
        let load = Load::start(
            t.client(),
            8,
            move |connection, number| {
                Request::new(
                    Method::POST,
                    &format!("things/{burst}-{connection}-{number}"),
                )
                .json(&json!({"a": "b"}))
            },
            |_| String::new(),
        );
        load.advance(400, Duration::from_secs(30)).await;
        load.stop().await.expect_all_good(400);
        let begin = Instant::now();
        within(Duration::from_secs(30), "fifteen idle seconds pass", || {
            assert!(
                before.iter().all(|pid| Process::runs(*pid)),
                "a plugin died {:?} into pause {burst}",
                begin.elapsed()
            );
            let over = begin.elapsed() > Duration::from_secs(15);
            async move { over.then_some(()) }
        })
        .await;
    }
    let mut after = t.plugin_pids();
    let mut before = before;
    before.sort_unstable();
    after.sort_unstable();
    assert_eq!(after, before);
}
