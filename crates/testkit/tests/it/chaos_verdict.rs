//! The verdict over chaos: which failed requests a kill explains.

use std::time::Instant;

use crate::chaos_load::Place;

/// A request that was not answered as it must be.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// The mount.
    pub(crate) place: Place,
    /// When it was sent.
    pub(crate) sent: Instant,
    /// When it ended.
    pub(crate) ended: Instant,
    /// Its status; 0 when there was no answer.
    pub(crate) status: u16,
    /// The answer's body, or why there was none.
    pub(crate) text: String,
}

/// A process that was killed, or stopped so that its supervisor had to.
#[derive(Clone, Debug)]
pub(crate) struct Blown {
    /// Whose it was.
    pub(crate) plugin: usize,
    /// Its id.
    pub(crate) pid: u32,
    /// When, from just before.
    pub(crate) at: Instant,
    /// When it was seen to be gone; `None` = not yet.
    pub(crate) gone: Option<Instant>,
}

/// That a process answered for a mount.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The mount.
    pub(crate) place: Place,
    /// When it had answered.
    pub(crate) at: Instant,
    /// The process.
    pub(crate) pid: u32,
}

impl Blown {
    /// Whether it happened between these two moments, or lasted into them.
    pub(crate) fn overlaps(&self, begin: Instant, end: Instant) -> bool {
        self.at <= end && self.gone.is_none_or(|gone| gone >= begin)
    }
}

impl Failure {
    /// Whether the end of that process explains it: the process was that plugin's, the request was under way when it ended, the answer is
    /// a server error and no broken connection, and it is not known that another process served the mount.
    pub(crate) fn is_explained_by(&self, blown: &Blown, seen: &[Seen]) -> bool {
        self.place.plugin == blown.plugin
            && self.status >= 500
            && blown.overlaps(self.sent, self.ended)
            && !was_elsewhere(self.place, blown, seen)
    }
}

/// Whether another process answered for the mount both before and after: it did so in between as well, because no process comes back.
fn was_elsewhere(place: Place, blown: &Blown, seen: &[Seen]) -> bool {
    let here = || seen.iter().filter(|seen| seen.place == place);
    let before = here().rfind(|seen| seen.at < blown.at);
    let after = blown.gone.map(|gone| here().find(|seen| seen.at > gone));
    match (before, after.flatten()) {
        (Some(before), Some(after)) => before.pid == after.pid && before.pid != blown.pid,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HERE: Place = Place {
        plugin: 1,
        mount: 2,
    };

    #[test]
    fn only_what_was_in_flight_at_the_end_of_its_own_process_is_explained() {
        let zero = Instant::now();
        let at = |ms| zero + Duration::from_millis(ms);
        let blown = Blown {
            plugin: 1,
            pid: 10,
            at: at(100),
            gone: Some(at(110)),
        };
        let failure = |sent, ended| Failure {
            place: HERE,
            sent: at(sent),
            ended: at(ended),
            status: 500,
            text: String::new(),
        };
        let check = |failure: Failure, seen: &[Seen]| failure.is_explained_by(&blown, seen);
        assert!(check(failure(90, 120), &[]));
        assert!(check(failure(105, 300), &[]));
        assert!(!check(failure(80, 99), &[]), "ended before");
        assert!(!check(failure(111, 120), &[]), "sent after");
        let refused = Failure {
            status: 404,
            ..failure(90, 120)
        };
        assert!(!check(refused, &[]), "a final answer");
        let elsewhere = Place {
            plugin: 0,
            mount: 2,
        };
        let other = Failure {
            place: elsewhere,
            ..failure(90, 120)
        };
        assert!(!check(other, &[]), "another plugin's");
        let seen = |ms, pid| Seen {
            place: HERE,
            at: at(ms),
            pid,
        };
        assert!(check(failure(90, 120), &[seen(50, 10), seen(200, 11)]));
        assert!(check(failure(90, 120), &[seen(50, 9), seen(200, 11)]));
        assert!(
            !check(failure(90, 120), &[seen(50, 9), seen(200, 9)]),
            "its own process lived on"
        );
    }
}
