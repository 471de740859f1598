//! One plugin's operator: edits its catalog entries, pins, tunes, reloads, mounts and unmounts, and knows at each step what the
//! specification promises, because nobody else touches this plugin.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Prng, pause};

/// The versions that a plugin can have, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Always registered.
    Old,
    /// Always registered; every mount has it stored when the chaos begins.
    New,
    /// Comes and goes.
    Extra,
    /// Comes and goes; no mount ever comes up with it.
    Broken,
}

impl Version {
    /// As the API writes it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Old => "v1.0.0",
            Self::New => "v1.1.0",
            Self::Extra => "v1.2.0",
            Self::Broken => "v2.0.0",
        }
    }
}

/// Which mounts a reload names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// `reload/backend` with the plugin's name.
    Name,
    /// `reload/secret/<name>`.
    Type,
    /// `reload/backend` with some of the mounts.
    Mounts(Vec<usize>),
}

/// What an operator does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Registers a version, or overwrites it by an entry that differs in `note`.
    Register {
        /// The version.
        version: Version,
        /// Makes an entry differ from the one before.
        note: u64,
    },
    /// Deregisters a version.
    Deregister {
        /// The version.
        version: Version,
    },
    /// Pins a version.
    Pin {
        /// The version.
        version: Version,
    },
    /// Removes the pin.
    Unpin,
    /// Sets the stored version of a mount.
    Tune {
        /// The mount.
        mount: usize,
        /// The version.
        version: Version,
    },
    /// Reloads.
    Reload(Selection),
    /// Mounts one more: the number after the last.
    Mount,
    /// Unmounts it.
    Unmount,
}

/// An action with its pause before and what must come of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// How long after the end of the one before.
    pub pause: Duration,
    /// What is done.
    pub action: Action,
    /// Whether it must be answered with 2xx; else it must be refused.
    pub succeeds: bool,
    /// Mounts and the version that they must run afterwards.
    pub runs: BTreeMap<usize, Version>,
}

/// An endless row of steps.
#[derive(Clone, Debug)]
pub struct Script {
    numbers: Prng,
    registered: Vec<Version>,
    pin: Option<Version>,
    /// What each mount has stored; an extra one is the last.
    stored: Vec<Version>,
    mounts: usize,
}

impl Script {
    pub(super) fn new(numbers: Prng, mounts: usize) -> Self {
        Self {
            numbers,
            registered: vec![Version::Old, Version::New],
            pin: None,
            stored: vec![Version::New; mounts],
            mounts,
        }
    }

    /// What must be done at the end so that only the two versions that are always there are registered, nothing is pinned, and every
    /// mount runs the newer one. A `note` that no entry had before brings them together in one generation: of a known entry, a mount that
    /// lags behind would join the newest, and the others would leave it.
    pub fn closing(&self, note: u64) -> Vec<Action> {
        let mut actions = vec![Action::Unpin, Action::Unmount];
        for version in [Version::Extra, Version::Broken] {
            actions.push(Action::Deregister { version });
        }
        for version in [Version::Old, Version::New] {
            actions.push(Action::Register { version, note });
        }
        actions.extend((0..self.mounts).map(|mount| Action::Tune {
            mount,
            version: Version::New,
        }));
        actions.push(Action::Reload(Selection::Name));
        actions
    }

    fn has(&self, version: Version) -> bool {
        self.registered.contains(&version)
    }

    /// Whether a mount that has this stored comes up, and with what.
    fn target(&self, stored: Version) -> Option<Version> {
        let version = self.pin.unwrap_or(stored);
        (version != Version::Broken && self.has(version)).then_some(version)
    }

    fn any_version(&mut self) -> Version {
        // The two that are always there twice as often as the others.
        match self.numbers.below(6) {
            0 | 1 => Version::Old,
            2 | 3 => Version::New,
            4 => Version::Extra,
            _ => Version::Broken,
        }
    }

    fn choose(&mut self) -> Action {
        let extra_is_mounted = self.stored.len() > self.mounts;
        match self.numbers.below(16) {
            0 | 1 => {
                let version = self.any_version();
                let note = self.numbers.draw() % 3;
                Action::Register { version, note }
            }
            2 => match self.numbers.below(2) {
                0 if self.has(Version::Extra) => Action::Deregister {
                    version: Version::Extra,
                },
                _ if self.has(Version::Broken) => Action::Deregister {
                    version: Version::Broken,
                },
                _ => Action::Reload(Selection::Name),
            },
            3..=5 => Action::Pin {
                version: self.any_version(),
            },
            6 => Action::Unpin,
            7 | 8 => Action::Tune {
                mount: self.numbers.below(self.mounts),
                version: self.any_version(),
            },
            9 | 10 => Action::Reload(Selection::Name),
            11 | 12 => Action::Reload(Selection::Type),
            13 | 14 => {
                let some: Vec<usize> = (0..self.mounts)
                    .filter(|_| self.numbers.below(2) == 0)
                    .collect();
                match some.is_empty() {
                    true => Action::Reload(Selection::Mounts(vec![0])),
                    false => Action::Reload(Selection::Mounts(some)),
                }
            }
            _ if extra_is_mounted => Action::Unmount,
            _ => Action::Mount,
        }
    }

