//! The verdict over chaos: which failed requests a kill explains.

use std::time::{Duration, Instant};

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
    /// Whether it was stopped, so that somebody else has killed it.
    pub(crate) stopped: bool,
    /// When it was hit, from just before.
    pub(crate) at: Instant,
    /// When it was last seen to be there.
    pub(crate) there: Instant,
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

/// What its end may be seen earlier by clients than by those who look for the process, which is in their way on a busy machine.
const SLACK: Duration = Duration::from_secs(1);

impl Blown {
    /// Whether a request that took from `sent` to `ended` was under way when the process ended. That is later than when it was hit, if it
    /// was stopped: until its supervisor gives it up, nothing that waits for it may fail.
    fn ended_during(&self, sent: Instant, ended: Instant) -> bool {
        let earliest = self.there.checked_sub(SLACK).unwrap_or(self.at);
        self.at.max(earliest) <= ended && self.gone.is_none_or(|gone| gone >= sent)
    }

    /// Whether it happened between these two moments, or lasted into them.
    pub(crate) fn overlaps(&self, begin: Instant, end: Instant) -> bool {
        self.at <= end && self.gone.is_none_or(|gone| gone >= begin)
    }
}

impl Failure {
    /// Whether the end of that process explains it: the process was that plugin's, the request was under way when it ended, the answer is
    /// a server error that names that end and no broken connection, and it is not known that another process served the mount.
    pub(crate) fn is_explained_by(&self, blown: &Blown, seen: &[Seen]) -> bool {
        self.place.plugin == blown.plugin
            && self.status == 500
            && self.text.contains("is shut down")
            && blown.ended_during(self.sent, self.ended)
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
            stopped: false,
            at: at(100),
            there: at(100),
            gone: Some(at(110)),
        };
        let failure = |sent, ended| Failure {
            place: HERE,
            sent: at(sent),
            ended: at(ended),
            status: 500,
            text: "plugin \"tp\" is shut down: plugin process ended".to_owned(),
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
        let vague = Failure {
            text: "something went wrong".to_owned(),
            ..failure(90, 120)
        };
        assert!(!check(vague, &[]), "an error that names no end");
        let stopped = Blown {
            stopped: true,
            there: at(6_000),
            gone: Some(at(6_010)),
            ..blown.clone()
        };
        let in_time = failure(200, 6_005);
        assert!(in_time.is_explained_by(&stopped, &[]));
        let early = failure(200, 2_000);
        assert!(
            !early.is_explained_by(&stopped, &[]),
            "failed while the process was stopped and nobody had ended it"
        );
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
