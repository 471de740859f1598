//! The gate of a mount: who is inside its engine now, and who waits while it is switched.
//!
//! A request passes with a [`Ticket`], which holds the instance that serves it, and keeps it for
//! everything that it does (existence check, request, settling): one request has one instance.
//! While the gate is closed, requests of clients queue, bounded in number and time; background
//! calls get [`Refused::Busy`] and come back (design §4, step 2).

mod drain;

pub(crate) use drain::{NotDrained, drain, split};

use crate::instance::Instance;
use linchpin_engine::Context;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long and how many may wait.
#[derive(Debug, Clone, Copy)]
pub struct GateLimits {
    /// Requests that may wait at one mount.
    pub queue: usize,
    /// How long a closed gate waits for the old instance to become idle, per attempt.
    pub attempt: Duration,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            queue: 1000,
            attempt: Duration::from_secs(5),
        }
    }
}

/// Why a request did not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// So many requests wait already.
    QueueFull(usize),
    /// The gate is closed, and the call does not queue.
    Busy,
    /// The caller is gone, or its time is over.
    Cancelled,
    /// The mount was removed.
    Gone,
}

/// What is still inside when a drain gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StillRunning {
    /// Requests.
    pub(crate) count: usize,
    /// The age of the oldest.
    pub(crate) oldest: Duration,
}

/// The gate.
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Woken when the gate opens or the mount goes.
    opened: Notify,
    /// Woken when the last request leaves.
    idle: Notify,
    limits: GateLimits,
}

struct State {
    phase: Phase,
    instance: Arc<Instance>,
    running: BTreeMap<u64, Instant>,
    next: u64,
    waiting: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
    Gone,
}

/// The right to be inside; leaving is dropping it.
pub(crate) struct Ticket {
    gate: Arc<Gate>,
    number: u64,
    instance: Arc<Instance>,
    /// Cancelled when a forced reload gives up on those who are inside now.
    abort: CancellationToken,
}

impl Ticket {
    /// The instance that serves this request, from its first call to its last.
    #[must_use]
    pub(crate) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Awaits what an engine does for the holder, to its end: when the time is over, or a forced
    /// reload gives up on those inside, the context is cancelled and the engine ends by itself.
    pub(crate) async fn run<T>(&self, ctx: &Context, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let expired = async {
            match ctx.deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = self.abort.cancelled() => {}
            () = expired => {}
        }
        ctx.cancel.cancel();
        work.await
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        state.running.remove(&self.number);
        if state.running.is_empty() {
            self.gate.idle.notify_waiters();
        }
    }
}

