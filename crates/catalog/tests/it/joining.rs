//! The joining rule on simulated fleets (design §4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::entry;
use linchpin_catalog::joining::{Decision, EntryKey, Generation, State, for_mount, for_reload};
use proptest::prelude::*;

/// Mounts and the generations of a few entries. A generation is gone when its last mount has left.
#[derive(Default)]
struct Fleet {
    /// Generation by number: of which entry, state, starting call.
    generations: BTreeMap<u64, (usize, State, Option<String>)>,
    /// Mount: its generation.
    mounts: Vec<u64>,
    started: u64,
}

impl Fleet {
    fn of_entry(&self, entry: usize) -> Vec<Generation<'_>> {
        let of = self.generations.iter().filter(|(_, g)| g.0 == entry);
        of.map(|(number, (_, state, call))| Generation {
            number: *number,
            state: *state,
            call: call.as_deref(),
        })
        .collect()
    }

    fn start(&mut self, entry: usize, state: State, call: Option<String>) -> u64 {
        self.started += 1;
        self.generations.insert(self.started, (entry, state, call));
        self.started
    }

    fn mount(&mut self, entry: usize) {
        let number = match for_mount(&self.of_entry(entry)) {
            Decision::Join(number) => number,
            _ => self.start(entry, State::Healthy, None),
        };
        self.mounts.push(number);
    }

    /// One reload call over these mounts. `fails` says whether a generation that it starts comes up.
    /// Returns how many it started, and which mounts did not move.
    fn reload(
        &mut self,
        call: &str,
        mounts: &[usize],
        entry: usize,
        fails: bool,
    ) -> (usize, Vec<usize>) {
        let before = self.started;
        let mut stayed = Vec::new();
        for &mount in mounts {
            let own = self.mounts[mount];
            let number = match for_reload(&self.of_entry(entry), Some(own), call) {
                Decision::Join(number) => number,
                Decision::Start => {
                    let state = if fails { State::Failed } else { State::Healthy };
                    self.start(entry, state, Some(call.to_owned()))
                }
                Decision::Refuse(number) => number,
            };
            if self.generations[&number].1 == State::Failed {
                stayed.push(mount);
            } else {
                self.mounts[mount] = number;
            }
        }
        self.forget_unused();
        (usize::try_from(self.started - before).unwrap(), stayed)
    }

    fn forget_unused(&mut self) {
        let used: BTreeSet<u64> = self.mounts.iter().copied().collect();
        self.generations.retain(|number, _| used.contains(number));
    }

    fn processes(&self) -> usize {
        self.mounts.iter().collect::<BTreeSet<_>>().len()
    }
}

/// Case 90.
#[test]
fn reload_of_200_mounts_one_by_one_ends_with_one_process() {
    let mut fleet = Fleet::default();
    (0..200).for_each(|_| fleet.mount(0));
    assert_eq!(fleet.processes(), 1);
    for mount in 0..200 {
        let before = fleet.mounts[mount];
        fleet.reload(&mount.to_string(), &[mount], 0, false);
        assert_ne!(fleet.mounts[mount], before);
        assert!(fleet.processes() <= 2);
    }
    assert_eq!(fleet.processes(), 1);
    assert_eq!(fleet.started, 2);
}

#[test]
fn one_call_starts_one_generation_also_when_it_fails() {
    for fails in [false, true] {
        let mut fleet = Fleet::default();
        (0..200).for_each(|_| fleet.mount(0));
        let all: Vec<usize> = (0..200).collect();
        let (started, stayed) = fleet.reload("1", &all, 1, fails);
        assert_eq!(started, 1);
        assert_eq!(stayed.len(), if fails { 200 } else { 0 });
        assert_eq!(fleet.processes(), 1);
    }
}

