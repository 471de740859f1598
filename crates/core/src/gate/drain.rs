//! Finding a moment in which nobody is inside: attempts, and between them a pause in which the gates are open on what they had,
//! so that those who waited get through.

use super::{Closed, Gate, StillRunning};
use futures_util::future::join_all;
use linchpin_engine::{Context, Error};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// Why there was no such moment. The gates are open.
pub(crate) enum NotDrained {
    /// The time is over, and these are still inside.
    Running(StillRunning),
    /// It is no longer wanted.
    GivenUp(Error),
}

/// Closes `gates` when nobody is inside any of them, in attempts for `limit`. `go_on` is asked before each attempt; it fails at
/// the latest when `ctx` is cancelled, which also ends a pause.
///
/// # Cancel safety
/// A dropped future leaves every gate open.
///
/// # Errors
/// [`NotDrained`].
pub(crate) async fn drain(
    ctx: &Context,
    gates: &[&Arc<Gate>],
    limit: Duration,
    go_on: impl Fn() -> Result<(), Error>,
) -> Result<Vec<Closed>, NotDrained> {
    let end = Instant::now() + limit;
    loop {
        go_on().map_err(NotDrained::GivenUp)?;
        let left = end.saturating_duration_since(Instant::now());
        let attempts = gates.iter().map(|gate| gate.close_and_drain(left));
        let (closed, still) = split(join_all(attempts).await);
        if closed.len() == gates.len() {
            return Ok(closed);
        }
        drop(closed); // open again, on what they had
        // Nobody: the last one left between two looks, and the next attempt succeeds.
        if Instant::now() >= end && still.count > 0 {
            return Err(NotDrained::Running(still));
        }
        // A cancelled pause is seen by `go_on`.
        let _ = ctx.race(tokio::time::sleep(PAUSE)).await;
    }
}

/// The attempts that succeeded, and who is still inside in the others.
pub(crate) fn split(attempts: Vec<Result<Closed, StillRunning>>) -> (Vec<Closed>, StillRunning) {
    let mut closed = Vec::new();
    let mut all = StillRunning {
        count: 0,
        oldest: Duration::ZERO,
    };
    for attempt in attempts {
        match attempt {
            Ok(one) => closed.push(one),
            Err(still) => {
                all.count += still.count;
                all.oldest = all.oldest.max(still.oldest);
            }
        }
    }
    (closed, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::GateLimits;
    use crate::instance::tests::instance;
    use tokio_util::sync::CancellationToken;

    fn gate() -> Arc<Gate> {
        Gate::new(instance(1), GateLimits::default())
    }

    fn ctx() -> Context {
        Context::internal(CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn every_gate_is_closed_or_none() {
        let (idle, busy) = (gate(), gate());
        let inside = busy.enter(&ctx()).await.ok().unwrap();
        let limit = Duration::from_secs(20);
        let refused = drain(&ctx(), &[&idle, &busy], limit, || Ok(())).await;
        let Err(NotDrained::Running(still)) = refused else {
            panic!("drained although somebody is inside")
        };
        assert_eq!(still.count, 1);
        assert!(!idle.is_closed() && !busy.is_closed());
        drop(inside);
        let closed = drain(&ctx(), &[&idle, &busy], limit, || Ok(())).await;
        assert_eq!(closed.ok().unwrap().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_it_is_no_longer_wanted() {
        let gate = gate();
        let ctx = ctx();
        let _inside = gate.enter(&ctx).await.ok().unwrap();
        let go_on = || {
            if ctx.cancel.is_cancelled() {
                Err(Error::refused("given up"))
            } else {
                Ok(())
            }
        };
        let gates = [&gate];
        let draining = drain(&ctx, &gates, Duration::from_secs(3600), go_on);
        tokio::pin!(draining);
        assert!(futures_util::poll!(&mut draining).is_pending());
        ctx.cancel.cancel();
        let ended = draining.await;
        assert!(matches!(ended, Err(NotDrained::GivenUp(_))));
        assert!(!gate.is_closed());
    }
}
