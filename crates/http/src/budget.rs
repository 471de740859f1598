//! How many bytes of bodies there are at once, over all requests.
//!
//! A body is limited by itself, but anybody may send many at once, without a token, and take their time. So what has
//! arrived is counted until its request is answered, and the request that would exceed the budget is refused. A part
//! is kept for small bodies, or a few who send large ones slowly would keep everybody from logging in.

use crate::Limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The largest body that may use the part that is kept for small ones.
const SMALL: usize = 64 << 10;

/// What may be held, and is.
pub(crate) struct Budget {
    /// By all bodies.
    all: usize,
    /// When a body is larger than [`SMALL`].
    large: usize,
    used: AtomicUsize,
}

/// The part of one request, given back when this is dropped.
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

/// There is no room now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Budget {
    /// The budget of `limits`: three quarters for all bodies, but never too little for a single one, and a quarter for
    /// small ones.
    pub(crate) fn new(limits: &Limits) -> Self {
        let small = limits.bodies / 4;
        let large = (limits.bodies - small).max(limits.body);
        Self {
            all: large.saturating_add(small),
            large,
            used: AtomicUsize::new(0),
        }
    }

    /// A request that holds nothing yet.
    pub(crate) fn hold(self: &Arc<Self>) -> Held {
        Held {
            budget: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Held {
    /// Takes room for `bytes` more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let bound = match self.bytes.saturating_add(bytes) {
            ..=SMALL => self.budget.all,
            _ => self.budget.large,
        };
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= bound);
        self.budget
            .used
            .fetch_update(Relaxed, Relaxed, more)
            .map_err(|_| Full)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives everything back.
    pub(crate) fn release(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.budget.used.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(body: usize, bodies: usize) -> Arc<Budget> {
        Arc::new(Budget::new(&Limits {
            body,
            bodies,
            ..Limits::default()
        }))
    }

    #[test]
    fn large_bodies_leave_a_quarter_to_small_ones_and_all_is_given_back() {
        let budget = budget(1 << 20, 4 << 20);
        let mut large = budget.hold();
        assert_eq!(large.grow(3 << 20), Ok(()));
        assert_eq!(large.grow(1), Err(Full));
        let mut small: Vec<Held> = (0..16).map(|_| budget.hold()).collect();
        for held in &mut small {
            assert_eq!(held.grow(SMALL), Ok(()));
        }
        assert_eq!(budget.hold().grow(1), Err(Full));
        assert_eq!(small[0].grow(1), Err(Full));
        drop(small);
        assert_eq!(budget.hold().grow(SMALL + 1), Err(Full));
        large.release();
        assert_eq!(budget.hold().grow(3 << 20), Ok(()));
        drop(large);
        assert_eq!(budget.used.load(Relaxed), 0);
    }

    #[test]
    fn one_body_of_the_largest_size_always_fits() {
        let budget = budget(9 << 20, 1 << 20);
        assert_eq!(budget.hold().grow(9 << 20), Ok(()));
    }
}
