//! Every fault of the fault plugin at every stage of a plugin's life: registration, mount, request, reload, crash loop, shutdown. It ends
//! in the old version serving or in a clear 503; meanwhile the catalog can be read and a built-in mounted, each within a second; and at
//! the end processes, descriptors and files are what they were.
//!
//! The cells run beside each other on one server for each kind of fault; `fault_matrix_cells.rs` has the stages. A fault is *armed* by a
//! file that the plugin looks for when it starts, so that a mount can come up first and break later.
//!
//! No combination is left out. Where a fault cannot show at a stage, the cell proves that it does not: a plugin whose requests or whose
//! Cleanup break is registered and mounted like a whole one, and one that never comes up is in a crash loop from its first restart.
//! Registration alone needs the process to come up and say its version, so all but `wrong-version` leave an entry behind there.
//! Shutdown is one cell for all faults of a server, because a server ends once: every fault is in the middle of it then.
//!
//! One fault is not a row: `FAULT_CHILD=bare`. A server knows what a plugin has left behind by its environment, so a child that empties
//! its environment and leaves its group outlives the plugin.
//!
//! That the checks can fail is shown by `mutants.rs`: with the catalog locked across a start, with an instance that is never cleaned up,
//! and with a descriptor and a file left behind.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use linchpin_testkit::{
    Expect, Footprint, Process, Product, Settings, Signal, Target, run, switch, until,
};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::fault_matrix_cells::{Cell, STAGES};
use crate::fault_matrix_watch::Watch;

/// How far a plugin with the fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// No instance ever comes up.
    NeverUp,
    /// It comes up and ends by itself.
    EndsSoon,
    /// It serves, but not `info`.
    SpoilsInfo,
    /// It serves everything: what is wrong with it shows elsewhere.
    Serves,
}

/// One fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    /// The switch; `PORT` in it is a port that is taken.
    pub(crate) switch: &'static str,
    pub(crate) effect: Effect,
}

const fn fault(name: &'static str, switch: &'static str, effect: Effect) -> Fault {
    Fault {
        name,
        switch,
        effect,
    }
}

/// Nothing comes up.
const NEVER_UP: &[Fault] = &[
    fault("exits", switch::EXITS_AT_START, Effect::NeverUp),
    fault("exits-0", "FAULT_START=exit-0", Effect::NeverUp),
    HANGS,
    fault("stopped", "FAULT_START=stop", Effect::NeverUp),
    fault("garbage", "FAULT_START=garbage", Effect::NeverUp),
    fault("long-line", "FAULT_START=long-line", Effect::NeverUp),
    fault("old-protocol", "FAULT_START=old-protocol", Effect::NeverUp),
    fault("setup-fails", switch::SETUP_FAILS, Effect::NeverUp),
    fault("setup-hangs", "FAULT_HANG=setup", Effect::NeverUp),
    fault("setup-exits", "FAULT_SETUP=exit", Effect::NeverUp),
    fault("port-taken", "FAULT_PORT=PORT", Effect::NeverUp),
    fault("broker-closed", "FAULT_BROKER=closed", Effect::NeverUp),
    fault(
        "wrong-version",
        switch::REPORTS_ANOTHER_VERSION,
        Effect::NeverUp,
    ),
    fault("init-fails", switch::INITIALIZE_FAILS, Effect::NeverUp),
    fault(
        "init-writes",
        switch::INITIALIZE_WRITES_AND_FAILS,
        Effect::NeverUp,
    ),
    fault("init-hangs", "FAULT_HANG=init", Effect::NeverUp),
];

/// Something comes up.
const UP: &[Fault] = &[
    fault(
        "init-exits",
        switch::EXITS_AFTER_INITIALIZE,
        Effect::EndsSoon,
    ),
    fault(
        "request-exits",
        "FAULT_EXIT_ON_REQUEST=1",
        Effect::SpoilsInfo,
    ),
    PANICS,
    fault("request-hangs", "FAULT_REQUEST=hang", Effect::SpoilsInfo),
    fault("request-stops", "FAULT_REQUEST=stop", Effect::SpoilsInfo),
    fault(
        "request-ends-broker",
        switch::REQUEST_ENDS_BROKER,
        Effect::Serves,
    ),
    fault("setup-waits", "FAULT_SETUP_WAIT_MS=1000", Effect::Serves),
    fault("init-waits", "FAULT_INIT_WAIT_MS=1000", Effect::Serves),
    fault("cleanup-hangs", switch::CLEANUP_HANGS, Effect::Serves),
    fault("cleanup-exits", "FAULT_CLEANUP=exit", Effect::Serves),
    fault("ignores-shutdown", switch::IGNORES_SHUTDOWN, Effect::Serves),
    fault("stderr-lines", "FAULT_STDERR=20000", Effect::Serves),
    fault("stderr-line", "FAULT_STDERR_LINE=4000000", Effect::Serves),
    fault("stdout-lines", "FAULT_STDOUT=10000", Effect::Serves),
    fault("child-left", "FAULT_CHILD=left", Effect::Serves),
    fault("background", switch::WRITES_IN_BACKGROUND, Effect::Serves),
    fault("one-each", switch::NO_MULTIPLEXING, Effect::Serves),
];

