//! What is counted per mount: requests by what became of them, how long the engine took, reloads.
//!
//! One increment is one atomic; nothing is looked up by name on a request's way.

use linchpin_engine::Error;
use linchpin_model::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the duration buckets, in microseconds; above the last is one more.
pub const BOUNDS: [u64; 13] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_500_000, 10_000_000,
    90_000_000,
];

/// What became of a request at its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOutcome {
    /// Answered.
    Ok,
    /// A mistake of the caller: a status below 500.
    Refused,
    /// The engine failed.
    Failed,
    /// Nothing healthy could serve it: 503.
    Unavailable,
}

impl RequestOutcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Refused, Self::Failed, Self::Unavailable];

    /// The value of the label `outcome`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unavailable => "unavailable",
        }
    }

    fn of<T>(answer: &Result<T, Error>) -> Self {
        match answer {
            Ok(_) => Self::Ok,
            Err(error) => match error.kind() {
                ErrorKind::Unavailable => Self::Unavailable,
                ErrorKind::Internal | ErrorKind::Upstream => Self::Failed,
                ErrorKind::Coded(status) if status >= 500 => Self::Failed,
                _ => Self::Refused,
            },
        }
    }
}

/// The counters of one mount. They live as long as the mount, over all its instances.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    outcomes: [AtomicU64; 4],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) failed_reloads: AtomicU64,
}

impl Counters {
    /// Counts an answer of the engine, and how long it took.
    pub(crate) fn count<T>(&self, answer: &Result<T, Error>, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let outcome = RequestOutcome::of(answer);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        let counters = [
            self.outcomes.get(outcome as usize),
            self.buckets.get(bucket),
        ];
        for counter in counters.into_iter().flatten() {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// The values of this moment.
    pub(crate) fn read(&self) -> Counts {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            outcomes: RequestOutcome::ALL.map(|outcome| {
                (
                    outcome,
                    self.outcomes.get(outcome as usize).map_or(0, value),
                )
            }),
            buckets: self.buckets.iter().map(value).collect(),
            micros: value(&self.micros),
            reloads: value(&self.reloads),
            failed_reloads: value(&self.failed_reloads),
        }
    }
}

/// The counters of a mount, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Requests, by what became of them.
    pub outcomes: [(RequestOutcome, u64); 4],
    /// How many took up to the bound of the same place in [`BOUNDS`], and no bound below; the last
    /// one has those above all bounds.
    pub buckets: Vec<u64>,
    /// The time that all of them took, in microseconds.
    pub micros: u64,
    /// Reloads that switched the mount.
    pub reloads: u64,
    /// Reloads that left it as it was.
    pub failed_reloads: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_counted_once_by_outcome_and_by_time() {
        let counters = Counters::default();
        let answers: [(Result<(), Error>, u64); 5] = [
            (Ok(()), 100),
            (Ok(()), 101),
            (Err(Error::refused("no")), 1),
            (Err(Error::internal("no")), 100_000_000),
            (Err(Error::unavailable("no", Duration::ZERO)), 1),
        ];
        for (answer, micros) in &answers {
            counters.count(answer, Duration::from_micros(*micros));
        }
        let read = counters.read();
        assert_eq!(read.outcomes.map(|(_, count)| count), [2, 1, 1, 1]);
        assert_eq!(read.buckets.iter().sum::<u64>(), 5);
        assert_eq!((read.buckets[0], read.buckets[1]), (3, 1));
        assert_eq!(read.buckets.last(), Some(&1));
        assert_eq!(read.micros, 100_000_203);
    }
}