impl Gate {
    /// An open gate before `instance`.
    #[must_use]
    pub(crate) fn new(instance: Arc<Instance>, limits: GateLimits) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                phase: Phase::Open,
                instance,
                running: BTreeMap::new(),
                next: 0,
                waiting: 0,
            }),
            opened: Notify::new(),
            idle: Notify::new(),
            limits,
        })
    }

    /// The instance that the mount has now.
    #[must_use]
    pub(crate) fn instance(&self) -> Arc<Instance> {
        Arc::clone(&self.state.lock().instance)
    }

    /// Passes a client's request, waiting while the gate is closed.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) async fn enter(self: &Arc<Self>, ctx: &Context) -> Result<Ticket, Refused> {
        loop {
            let opened = self.opened.notified();
            tokio::pin!(opened);
            // Registered before the state is looked at: an opening in between is not missed.
            opened.as_mut().enable();
            let _waiting = match self.try_enter() {
                Err(Refused::Busy) => self.join_queue()?,
                decided => return decided,
            };
            ctx.race(opened).await.map_err(|_| Refused::Cancelled)?;
        }
    }

    /// Passes only an open gate: for background calls.
    ///
    /// # Errors
    /// [`Refused::Busy`] while it is closed.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Result<Ticket, Refused> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Gone => return Err(Refused::Gone),
            Phase::Closed if !protection_off() => return Err(Refused::Busy),
            _ => {}
        }
        let number = state.next;
        state.next += 1;
        state.running.insert(number, Instant::now());
        let instance = Arc::clone(&state.instance);
        Ok(Ticket {
            gate: Arc::clone(self),
            number,
            abort: instance.abort(),
            instance,
        })
    }

    fn join_queue(self: &Arc<Self>) -> Result<Waiting, Refused> {
        let mut state = self.state.lock();
        if state.waiting >= self.limits.queue {
            return Err(Refused::QueueFull(state.waiting));
        }
        state.waiting += 1;
        Ok(Waiting(Arc::clone(self)))
    }

    /// Closes the gate, has whoever is still inside after one attempt cancelled, and waits for
    /// them, for another attempt. `cancel` is called while the gate is closed, so that nobody who
    /// comes later is cancelled too, and is told who was inside.
    ///
    /// # Cancel safety
    /// A dropped future leaves the gate open.
    ///
    /// # Errors
    /// Who is still inside although cancelled.
    pub(crate) async fn close_and_cancel(
        self: &Arc<Self>,
        cancel: impl FnOnce(StillRunning),
    ) -> Result<Closed, StillRunning> {
        self.state.lock().phase = Phase::Closed;
        let closed = Closed {
            gate: Some(Arc::clone(self)),
        };
        let limit = self.limits.attempt;
        if tokio::time::timeout(limit, self.wait_idle()).await.is_ok() {
            return Ok(closed);
        }
        if let Some(still) = self.still_running() {
            cancel(still);
        }
        match tokio::time::timeout(limit, self.wait_idle()).await {
            Ok(()) => Ok(closed),
            Err(_) => Err(self.still_running().unwrap_or(StillRunning {
                count: 0,
                oldest: Duration::ZERO,
            })),
        }
    }

    /// Closes the gate and waits until nobody is inside, for one attempt of at most `limit` (and
    /// of the configured length). On success the gate stays closed; else it is open again, on the
    /// same instance.
    ///
    /// # Cancel safety
    /// A dropped future leaves the gate open.
    ///
    /// # Errors
    /// Who is still inside.
    pub(crate) async fn close_and_drain(
        self: &Arc<Self>,
        limit: Duration,
    ) -> Result<Closed, StillRunning> {
        self.state.lock().phase = Phase::Closed;
        let closed = Closed {
            gate: Some(Arc::clone(self)),
        };
        let drained = tokio::time::timeout(self.limits.attempt.min(limit), self.wait_idle()).await;
        match drained {
            Ok(()) => Ok(closed),
            Err(_) => {
                let still = self.still_running();
                drop(closed);
                match still {
                    // The last one left between the two.
                    None => Err(StillRunning {
                        count: 0,
                        oldest: Duration::ZERO,
                    }),
                    Some(still) => Err(still),
                }
            }
        }
    }

    /// Whether requests wait now.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().phase == Phase::Closed
    }

    /// How many wait.
    #[must_use]
    pub(crate) fn waiting(&self) -> usize {
        self.state.lock().waiting
    }

    /// Who is inside now.
    #[must_use]
    pub(crate) fn still_running(&self) -> Option<StillRunning> {
        let state = self.state.lock();
        let oldest = state.running.values().min()?;
        Some(StillRunning {
            count: state.running.len(),
            oldest: oldest.elapsed(),
        })
    }

    /// Returns when nobody is inside.
    pub(crate) async fn wait_idle(&self) {
        if protection_off() {
            return;
        }
        loop {
            let idle = self.idle.notified();
            tokio::pin!(idle);
            idle.as_mut().enable();
            if self.state.lock().running.is_empty() {
                return;
            }
            idle.await;
        }
    }

    /// Puts an instance in the place of one that serves nobody: those who are inside hold the other
    /// one and end by themselves.
    pub(crate) fn replace(&self, instance: Arc<Instance>) {
        self.state.lock().instance = instance;
    }

    /// The mount goes: whoever waits or comes is refused.
    pub(crate) fn remove(&self) {
        self.state.lock().phase = Phase::Gone;
        self.opened.notify_waiters();
    }

    fn open(&self, instance: Option<Arc<Instance>>) {
        let mut state = self.state.lock();
        if let Some(instance) = instance {
            state.instance = instance;
        }
        if state.phase == Phase::Closed {
            state.phase = Phase::Open;
        }
        drop(state);
        self.opened.notify_waiters();
    }
}

