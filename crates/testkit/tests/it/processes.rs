//! Processes: sharing, stopping, crashing, hanging, leaving nothing behind. Cases 70-75, 77, 78, 91.

use std::time::{Duration, Instant};

use linchpin_testkit::client::{Method, Reply, Request};
use linchpin_testkit::{
    Expect, Load, Process, Product, Settings, Signal, Target, cases, long_tests, run, switch,
    until, within,
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
    if !t.is_ours() {
        // Here the first request may still meet the old socket.
        until("the mount answers again", || async {
            t.get("m/info").await.is_success().then_some(())
        })
        .await;
    }
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
    // The limit is ours; how far OpenBao stays below it depends on how busy the machine is.
    let limit = Duration::from_secs(product.pick(5, 15));
    assert!(
        begin.elapsed() < limit,
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

/// In the middle of a registration, and in the middle of a mount: before the handshake, in Setup and in Initialize.
async fn case_78_a_server_stopped_during_a_start_leaves_no_process(product: Product) {
    for signal in [Signal::TERM, Signal::KILL] {
        let mut t = Target::start(product).await;
        let entry = json!({"env": [switch::HANGS_AT_START]});
        let hung = begin(&t, t.register("hung", "1.0.0", "tp1", entry)).await;
        stop(&mut t, signal, hung, "a registration").await;
        for place in ["before-handshake", "setup", "init"] {
            let mut t = Target::start(product).await;
            // Registered while its file is none that could be asked, so that the registration does not hang as well.
            t.plugins().write("late", b"no plugin");
            let entry = json!({"env": [format!("FAULT_HANG={place}")], "sha256": t.digest("tp1")});
            t.register("hung", "1.0.0", "late", entry).await.ok();
            t.plugins()
                .install("late", &linchpin_testkit::binary("fault-v1"));
            let hung = begin(&t, t.mount("m", "hung", json!({}))).await;
            stop(&mut t, signal, hung, &format!("a mount, {place}")).await;
        }
    }
}

/// Sends a request that starts a process and never ends, and returns the process. Its client hangs up when it is there.
async fn begin(t: &Target, request: impl Future<Output = Reply>) -> u32 {
    let starting = until("the process hangs", || async {
        t.plugin_pids().first().copied()
    });
    tokio::select! {
        reply = request => panic!("the request did not wait: {reply:?}"),
        pid = starting => pid,
    }
}

async fn stop(t: &mut Target, signal: Signal, hung: u32, during: &str) {
    let left = t.server_mut().stop(signal);
    assert!(
        left.is_empty() && !Process::runs(hung),
        "{signal:?} during {during} left {left:?}"
    );
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
    t.plugins()
        .install("tp1", &linchpin_testkit::binary("fault-v2"));
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
    // A thread of the blocking pool ends after ten idle seconds.
    let pauses = if long_tests() { 4 } else { 1 };
    let t = idle_plugins(product, Settings::default(), 50).await;
    let died = churn(&t, pauses, Duration::from_secs(15)).await;
    assert_eq!(died, None, "a plugin died while it had nothing to do");
}

/// The same with a server that forks where one must not: what is looked for can be found.
#[test]
fn plugins_forked_on_the_blocking_pool_do_not_outlive_it() {
    run(Product::Mutant, async |product| {
        let settings = Settings::default().env("LINCHPIN_FAULT", "forks-on-the-blocking-pool");
        let t = idle_plugins(product, settings, 5).await;
        let died = churn(&t, 2, Duration::from_secs(15)).await;
        assert!(died.is_some(), "every plugin lived");
    });
}

/// So many mounts, each with a process of its own.
async fn idle_plugins(product: Product, settings: Settings, plugins: usize) -> Target {
    let t = Target::with(product, settings).await;
    t.register(
        "single",
        "1.0.0",
        "tp1",
        json!({"env": [switch::NO_MULTIPLEXING]}),
    )
    .await
    .ok();
    t.plugins().write("plain", b"no plugin");
    t.register("small", "1.0.0", "plain", json!({})).await.ok();
    for number in 0..plugins {
        t.mount(&format!("m{number}"), "single", json!({}))
            .await
            .ok();
    }
    assert_eq!(t.plugin_pids().len(), plugins);
    t
}

/// Bursts of requests that use the blocking pool, each followed by a pause in which its threads end, while no plugin has anything to do.
/// Returns when one of them died, in time since the begin.
async fn churn(t: &Target, pauses: usize, pause: Duration) -> Option<Duration> {
    let plugins = t.plugin_pids();
    let begin = Instant::now();
    for _ in 0..pauses {
        // A read of an entry looks at its file.
        let read = |_, _| {
            Request::new(
                Method::GET,
                "sys/plugins/catalog/secret/single?version=1.0.0",
            )
        };
        let load = Load::start(t.client(), 8, read, |_| String::new());
        load.advance(400, Duration::from_secs(30)).await;
        load.stop().await.expect_all_good(400);
        let over = Instant::now() + pause;
        let died = until("the pause is over", || {
            let died = plugins.iter().any(|pid| !Process::runs(*pid));
            let answer = match died {
                true => Some(true),
                false => (Instant::now() > over).then_some(false),
            };
            async move { answer }
        });
        if died.await {
            return Some(begin.elapsed());
        }
    }
    None
}
