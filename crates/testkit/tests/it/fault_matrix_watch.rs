//! Somebody who uses the server while plugins break: reads the catalog, registers, pins, unpins and deregisters a plugin of their own,
//! mounts a built-in, unmounts it, again and again. No call of theirs waits over a second for somebody else's plugin.

use std::fmt;
use std::time::{Duration, Instant};

use linchpin_testkit::Target;
use linchpin_testkit::client::{Client, Method, Request};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a call may take. A lock that is held across a start shows as the start's limit, which is five times as much.
const LIMIT: Duration = Duration::from_secs(1);

/// What a machine that is busy with other tests may add, besides what a call that touches nothing takes at that moment.
const SLACK: Duration = Duration::from_secs(1);

/// The running watch.
pub(crate) struct Watch {
    stop: CancellationToken,
    task: JoinSet<Watched>,
}

/// What it saw.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// How often it went round.
    pub(crate) rounds: usize,
    slowest: (Duration, &'static str),
    /// Calls that took too long or failed.
    pub(crate) wrongs: Vec<String>,
}

impl Watch {
    pub(crate) fn start(t: &Target) -> Self {
        let client = t.server().client();
        // Its digest is another's, so registering it starts nothing that could be waited for.
        let entry = json!({"version": "1.0.0", "command": "tp1", "sha256": "0".repeat(64)});
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        let until = stop.clone();
        task.spawn(async move {
            let mut watched = Watched::default();
            while !until.is_cancelled() {
                watched.round(&client, &entry).await;
            }
            watched
        });
        Self { stop, task }
    }

    /// Ends with the round that is under way.
    pub(crate) async fn stop(self) -> Watched {
        self.stop.cancel();
        let mut rounds = self.task.join_all().await;
        rounds.pop().unwrap_or_default()
    }
}

impl Watched {
    async fn round(&mut self, client: &Client, entry: &Value) {
        let get = |path| Request::new(Method::GET, path);
        let post = |path, body| Request::new(Method::POST, path).json(body);
        let delete = |path| Request::new(Method::DELETE, path);
        let (own, pin) = (
            "sys/plugins/catalog/secret/watch?version=1.0.0",
            "sys/plugins/pins/secret/watch",
        );
        let calls = [
            ("read an entry", get("sys/plugins/catalog/secret/kv")),
            ("list the catalog", get("sys/plugins/catalog")),
            ("list the pins", get("sys/plugins/pins")),
            ("register", post("sys/plugins/catalog/secret/watch", entry)),
            ("read what was registered", get(own)),
            ("pin", post(pin, &json!({"version": "1.0.0"}))),
            ("unpin", delete(pin)),
            ("deregister", delete(own)),
            (
                "mount a built-in",
                post("sys/mounts/watch", &json!({"type": "kv"})),
            ),
            ("unmount it", delete("sys/mounts/watch")),
        ];
        for (what, request) in calls {
            let before = self.timed(client, "nothing", get("sys/health")).await;
            let took = self.timed(client, what, request).await;
            let after = self.timed(client, "nothing", get("sys/health")).await;
            self.slowest = self.slowest.max((took, what));
            if took > LIMIT + SLACK + before + after {
                self.wrongs.push(format!(
                    "to {what} took {took:?}, to do nothing {before:?} and {after:?}"
                ));
            }
        }
        self.rounds += 1;
    }

    async fn timed(&mut self, client: &Client, what: &str, request: Request) -> Duration {
        let begin = Instant::now();
        match client.send(request).await {
            Ok(reply) if reply.is_success() => {}
            other => self.wrongs.push(format!("to {what}: {other:?}")),
        }
        begin.elapsed()
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (took, what) = self.slowest;
        write!(
            f,
            "watch: {} rounds, the slowest call was to {what}: {took:?}",
            self.rounds
        )
    }
}