/// A place in the queue; leaving it is dropping it.
struct Waiting(Arc<Gate>);

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

/// A gate that is closed and drained. Dropping it opens the gate on the instance it had.
pub(crate) struct Closed {
    gate: Option<Arc<Gate>>,
}

impl Closed {
    /// Opens the gate on a new instance: the switch. Whoever enters from now on gets it.
    pub(crate) fn open_on(mut self, instance: Arc<Instance>) {
        if let Some(gate) = self.gate.take() {
            gate.open(Some(instance));
        }
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.open(None);
        }
    }
}

/// Whether a mutant run has switched the gate off (`LINCHPIN_FAULT=gate-off`): never outside
/// builds with the feature.
fn protection_off() -> bool {
    crate::fault::is_set("gate-off")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::tests::instance;

    fn gate(limits: GateLimits) -> Arc<Gate> {
        Gate::new(instance(1), limits)
    }

    fn ctx() -> Context {
        Context::internal(CancellationToken::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_gets_the_new_instance() {
        let gate = gate(GateLimits::default());
        let inside = gate.enter(&ctx()).await.unwrap();
        let closing = {
            let gate = Arc::clone(&gate);
            async move { gate.close_and_drain(Duration::from_secs(5)).await }
        };
        tokio::pin!(closing);
        assert!(futures_util::poll!(&mut closing).is_pending());
        let waiting = {
            let gate = Arc::clone(&gate);
            async move { gate.enter(&ctx()).await }
        };
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        assert_eq!(gate.try_enter().err(), Some(Refused::Busy));
        drop(inside);
        let Ok(closed) = closing.await else {
            panic!("not idle")
        };
        closed.open_on(instance(2));
        assert_eq!(waiting.await.ok().unwrap().instance().number(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_that_does_not_drain_opens_on_the_old_instance() {
        let gate = gate(GateLimits::default());
        let inside = gate.enter(&ctx()).await.unwrap();
        let still = gate
            .close_and_drain(Duration::from_secs(5))
            .await
            .err()
            .unwrap();
        assert_eq!(still.count, 1);
        assert_eq!(
            gate.enter(&ctx()).await.ok().unwrap().instance().number(),
            1
        );
        drop(inside);
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_and_a_caller_may_leave_it() {
        let gate = gate(GateLimits {
            queue: 1,
            ..GateLimits::default()
        });
        let closed = gate
            .close_and_drain(Duration::from_secs(5))
            .await
            .ok()
            .unwrap();
        let gone = ctx();
        {
            let first = gate.enter(&gone);
            tokio::pin!(first);
            assert!(futures_util::poll!(&mut first).is_pending());
            assert_eq!(gate.enter(&ctx()).await.err(), Some(Refused::QueueFull(1)));
            gone.cancel.cancel();
            assert_eq!(first.await.err(), Some(Refused::Cancelled));
        }
        drop(closed);
        assert!(gate.enter(&ctx()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_at_a_removed_mount_is_refused() {
        let gate = gate(GateLimits::default());
        let _closed = gate
            .close_and_drain(Duration::from_secs(5))
            .await
            .ok()
            .unwrap();
        let waiting = ctx();
        let waiting = gate.enter(&waiting);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        gate.remove();
        assert_eq!(waiting.await.err(), Some(Refused::Gone));
    }
}
