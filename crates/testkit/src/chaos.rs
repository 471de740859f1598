//! Chaos that can be played again: what is done to a server, in which order and after which pauses, is a pure function of a seed.
//!
//! A plan has one script for each plugin's operator, who does one thing after the other and knows what must come of it, and one for the
//! violence that kills and stops processes meanwhile. When a step is carried out depends on the machine; which one is the next does not.

mod operator;
mod prng;
mod violence;

use std::time::Duration;

pub use operator::{Action, Script, Selection, Step, Version};
pub use prng::Prng;
pub use violence::{Blow, Violence};

/// The variable that names the seed.
pub const SEED: &str = "LINCHPIN_CHAOS_SEED";

/// What is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chaos {
    /// Everything follows from it.
    pub seed: u64,
    /// How many plugins there are.
    pub plugins: usize,
    /// How many mounts each of them has.
    pub mounts: usize,
}

impl Chaos {
    /// The operator's script for a plugin. It has no end; the same plan has the same script.
    pub fn operator(&self, plugin: usize) -> Script {
        Script::new(self.generator(plugin), self.mounts)
    }

    /// What kills and stops processes. It has no end.
    pub fn violence(&self) -> Violence {
        Violence::new(self.generator(self.plugins), self.plugins)
    }

    /// Each script has numbers of its own, so that how far one has come changes nothing for another.
    fn generator(&self, number: usize) -> Prng {
        let number = u64::try_from(number).unwrap_or_default();
        Prng::new(self.seed ^ Prng::new(number).draw())
    }
}

/// The seed that the environment names, else one that differs from run to run.
pub fn seed() -> u64 {
    let named = std::env::var(SEED).ok();
    let named = named.map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{SEED} must be a number from 0 to 2^64-1, not {text:?}"))
    });
    named.unwrap_or_else(|| {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        let since = since.unwrap_or_default().as_nanos();
        Prng::new(u64::try_from(since).unwrap_or_default()).draw()
    })
}

/// A pause between `least` and `most` milliseconds.
fn pause(numbers: &mut Prng, least: u64, most: u64) -> Duration {
    Duration::from_millis(least + numbers.draw() % (most - least + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chaos(seed: u64) -> Chaos {
        Chaos {
            seed,
            plugins: 5,
            mounts: 4,
        }
    }

    fn steps(seed: u64) -> Vec<Step> {
        let plan = chaos(seed);
        let all = (0..5).flat_map(|plugin| plan.operator(plugin).take(100));
        all.collect()
    }

    #[test]
    fn the_same_seed_is_the_same_chaos_and_another_is_another() {
        assert_eq!(steps(7), steps(7));
        assert_ne!(steps(7), steps(8));
        let blows = |seed| -> Vec<Blow> { chaos(seed).violence().take(100).collect() };
        assert_eq!(blows(7), blows(7));
        assert_ne!(blows(7), blows(8));
    }

    #[test]
    fn how_far_one_script_has_come_changes_nothing_for_another() {
        let plan = chaos(7);
        let alone: Vec<Step> = plan.operator(3).take(50).collect();
        assert_eq!(plan.operator(2).take(10).count(), 10);
        assert_eq!(plan.operator(3).take(50).collect::<Vec<_>>(), alone);
        assert_ne!(plan.operator(2).take(50).collect::<Vec<_>>(), alone);
    }

    #[test]
    fn every_kind_of_action_occurs_with_every_seed() {
        let name = |action: &Action| match action {
            Action::Register { .. } => "register",
            Action::Deregister { .. } => "deregister",
            Action::Pin { .. } => "pin",
            Action::Unpin => "unpin",
            Action::Tune { .. } => "tune",
            Action::Mount => "mount",
            Action::Unmount => "unmount",
            Action::Reload(Selection::Name) => "reload by name",
            Action::Reload(Selection::Type) => "reload by type",
            Action::Reload(Selection::Mounts(_)) => "reload of mounts",
        };
        for seed in 0..20 {
            let steps = steps(seed);
            let mut found: Vec<&str> = steps.iter().map(|step| name(&step.action)).collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), 10, "seed {seed}: {found:?}");
            let refused = steps.iter().filter(|step| !step.succeeds).count();
            // Refusals are part of it, and not most of it.
            assert!((10..=300).contains(&refused), "seed {seed}: {refused}");
            let mut blows = chaos(seed).violence().take(60);
            assert!(blows.any(|blow| blow.stops), "seed {seed}");
            assert!(blows.any(|blow| !blow.stops), "seed {seed}");
        }
    }
}
