//! Chaos: load on twenty mounts of five plugins while operators edit the catalog, pin, tune, reload, mount and unmount, and processes are
//! killed and stopped. No request fails but those in flight at the end of their process, no acknowledged write is lost, every call of an
//! operator comes out as promised, and at the end nothing is left.
//!
//! `LINCHPIN_CHAOS_SEED` plays the scripts of a run again, `LINCHPIN_CHAOS_SECONDS` sets how long. The seed is printed with every failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use linchpin_testkit::chaos::{self, Action, Chaos};
use linchpin_testkit::{
    Footprint, Process, Product, Settings, Target, long_tests, run, until, within,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chaos_fleet::{MOUNTS, Plugin, plugins};
use crate::chaos_load::{self as load, Ledger, Place};
use crate::chaos_operator as operator;
use crate::chaos_verdict::{Blown, Failure, Seen};

/// The time between two requests of one of forty clients: some 250 requests a second, which leaves the machine to the other tests.
const PACE: Duration = Duration::from_millis(150);

/// The notes of the entries that everything is brought to rest with; the chaos itself has smaller ones.
const BEFORE: u64 = 100;
const AFTER: u64 = 101;

#[test]
fn chaos_fails_only_what_was_in_flight_at_a_kill() {
    run(Product::Linchpin, async |product| {
        let seconds = std::env::var("LINCHPIN_CHAOS_SECONDS").ok();
        let seconds = seconds.and_then(|text| text.parse().ok());
        let length = seconds.unwrap_or(if long_tests() { 300 } else { 120 });
        let length = Duration::from_secs(length);
        let world = World::start(product, settings()).await;
        let before = world.at_rest().await;
        world.play(length, true, PACE, || false).await;
        world.expect_blameless(length);
        // A sealed copy is kept for half a minute after its last use.
        let released = Duration::from_secs(45);
        before.expect_back(world.t.server(), released).await;
    });
}

#[test]
fn chaos_goes_red_without_the_gate() {
    run(Product::Mutant, async |product| {
        let settings = settings().env("LINCHPIN_FAULT", "gate-off");
        let world = World::start(product, settings).await;
        let failed = || !world.unexplained().is_empty();
        let pace = Duration::from_millis(40);
        world
            .play(Duration::from_secs(40), false, pace, failed)
            .await;
        assert!(
            !world.unexplained().is_empty(),
            "{} requests and none failed: the gate makes no difference",
            world.requests.load(Ordering::Relaxed)
        );
    });
}

/// Limits that let a stopped process be found several times in two minutes, and no breaker: processes end here more often than anywhere.
fn settings() -> Settings {
    Settings::default()
        .set("plugin_health_interval", "1s")
        .set("plugin_start_timeout", "15s")
        .set("plugin_setup_timeout", "15s")
        .set("plugin_initialize_timeout", "15s")
        .set("plugin_cleanup_timeout", "5s")
        .set("plugin_start_wait", "60s")
        .set("respawn_stable_after", "1s")
        .set("breaker_threshold", 100)
}

/// The server, and everything that is noticed.
pub(crate) struct World {
    pub(crate) t: Target,
    pub(crate) blows: Mutex<Vec<Blown>>,
    pub(crate) seen: Mutex<Vec<Seen>>,
    /// Cancelled when load is to end, which is after the chaos.
    pub(crate) load_is_over: CancellationToken,
    chaos_is_over: CancellationToken,
    chaos: Chaos,
    plugins: Vec<Plugin>,
    ledgers: Vec<Ledger>,
    failures: Mutex<Vec<Failure>>,
    wrongs: Mutex<Vec<String>>,
    log: Mutex<Vec<String>>,
    steps: Mutex<BTreeMap<String, usize>>,
    slowest_read: Mutex<Duration>,
    requests: AtomicU64,
    began: Instant,
}

impl World {
    async fn start(product: Product, settings: Settings) -> Arc<Self> {
        let plugins = plugins();
        let chaos = Chaos {
            seed: chaos::seed(),
            plugins: plugins.len(),
            mounts: MOUNTS,
        };
        eprintln!("chaos: {}={}", chaos::SEED, chaos.seed);
        let t = Target::with(product, settings).await;
        for plugin in &plugins {
            plugin.set_up(&t).await;
        }
        Arc::new(Self {
            t,
            blows: Mutex::default(),
            seen: Mutex::default(),
            load_is_over: CancellationToken::new(),
            chaos_is_over: CancellationToken::new(),
            chaos,
            ledgers: (0..plugins.len() * MOUNTS)
                .map(|_| Ledger::default())
                .collect(),
            plugins,
            failures: Mutex::default(),
            wrongs: Mutex::default(),
            log: Mutex::default(),
            steps: Mutex::default(),
            slowest_read: Mutex::default(),
            requests: AtomicU64::new(0),
            began: Instant::now(),
        })
    }

    /// Brings every plugin to where the chaos will leave it, and counts what the server then holds.
    async fn at_rest(self: &Arc<Self>) -> Footprint {
        for plugin in 0..self.plugins.len() {
            operator::close(self, plugin, &self.chaos.operator(plugin), BEFORE).await;
        }
        let processes: usize = self.plugins.iter().map(Plugin::processes).sum();
        until("only the running generations are left", || async {
            let left = Process::descendants(self.t.server().pid());
            (left.len() == processes).then_some(())
        })
        .await;
        Footprint::of(self.t.server())
    }

    /// Load, operators and violence for so long, or until `enough`; then everything is brought to rest under load, and the load ends.
    async fn play(
        self: &Arc<Self>,
        length: Duration,
        violence: bool,
        pace: Duration,
        enough: impl Fn() -> bool,
    ) {
        let mut loads = JoinSet::new();
        for place in self.places() {
            loads.spawn(load::write(Arc::clone(self), place, pace));
            loads.spawn(load::read(Arc::clone(self), place, pace));
        }
        loads.spawn(load::read_catalog(Arc::clone(self), pace));
        let mut operators = JoinSet::new();
        for plugin in 0..self.plugins.len() {
            let world = Arc::clone(self);
            let script = self.chaos.operator(plugin);
            operators.spawn(async move {
                let played = operator::operate(Arc::clone(&world), plugin, script).await;
                (plugin, played)
            });
        }
        let mut rage = JoinSet::new();
        if violence {
            rage.spawn(operator::rage(Arc::clone(self), self.chaos.violence()));
        }
        let end = Instant::now() + length;
        within(length * 2, "the chaos is over", || {
            let over = Instant::now() > end || enough();
            async move { over.then_some(()) }
        })
        .await;
        self.chaos_is_over.cancel();
        // Stopped processes are found and replaced before everything is brought to rest.
        let ended = rage.join_all().await;
        assert!(ended.len() <= 1);
        for (plugin, script) in operators.join_all().await {
            if violence {
                operator::close(self, plugin, &script, AFTER).await;
            }
        }
        self.load_is_over.cancel();
        loads.join_all().await;
        if violence {
            for place in self.places() {
                load::read_back(self, self.t.client(), place).await;
            }
        }
    }

    /// Panics unless every failure is explained and everything came out as promised; prints what happened.
    fn expect_blameless(&self, length: Duration) {
        let requests = self.requests.load(Ordering::Relaxed);
        let blows = self.blows.lock().unwrap().len();
        let steps = self.steps.lock().unwrap().clone();
        let failures = self.failures.lock().unwrap().len();
        let at_a_stop = self.failures_at_a_stop();
        let slowest = *self.slowest_read.lock().unwrap();
        eprintln!(
            "chaos: {requests} requests answered, {failures} failed, {at_a_stop} of them at the end of a stopped process, {blows} processes \
             hit, the slowest catalog read took {slowest:?}, {steps:?}"
        );
        let mut wrongs = self.wrongs.lock().unwrap().clone();
        wrongs.extend(self.unexplained());
        if self.t.server().log().contains("panicked at") {
            wrongs.push("the server's log has a panic".to_owned());
        }
        if !wrongs.is_empty() {
            eprintln!("--- what was done\n{}", self.log.lock().unwrap().join("\n"));
        }
        let shown: Vec<&String> = wrongs.iter().take(20).collect();
        assert!(
            wrongs.is_empty(),
            "{}={} shows {} wrongs, the first: {shown:#?}",
            chaos::SEED,
            self.chaos.seed,
            wrongs.len()
        );
        // So few would prove nothing.
        let seconds = length.as_secs();
        assert!(requests > 50 * seconds, "only {requests} requests");
        assert!(
            u64::try_from(blows).unwrap_or_default() * 6 > seconds,
            "only {blows} processes were hit"
        );
        let reloads = steps.get("Reload").copied().unwrap_or_default();
        assert!(
            u64::try_from(reloads).unwrap_or_default() * 3 > seconds,
            "only {reloads} reloads"
        );
    }

    /// How many failures the end of a stopped process explains, and no kill.
    fn failures_at_a_stop(&self) -> usize {
        let (blows, seen) = (self.blows.lock().unwrap(), self.seen.lock().unwrap());
        let failures = self.failures.lock().unwrap();
        let explained = |failure: &Failure, stopped: bool| {
            let mut blows = blows.iter().filter(|blown| blown.stopped == stopped);
            blows.any(|blown| failure.is_explained_by(blown, &seen))
        };
        let at_a_stop = failures
            .iter()
            .filter(|failure| explained(failure, true) && !explained(failure, false));
        at_a_stop.count()
    }

    /// The failures that no end of a process explains.
    fn unexplained(&self) -> Vec<String> {
        let (blows, seen) = (self.blows.lock().unwrap(), self.seen.lock().unwrap());
        let failures = self.failures.lock().unwrap();
        let left = failures.iter().filter(|failure| {
            let mut blows = blows.iter();
            !blows.any(|blown| failure.is_explained_by(blown, &seen))
        });
        left.map(|failure| {
            format!(
                "{} at {:?} after {:?}: {} {}",
                self.plugin(failure.place.plugin).mount(failure.place.mount),
                failure.sent - self.began,
                failure.ended - failure.sent,
                failure.status,
                failure.text
            )
        })
        .collect()
    }

    fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let plugins = 0..self.plugins.len();
        plugins.flat_map(|plugin| (0..MOUNTS).map(move |mount| Place { plugin, mount }))
    }

    pub(crate) fn plugin(&self, number: usize) -> &Plugin {
        &self.plugins[number]
    }

    pub(crate) fn ledger(&self, place: Place) -> &Ledger {
        &self.ledgers[place.plugin * MOUNTS + place.mount]
    }

    /// Whether a process of the plugin ended between these two moments, or was stopped.
    pub(crate) fn was_blown(&self, plugin: usize, begin: Instant, end: Instant) -> bool {
        let blows = self.blows.lock().unwrap();
        let mut own = blows.iter().filter(|blown| blown.plugin == plugin);
        own.any(|blown| blown.overlaps(begin, end))
    }

    /// Waits so long; says whether the chaos ended first.
    pub(crate) async fn is_over_within(&self, pause: Duration) -> bool {
        let over = self.chaos_is_over.cancelled();
        tokio::time::timeout(pause, over).await.is_ok()
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_step(&self, action: &Action) {
        let shown = format!("{action:?}");
        let kind = shown.split([' ', '(', '{']).next().unwrap_or_default();
        *self
            .steps
            .lock()
            .unwrap()
            .entry(kind.to_owned())
            .or_default() += 1;
    }

    pub(crate) fn took(&self, time: Duration) {
        let mut slowest = self.slowest_read.lock().unwrap();
        *slowest = time.max(*slowest);
    }

    pub(crate) fn failed(&self, failure: Failure) {
        self.failures.lock().unwrap().push(failure);
    }

    /// Something that no end of a process explains.
    pub(crate) fn wrong(&self, what: String) {
        self.note(format!("WRONG: {what}"));
        self.wrongs.lock().unwrap().push(what);
    }

    pub(crate) fn note(&self, what: String) {
        let line = format!("{:9.3} {what}", self.began.elapsed().as_secs_f64());
        self.log.lock().unwrap().push(line);
    }
}
