//! The load of chaos: every mount has somebody who writes and reads back, and somebody who only reads. Both go at a walking pace, and every
//! answer that is not the right one is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_testkit::client::{Client, Method, Reply, Request};
use serde_json::{Value, json};

use crate::chaos::World;
use crate::chaos_verdict::{Failure, Seen};

/// What was written to one mount under one key: numbers that only grow, by one writer.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    acknowledged: AtomicU64,
    attempted: AtomicU64,
}

impl Ledger {
    /// What a read must answer that was sent now: at least this.
    fn least(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// And, when it has been answered, at most that.
    fn most(&self) -> u64 {
        self.attempted.load(Ordering::SeqCst)
    }
}

/// One mount, as load sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which plugin.
    pub(crate) plugin: usize,
    /// Which of its mounts.
    pub(crate) mount: usize,
}

/// Writes, reads back, and so on, until the load is stopped.
pub(crate) async fn write(world: Arc<World>, place: Place, pace: Duration) {
    let client = world.t.server().client();
    let mut beat = beat(pace);
    while !world.load_is_over.is_cancelled() {
        beat.tick().await;
        let ledger = world.ledger(place);
        let number = ledger.attempted.fetch_add(1, Ordering::SeqCst) + 1;
        let body = json!({"value": number});
        let request = Request::new(Method::POST, &key(&world, place)).json(&body);
        if send(&world, &client, place, request).await.is_some() {
            ledger.acknowledged.store(number, Ordering::SeqCst);
        }
        beat.tick().await;
        read_back(&world, &client, place).await;
    }
}

/// Asks who answers, at once and after some time inside the plugin; the Go plugin is only read.
pub(crate) async fn read(world: Arc<World>, place: Place, pace: Duration) {
    let client = world.t.server().client();
    let is_fault = world.plugin(place.plugin).is_fault;
    let mount = world.plugin(place.plugin).mount(place.mount);
    let mut beat = beat(pace);
    for path in ["info", "sleep/30ms"].iter().cycle() {
        if world.load_is_over.is_cancelled() {
            return;
        }
        beat.tick().await;
        if !is_fault {
            read_back(&world, &client, place).await;
            continue;
        }
        let request = Request::new(Method::GET, &format!("{mount}/{path}"));
        if let Some((_, reply)) = send(&world, &client, place, request).await {
            let pid = linchpin_testkit::Info::read(&reply).pid;
            let at = Instant::now();
            world.seen.lock().unwrap().push(Seen { place, at, pid });
        }
    }
}

/// What was acknowledged is there, and nothing else than what was written.
pub(crate) async fn read_back(world: &World, client: &Client, place: Place) {
    let ledger = world.ledger(place);
    let least = ledger.least();
    let request = Request::new(Method::GET, &key(world, place));
    let begin = Instant::now();
    let outcome = exchange(client, request).await;
    let most = ledger.most();
    let failure = match outcome {
        Ok(reply) if reply.is_success() => {
            world.count_request();
            let value = reply.at("/data/value");
            let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            match number {
                Some(number) if (least..=most).contains(&number) => return,
                _ => return world.wrong(format!(
                    "{place:?} answered {value}, but {least} was acknowledged and {most} attempted"
                )),
            }
        }
        // Nothing was acknowledged yet.
        Ok(reply) if reply.status() == 404 && least == 0 => return,
        other => failure(place, begin, other),
    };
    world.failed(failure);
}

/// Sends; keeps the failure when it is one.
async fn send(
    world: &World,
    client: &Client,
    place: Place,
    request: Request,
) -> Option<(Instant, Reply)> {
    let begin = Instant::now();
    match exchange(client, request).await {
        Ok(reply) if reply.is_success() => {
            world.count_request();
            Some((begin, reply))
        }
        other => {
            world.failed(failure(place, begin, other));
            None
        }
    }
}

async fn exchange(client: &Client, request: Request) -> Result<Reply, String> {
    use std::error::Error as _;
    client.send(request).await.map_err(|error| {
        let source = error.source().map(ToString::to_string);
        format!("{error}: {}", source.unwrap_or_default())
    })
}

fn failure(place: Place, sent: Instant, outcome: Result<Reply, String>) -> Failure {
    let (status, text) = match outcome {
        Ok(reply) => (
            reply.status(),
            String::from_utf8_lossy(reply.body()).into_owned(),
        ),
        Err(text) => (0, text),
    };
    Failure {
        place,
        sent,
        ended: Instant::now(),
        status,
        text,
    }
}

fn key(world: &World, place: Place) -> String {
    world.plugin(place.plugin).key(place.mount, "number")
}

/// The pace of one who sends: a late beat moves those after it.
fn beat(pace: Duration) -> tokio::time::Interval {
    let mut beat = tokio::time::interval(pace);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat
}

/// Reads of the catalog, which always succeed, whatever happens to plugins.
pub(crate) async fn read_catalog(world: Arc<World>, pace: Duration) {
    let client = world.t.server().client();
    let mut beat = beat(pace);
    let one = format!(
        "sys/plugins/catalog/secret/{}?version=v1.0.0",
        world.plugin(0).name
    );
    let paths = [
        "sys/plugins/catalog",
        &one,
        "sys/plugins/pins",
        "sys/mounts",
    ];
    for path in paths.iter().cycle() {
        if world.load_is_over.is_cancelled() {
            return;
        }
        beat.tick().await;
        let begin = Instant::now();
        let outcome = exchange(&client, Request::new(Method::GET, path)).await;
        world.took(begin.elapsed());
        match outcome {
            Ok(reply) if reply.is_success() && reply.at("/data") != Value::Null => {}
            other => world.wrong(format!("GET {path}: {other:?}")),
        }
    }
}
