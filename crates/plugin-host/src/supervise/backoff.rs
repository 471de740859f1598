//! When a process that ended is started again: a pure state machine.

use crate::settings::RestartSettings;
use std::time::Duration;

/// Counts restarts in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    settings: RestartSettings,
    in_a_row: u32,
}

/// What to do before the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pause {
    /// How long to wait.
    pub(crate) wait: Duration,
    /// Whether the breaker is open meanwhile: requests are refused instead of waiting.
    pub(crate) breaker_open: bool,
}

impl Backoff {
    pub(crate) fn new(settings: RestartSettings) -> Self {
        Self {
            settings,
            in_a_row: 0,
        }
    }

    /// A process has ended after it lived for `lived`; zero when it did not even start. `random`
    /// is from 0 to 1 and spreads the restarts of many plugins.
    pub(crate) fn ended(&mut self, lived: Duration, random: f64) -> Pause {
        if lived >= self.settings.stable_after {
            self.in_a_row = 0;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let wait = match self.in_a_row.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => {
                let factor = 2_u32.saturating_pow(doublings.min(31));
                let pause = self.settings.first_pause.saturating_mul(factor);
                let pause = pause.min(self.settings.longest_pause);
                pause + pause.mul_f64(random.clamp(0.0, 1.0) / 5.0)
            }
        };
        Pause {
            wait,
            breaker_open: self.in_a_row > self.settings.breaker_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: RestartSettings = RestartSettings {
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(1),
        stable_after: Duration::from_secs(60),
        breaker_after: 3,
    };

    #[test]
    fn the_first_restart_is_at_once_and_the_pauses_double_up_to_a_limit() {
        let mut backoff = Backoff::new(SETTINGS);
        let pauses: Vec<(u128, bool)> = (0..8)
            .map(|_| backoff.ended(Duration::ZERO, 0.0))
            .map(|pause| (pause.wait.as_millis(), pause.breaker_open))
            .collect();
        let expected = [
            (0, false),
            (100, false),
            (200, false),
            (400, true),
            (800, true),
            (1_000, true),
            (1_000, true),
            (1_000, true),
        ];
        assert_eq!(pauses, expected);
    }

    #[test]
    fn a_process_that_lived_long_ends_the_row() {
        let mut backoff = Backoff::new(SETTINGS);
        for _ in 0..10 {
            backoff.ended(Duration::from_secs(59), 0.0);
        }
        let pause = backoff.ended(Duration::from_secs(60), 0.0);
        assert_eq!(pause.wait, Duration::ZERO);
        assert!(!pause.breaker_open);
    }

    #[test]
    fn chance_adds_up_to_a_fifth() {
        let second = |random| {
            let mut backoff = Backoff::new(SETTINGS);
            backoff.ended(Duration::ZERO, random);
            backoff.ended(Duration::ZERO, random).wait
        };
        assert_eq!(second(0.0), Duration::from_millis(100));
        assert_eq!(second(1.0), Duration::from_millis(120));
        assert_eq!(second(7.0), Duration::from_millis(120));
    }

    #[test]
    fn a_row_without_end_does_not_overflow() {
        let mut backoff = Backoff::new(SETTINGS);
        for _ in 0..1_000 {
            assert!(backoff.ended(Duration::ZERO, 1.0).wait <= Duration::from_millis(1_200));
        }
    }
}