#[test]
fn what_is_starting_is_joined_and_what_failed_is_not() {
    let generation = |number, state, call| Generation {
        number,
        state,
        call,
    };
    let old = generation(3, State::Healthy, None);
    let starting = generation(5, State::Starting, Some("9"));
    let failed = generation(6, State::Failed, Some("9"));
    assert_eq!(for_mount(&[]), Decision::Start);
    assert_eq!(for_mount(&[old, starting]), Decision::Join(5));
    assert_eq!(for_mount(&[old, failed]), Decision::Join(3));
    assert_eq!(for_mount(&[failed]), Decision::Start);
    assert_eq!(for_reload(&[old], Some(3), "9"), Decision::Start);
    assert_eq!(for_reload(&[old], Some(2), "9"), Decision::Join(3));
    assert_eq!(
        for_reload(&[old, starting], Some(3), "9"),
        Decision::Join(5)
    );
    // Rolled back: the target entry still runs, but is older than the mount's own generation.
    assert_eq!(for_reload(&[old], Some(4), "9"), Decision::Start);
    // A degraded mount has none of its own.
    assert_eq!(for_reload(&[old], None, "9"), Decision::Join(3));
    assert_eq!(
        for_reload(&[old, failed], Some(3), "9"),
        Decision::Refuse(6)
    );
    // Another call's failure does not count.
    assert_eq!(for_reload(&[old, failed], Some(3), "10"), Decision::Start);
}

#[test]
fn only_equal_entries_share() {
    let key = |edit: fn(&mut linchpin_model::PluginEntry)| {
        let mut entry = entry("tp", "1.0.0");
        edit(&mut entry);
        EntryKey::new(Arc::new(entry))
    };
    let same = key(|_| {});
    assert_eq!(same, key(|_| {}));
    let changes: [fn(&mut linchpin_model::PluginEntry); 11] = [
        |e| e.plugin_type = crate::AUTH,
        |e| e.name.push('x'),
        |e| e.version = None,
        |e| e.command.push('x'),
        |e| e.args.push("x".to_owned()),
        |e| e.env.push("x".to_owned()),
        |e| e.sha256.0[31] = 0,
        |e| e.oci_image.push('x'),
        |e| e.runtime.push('x'),
        |e| e.overlap = false,
        |e| e.execution = Some(linchpin_model::Execution::Path),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        assert_ne!(same, key(change), "field {i}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Mount(usize),
    Reload {
        mounts: Vec<usize>,
        entry: usize,
        fails: bool,
    },
    Crash(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3_usize).prop_map(Step::Mount),
        (
            proptest::collection::vec(any::<usize>(), 1..6),
            0..3_usize,
            proptest::bool::weighted(0.3)
        )
            .prop_map(|(mounts, entry, fails)| Step::Reload {
                mounts,
                entry,
                fails
            }),
        any::<usize>().prop_map(Step::Crash),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn in_every_history_calls_start_at_most_one_and_moves_go_forward(steps in steps()) {
        let mut fleet = Fleet::default();
        for (call, step) in steps.into_iter().enumerate() {
            match step {
                Step::Mount(entry) => fleet.mount(entry),
                Step::Crash(which) if !fleet.mounts.is_empty() => {
                    let number = fleet.mounts[which % fleet.mounts.len()];
                    if let Some(generation) = fleet.generations.get_mut(&number) {
                        generation.1 = State::Failed;
                    }
                }
                Step::Crash(_) => {}
                Step::Reload { mounts, entry, fails } if !fleet.mounts.is_empty() => {
                    let mounts: BTreeSet<usize> = mounts.iter().map(|m| m % fleet.mounts.len()).collect();
                    let mounts: Vec<usize> = mounts.into_iter().collect();
                    let before = fleet.mounts.clone();
                    let (started, stayed) = fleet.reload(&call.to_string(), &mounts, entry, fails);
                    prop_assert!(started <= 1);
                    for (mount, was) in before.iter().enumerate() {
                        let is = fleet.mounts[mount];
                        if mounts.contains(&mount) && !stayed.contains(&mount) {
                            prop_assert!(is > *was, "a reloaded mount moves to a newer generation");
                            prop_assert_eq!(fleet.generations[&is].0, entry);
                        } else {
                            prop_assert_eq!(is, *was, "others stay where they are");
                        }
                    }
                    prop_assert!(stayed.is_empty() || fails, "a mount stays only when a start failed");
                }
                Step::Reload { .. } => {}
            }
        }
    }
}
