//! Load that remembers every answer: N connections, each sending its next request as soon as it has the answer to the last one.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use linchpin_client::{Client, Connection, Reply, Request};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::within;

/// One request of the load, as it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Which connection sent it.
    pub connection: usize,
    /// When it was sent.
    pub sent: Instant,
    /// How long its answer took.
    pub took: Duration,
    /// Its status; 0 when the connection broke instead.
    pub status: u16,
    /// What `note` made of the answer; for a failure, the errors or what broke.
    pub note: String,
}

impl Answer {
    /// Whether it was answered with 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Running load; ends with [`Load::stop`], or at once when dropped.
pub struct Load {
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
    connections: JoinSet<Vec<Answer>>,
}

impl Load {
    /// Starts `connections` connections to the client's server. `request` makes the n-th request of a connection, `note` keeps from
    /// an answer what the test will look at.
    pub fn start(
        client: &Client,
        connections: usize,
        request: impl Fn(usize, u64) -> Request + Send + Sync + 'static,
        note: impl Fn(&Reply) -> String + Send + Sync + 'static,
    ) -> Self {
        let (stop, answered) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let (request, note) = (Arc::new(request), Arc::new(note));
        let mut running = JoinSet::new();
        for connection in 0..connections {
            let worker = Worker {
                connection,
                client: client.clone(),
                stop: stop.clone(),
                answered: Arc::clone(&answered),
            };
            let (request, note) = (Arc::clone(&request), Arc::clone(&note));
            running.spawn(async move { worker.drive(&*request, &*note).await });
        }
        Self {
            stop,
            answered,
            connections: running,
        }
    }

    /// How many requests have ended so far, well or badly.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until `more` further requests have ended, within `limit`.
    pub fn advance(&self, more: u64, limit: Duration) -> impl Future<Output = ()> + '_ {
        let goal = self.answered() + more;
        within(limit, "the load advances", move || async move {
            (self.answered() >= goal).then_some(())
        })
    }

    /// Lets the requests under way end and reports all of them.
    pub async fn stop(mut self) -> LoadReport {
        self.stop.cancel();
        let mut answers = Vec::new();
        while let Some(worker) = self.connections.join_next().await {
            answers.extend(worker.expect("a connection of the load panicked"));
        }
        answers.sort_by_key(|answer| answer.sent);
        LoadReport { answers }
    }
}

struct Worker {
    connection: usize,
    client: Client,
    stop: CancellationToken,
    answered: Arc<AtomicU64>,
}

impl Worker {
    async fn drive<R, N>(self, request: &R, note: &N) -> Vec<Answer>
    where
        R: Fn(usize, u64) -> Request + Sync,
        N: Fn(&Reply) -> String + Sync,
    {
        let mut answers = Vec::new();
        let mut open: Option<Connection> = None;
        for number in 0.. {
            if self.stop.is_cancelled() {
                break;
            }
            let sent = Instant::now();
            let outcome = self
                .exchange(&mut open, request(self.connection, number))
                .await;
            let took = sent.elapsed();
            let (status, note) = match outcome {
                Ok(reply) if reply.is_success() => (reply.status(), note(&reply)),
                Ok(reply) => (
                    reply.status(),
                    String::from_utf8_lossy(reply.body()).into_owned(),
                ),
                Err(error) => {
                    open = None;
                    (
                        0,
                        format!(
                            "{error}: {}",
                            error.source().map(ToString::to_string).unwrap_or_default()
                        ),
                    )
                }
            };
            answers.push(Answer {
                connection: self.connection,
                sent,
                took,
                status,
                note,
            });
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        answers
    }

    async fn exchange(
        &self,
        open: &mut Option<Connection>,
        request: Request,
    ) -> Result<Reply, linchpin_client::Error> {
        let connection = match open {
            // A connection that the server closed between two requests is found broken by the next one, and counted.
            Some(connection) => connection,
            None => open.insert(self.client.connect().await?),
        };
        connection.send(request, self.client.token()).await
    }
}

/// Every request that a load has sent, in the order of sending.
#[derive(Debug)]
pub struct LoadReport {
    /// The requests.
    pub answers: Vec<Answer>,
}

impl LoadReport {
    /// Those that were not answered with 2xx.
    pub fn failures(&self) -> Vec<&Answer> {
        self.answers
            .iter()
            .filter(|answer| !answer.is_success())
            .collect()
    }

    /// How many answers there were of each status; 0 counts broken connections.
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut counts = BTreeMap::new();
        for answer in &self.answers {
            *counts.entry(answer.status).or_default() += 1;
        }
        counts
    }

    /// The latency below which `share` (0 to 1) of the answers stayed.
    pub fn percentile(&self, share: f64) -> Duration {
        let mut took: Vec<Duration> = self.answers.iter().map(|answer| answer.took).collect();
        took.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = (took.len().saturating_sub(1) as f64 * share).round() as usize;
        took.get(at).copied().unwrap_or_default()
    }

    /// Panics unless there were at least `least` requests and every one of them succeeded.
    #[track_caller]
    pub fn expect_all_good(&self, least: usize) {
        let failures = self.failures();
        let first: Vec<_> = failures.iter().take(5).collect();
        assert!(
            failures.is_empty(),
            "{} of {} requests failed {:?}, the first: {first:#?}",
            failures.len(),
            self.answers.len(),
            self.statuses()
        );
        assert!(
            self.answers.len() >= least,
            "only {} requests were sent, not {least}",
            self.answers.len()
        );
    }
}
