//! Waiting for conditions. Nothing in a test sleeps and hopes: it asks until the answer is there or the time is over.

use std::future::Future;
use std::time::{Duration, Instant};

/// How long a test waits for what should happen at once, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks until the answer is `Some`, for at most [`PATIENCE`]; panics with `what` when it never was.
#[track_caller]
pub fn until<T, F>(what: &str, ask: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    within(PATIENCE, what, ask)
}

/// Asks until the answer is `Some`, for at most `limit`; panics with `what` when it never was.
#[track_caller]
pub fn within<T, F>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    async move {
        let begin = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(
                begin.elapsed() < limit,
                "{caller}: waited {} ms in vain: {what}",
                limit.as_millis()
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The same for code that cannot wait asynchronously, such as a destructor. Says whether it came true.
pub(crate) fn blocking(limit: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if ask() {
            return true;
        }
        if begin.elapsed() > limit {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}
