//! What a connection is doing, and since when.

use crate::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The state of one connection. All fields are hints for a slow timer: no ordering between them
/// is needed, because a request that is missed for a moment is seen at the next tick.
pub(crate) struct Activity {
    born: Instant,
    serving: AtomicUsize,
    reading: AtomicBool,
    multiplexed: AtomicBool,
    since_millis: AtomicU64,
}

/// A request that runs, until this is dropped.
pub(crate) struct Serving(Arc<Activity>);

impl Activity {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            born: now,
            serving: AtomicUsize::new(0),
            reading: AtomicBool::new(true),
            multiplexed: AtomicBool::new(false),
            since_millis: AtomicU64::new(0),
        }
    }

    fn touch(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.born).as_millis();
        self.since_millis
            .store(u64::try_from(millis).unwrap_or(u64::MAX), Relaxed);
    }

    /// Bytes have arrived. Over HTTP/2 they may be anything, so only the idle limit counts there.
    pub(crate) fn received(&self, now: Instant) {
        if self.serving.load(Relaxed) > 0 {
            return;
        }
        if self.multiplexed.load(Relaxed) || !self.reading.swap(true, Relaxed) {
            self.touch(now);
        }
    }

    /// Bytes of an answer were taken by the peer.
    pub(crate) fn sent(&self, now: Instant) {
        if self.serving.load(Relaxed) == 0 && !self.reading.load(Relaxed) {
            self.touch(now);
        }
    }

    /// A request has begun.
    pub(crate) fn begin(self: &Arc<Self>, multiplexed: bool) -> Serving {
        self.serving.fetch_add(1, Relaxed);
        self.reading.store(false, Relaxed);
        if multiplexed {
            self.multiplexed.store(true, Relaxed);
        }
        Serving(Arc::clone(self))
    }

    fn end(&self, now: Instant) {
        self.touch(now);
        self.serving.fetch_sub(1, Relaxed);
    }

    /// Whether its limit is over.
    pub(crate) fn is_overdue(&self, now: Instant, limits: &Limits) -> bool {
        if self.serving.load(Relaxed) > 0 {
            return false;
        }
        let since = Duration::from_millis(self.since_millis.load(Relaxed));
        let reading = self.reading.load(Relaxed) && !self.multiplexed.load(Relaxed);
        let limit = if reading {
            limits.header_read
        } else {
            limits.idle
        };
        now.saturating_duration_since(self.born)
            .saturating_sub(since)
            >= limit
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.end(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(300),
            ..Limits::default()
        }
    }

    fn born() -> (Arc<Activity>, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let at = move |seconds| start + Duration::from_secs(seconds);
        (Arc::new(Activity::new(start)), at)
    }

    /// One whole request, from second to second.
    fn serve(activity: &Arc<Activity>, multiplexed: bool, end: Instant) {
        let serving = activity.begin(multiplexed);
        activity.serving.fetch_add(1, Relaxed);
        drop(serving);
        activity.end(end);
    }

    #[test]
    fn a_new_connection_that_says_nothing_is_overdue_like_a_slow_head() {
        let (activity, at) = born();
        assert!(!activity.is_overdue(at(9), &limits()));
        assert!(activity.is_overdue(at(10), &limits()));
    }

    #[test]
    fn trickled_bytes_of_a_head_do_not_extend_its_limit() {
        let (activity, at) = born();
        serve(&activity, false, at(20));
        for second in 100..110 {
            activity.received(at(second));
            assert!(!activity.is_overdue(at(second), &limits()));
        }
        assert!(activity.is_overdue(at(110), &limits()));
    }

    #[test]
    fn a_running_request_is_never_overdue_and_an_idle_connection_later() {
        let (activity, at) = born();
        let serving = activity.begin(false);
        assert!(!activity.is_overdue(at(1000), &limits()));
        std::mem::forget(serving);
        activity.end(at(1000));
        assert!(!activity.is_overdue(at(1299), &limits()));
        assert!(activity.is_overdue(at(1300), &limits()));
    }

    #[test]
    fn progress_of_an_answer_counts_as_life() {
        let (activity, at) = born();
        serve(&activity, false, at(1));
        activity.sent(at(200));
        assert!(!activity.is_overdue(at(400), &limits()));
        assert!(activity.is_overdue(at(500), &limits()));
    }

    #[test]
    fn frames_of_a_multiplexed_connection_count_as_life() {
        let (activity, at) = born();
        serve(&activity, true, at(1));
        activity.received(at(200));
        activity.received(at(400));
        assert!(!activity.is_overdue(at(600), &limits()));
        assert!(activity.is_overdue(at(700), &limits()));
    }
}