/// When everything is released: a sealed copy is kept for half a minute after its last use, so that it need not be made again.
const RELEASED: Duration = Duration::from_secs(45);

/// How many cells of a server are played at a time.
const AT_A_TIME: usize = 12;

#[test]
fn every_fault_that_keeps_a_plugin_from_coming_up_at_every_stage() {
    run(Product::Linchpin, async |product| {
        matrix(product, settings(), NEVER_UP, RELEASED).await;
    });
}

#[test]
fn every_fault_of_a_plugin_that_comes_up_at_every_stage() {
    run(Product::Linchpin, async |product| {
        matrix(product, settings(), UP, RELEASED).await;
    });
}

/// One that a start waits for until its limit, and one that comes up at once.
pub(crate) const HANGS: Fault = fault("hangs", switch::HANGS_AT_START, Effect::NeverUp);
pub(crate) const PANICS: Fault = fault("request-panics", "FAULT_REQUEST=panic", Effect::SpoilsInfo);

/// The matrix with few faults, which is enough to show that it notices what must not be.
pub(crate) async fn small_matrix(product: Product, settings: Settings, faults: &[Fault]) {
    // Sealed copies are kept for longer, but were there before: those of both files.
    matrix(product, settings, faults, Duration::from_secs(12)).await;
}

/// A lock that is held across a start is held for five seconds by those that hang: that is what the watch would see.
pub(crate) fn settings() -> Settings {
    Settings::default()
        .quiet()
        .set("plugin_start_timeout", "5s")
        .set("plugin_setup_timeout", "5s")
        .set("plugin_initialize_timeout", "5s")
        .set("plugin_cleanup_timeout", "2s")
        .set("retire_timeout", "1s")
        .set("plugin_start_wait", "2s")
        .set("plugin_health_interval", "500ms")
        .set("respawn_backoff_min", "100ms")
        .set("respawn_backoff_max", "2s")
        .set("breaker_threshold", 3)
}

async fn matrix(product: Product, settings: Settings, faults: &[Fault], released: Duration) {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port to take");
    let port = taken.local_addr().expect("its address").port();
    let t = Target::with(product, settings).await;
    let before = warmed_up(&t).await;
    let t = Arc::new(t);
    let watch = Watch::start(&t);
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let mut cells = JoinSet::new();
    for fault in faults {
        for stage in STAGES {
            let cell = Cell::new(Arc::clone(&t), *fault, stage, port);
            let places = Arc::clone(&places);
            cells.spawn(async move {
                let _place = places.acquire_owned().await;
                cell.play().await
            });
        }
    }
    let mut wrongs: Vec<String> = cells
        .join_all()
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    let watched = watch.stop().await;
    eprintln!("{watched}");
    wrongs.extend(watched.wrongs);
    // Every cell has unmounted what it mounted.
    assert!(wrongs.is_empty(), "{} wrong: {wrongs:#?}", wrongs.len());
    assert!(watched.rounds > 10, "only {} rounds", watched.rounds);
    before.expect_back(t.server(), released).await;
    let t = Arc::into_inner(t).expect("every cell is over");
    shutdown(t, faults, port).await;
}

/// What the server holds when it has had a plugin of each file, and has none any more.
async fn warmed_up(t: &Target) -> Footprint {
    for (name, file) in [("warm1", "tp1"), ("warm2", "tp2")] {
        t.register(name, "", file, json!({})).await.ok();
        t.mount(name, name, json!({})).await.ok();
        t.delete(&format!("sys/mounts/{name}")).await.ok();
        t.delete(&format!("sys/plugins/catalog/secret/{name}"))
            .await
            .ok();
    }
    until("no plugin is left", || async {
        Process::descendants(t.server().pid())
            .is_empty()
            .then_some(())
    })
    .await;
    Footprint::of(t.server())
}

/// The last stage, for all faults at once: each has a mount that runs, serves a request, or is crashing, and one that is being mounted. The
/// server ends in time and leaves no process; that it leaves no file is looked at when it is dropped.
async fn shutdown(t: Target, faults: &[Fault], port: u16) {
    let shared = Arc::new(t);
    // One after the other: on a busy machine so many starts at once would take longer than a start may.
    let mut wrongs = Vec::new();
    for fault in faults {
        let cell = Cell::new(Arc::clone(&shared), *fault, "shutdown", port);
        wrongs.extend(cell.come_up_and_break().await.err());
    }
    assert!(wrongs.is_empty(), "before the shutdown: {wrongs:#?}");
    // Those who ask get an error or none; they must not keep the server from ending.
    let mut asking = JoinSet::new();
    for fault in faults {
        let cell = Cell::new(Arc::clone(&shared), *fault, "shutdown", port);
        asking.spawn(cell.ask_on());
    }
    until("the plugins are in the middle of it", || async {
        (shared.plugin_pids().len() >= faults.len() / 3).then_some(())
    })
    .await;
    // Those who ask have a client of their own.
    let mut t = Arc::into_inner(shared).expect("nobody else holds the server");
    let left = t.server_mut().stop(Signal::TERM);
    assert!(left.is_empty(), "the shutdown left {left:?}");
    asking.join_all().await;
}
