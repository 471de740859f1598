//! Which mounts of a reload may move now: a state machine without clock or tasks (design §4).
//!
//! Mounts go in waves: at most `max_surge` are prepared but not yet switched, so at most that many
//! processes exist beside those that serve. Every mount is attempted, whatever became of the
//! others, and every mount has a result, in the order in which they were given.

/// One reload of several mounts. `M` names a mount, `R` is what became of it.
#[derive(Debug)]
pub struct Rollout<M, R> {
    max_surge: usize,
    moving: usize,
    /// Mounts before this place have been handed out.
    next: usize,
    mounts: Vec<Slot<M, R>>,
}

#[derive(Debug)]
struct Slot<M, R> {
    mount: M,
    result: Option<R>,
}

/// The place of a mount in its roll-out; handed out once, given back with the result.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(usize);

impl<M, R> Rollout<M, R> {
    /// A roll-out over these mounts. `max_surge` is at least one, else nothing would ever move.
    pub fn new(mounts: impl IntoIterator<Item = M>, max_surge: usize) -> Self {
        let slot = |mount| Slot {
            mount,
            result: None,
        };
        Self {
            max_surge: max_surge.max(1),
            moving: 0,
            next: 0,
            mounts: mounts.into_iter().map(slot).collect(),
        }
    }

    /// The next mount to prepare; `None` while the surge is used up or nothing is left.
    pub fn start(&mut self) -> Option<(Ticket, &M)> {
        if self.moving >= self.max_surge {
            return None;
        }
        let slot = self.mounts.get(self.next)?;
        let ticket = Ticket(self.next);
        self.next += 1;
        self.moving += 1;
        Some((ticket, &slot.mount))
    }

    /// A mount has switched, or will not: its place in the surge is free again.
    pub fn finish(&mut self, ticket: Ticket, result: R) {
        if let Some(slot) = self.mounts.get_mut(ticket.0) {
            slot.result = Some(result);
            self.moving = self.moving.saturating_sub(1);
        }
    }

    /// Seal, step-down or shutdown: nothing further starts. What is moving is finished by its
    /// owner; the rest gets this result.
    pub fn abort(&mut self, mut result: impl FnMut(&M) -> R) {
        for slot in self.mounts.iter_mut().skip(self.next) {
            slot.result = Some(result(&slot.mount));
        }
        self.next = self.mounts.len();
    }

    /// How many are prepared or being prepared, and not yet switched.
    #[must_use]
    pub fn moving(&self) -> usize {
        self.moving
    }

    /// Whether every mount has its result.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.moving == 0 && self.next == self.mounts.len()
    }

    /// The results so far, in the order of the mounts.
    pub fn into_results(self) -> impl Iterator<Item = (M, R)> {
        let results = self.mounts.into_iter();
        results.filter_map(|slot| Some((slot.mount, slot.result?)))
    }
}