    /// Carries the action out on the model; says whether the server must.
    fn carry_out(&mut self, action: &Action, runs: &mut BTreeMap<usize, Version>) -> bool {
        match action {
            Action::Register { version, .. } => {
                if !self.has(*version) {
                    self.registered.push(*version);
                }
                true
            }
            Action::Deregister { version } if self.pin == Some(*version) => false,
            Action::Deregister { version } => {
                self.registered.retain(|known| known != version);
                true
            }
            Action::Pin { version } if !self.has(*version) => false,
            Action::Pin { version } => {
                self.pin = Some(*version);
                true
            }
            Action::Unpin => {
                self.pin = None;
                true
            }
            Action::Tune { mount, version } => {
                let allowed = self.pin.is_none() && self.has(*version);
                if let Some(stored) = self.stored.get_mut(*mount).filter(|_| allowed) {
                    *stored = *version;
                }
                allowed
            }
            Action::Reload(selection) => {
                let stored = self.stored.iter().copied().enumerate();
                let selected = stored.filter(|(mount, _)| match selection {
                    Selection::Name | Selection::Type => true,
                    Selection::Mounts(some) => some.contains(mount),
                });
                let mut all = true;
                for (mount, stored) in selected {
                    match self.target(stored) {
                        Some(version) => drop(runs.insert(mount, version)),
                        None => all = false,
                    }
                }
                all
            }
            Action::Mount => {
                let highest = self.registered.iter().copied().max();
                let chosen = self.pin.or(highest).unwrap_or(Version::New);
                let comes_up = self.target(chosen);
                if let Some(version) = comes_up {
                    runs.insert(self.mounts, version);
                    self.stored.push(chosen);
                }
                comes_up.is_some()
            }
            Action::Unmount => {
                self.stored.truncate(self.mounts);
                true
            }
        }
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let pause = pause(&mut self.numbers, 50, 900);
        let action = self.choose();
        let mut runs = BTreeMap::new();
        let succeeds = self.carry_out(&action, &mut runs);
        Some(Step {
            pause,
            action,
            succeeds,
            runs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> Script {
        Script::new(Prng::new(0), 2)
    }

    fn outcome(script: &mut Script, action: Action) -> (bool, Vec<Version>) {
        let mut runs = BTreeMap::new();
        let succeeds = script.carry_out(&action, &mut runs);
        (succeeds, runs.into_values().collect())
    }

    #[test]
    fn a_pin_decides_what_a_reload_runs() {
        let mut script = script();
        let reload = Action::Reload(Selection::Name);
        assert_eq!(
            outcome(&mut script, reload.clone()),
            (true, vec![Version::New; 2])
        );
        let pin = |version| Action::Pin { version };
        assert!(outcome(&mut script, pin(Version::Old)).0);
        assert_eq!(
            outcome(&mut script, reload.clone()),
            (true, vec![Version::Old; 2])
        );
        assert!(!outcome(&mut script, pin(Version::Broken)).0);
        let register = Action::Register {
            version: Version::Broken,
            note: 0,
        };
        assert!(outcome(&mut script, register).0);
        assert!(outcome(&mut script, pin(Version::Broken)).0);
        assert_eq!(outcome(&mut script, reload.clone()), (false, vec![]));
        let deregister = Action::Deregister {
            version: Version::Broken,
        };
        assert!(!outcome(&mut script, deregister).0);
        assert!(outcome(&mut script, Action::Unpin).0);
        assert_eq!(outcome(&mut script, reload), (true, vec![Version::New; 2]));
    }

    #[test]
    fn a_mount_whose_version_is_gone_fails_alone() {
        let mut script = script();
        let register = Action::Register {
            version: Version::Extra,
            note: 0,
        };
        assert!(outcome(&mut script, register).0);
        let tune = Action::Tune {
            mount: 1,
            version: Version::Extra,
        };
        assert!(outcome(&mut script, tune).0);
        let deregister = Action::Deregister {
            version: Version::Extra,
        };
        assert!(outcome(&mut script, deregister).0);
        let all = Action::Reload(Selection::Type);
        assert_eq!(outcome(&mut script, all), (false, vec![Version::New]));
        let one = Action::Reload(Selection::Mounts(vec![0]));
        assert_eq!(outcome(&mut script, one), (true, vec![Version::New]));
    }
}
