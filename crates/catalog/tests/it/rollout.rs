//! Waves (design §4).

use std::collections::BTreeMap;

use linchpin_catalog::Rollout;
use proptest::prelude::*;

#[test]
fn waves_follow_each_other_and_results_keep_their_order() {
    let mut rollout = Rollout::new(["a/", "b/", "c/"], 2);
    let (a, _) = rollout.start().unwrap();
    let (b, _) = rollout.start().unwrap();
    assert_eq!(rollout.start(), None);
    assert_eq!(rollout.moving(), 2);
    rollout.finish(b, "failed");
    let (c, name) = rollout.start().unwrap();
    assert_eq!(*name, "c/");
    assert_eq!(rollout.start(), None);
    rollout.finish(c, "moved");
    assert!(!rollout.is_done());
    rollout.finish(a, "moved");
    assert!(rollout.is_done());
    let results: Vec<_> = rollout.into_results().collect();
    assert_eq!(
        results,
        [("a/", "moved"), ("b/", "failed"), ("c/", "moved")]
    );
}

#[test]
fn an_abort_gives_a_result_to_what_has_not_begun() {
    let mut rollout = Rollout::new(0..4, 1);
    let (first, _) = rollout.start().unwrap();
    rollout.abort(|mount| format!("{mount} not attempted"));
    assert_eq!(rollout.start(), None);
    assert!(!rollout.is_done());
    rollout.finish(first, "0 moved".to_owned());
    assert!(rollout.is_done());
    let results: Vec<String> = rollout.into_results().map(|(_, result)| result).collect();
    assert_eq!(
        results,
        [
            "0 moved",
            "1 not attempted",
            "2 not attempted",
            "3 not attempted"
        ]
    );
}

#[test]
fn a_surge_of_nothing_still_moves() {
    let mut rollout = Rollout::<_, ()>::new(["a/"], 0);
    assert!(rollout.start().is_some());
    assert!(Rollout::<&str, ()>::new([], 3).is_done());
}

proptest! {
    /// Whatever finishes when: never more than the surge, and everything is attempted exactly once.
    #[test]
    fn every_interleaving_attempts_all_within_the_surge(
        mounts in 0..300_usize,
        surge in 1..9_usize,
        choices in proptest::collection::vec((any::<bool>(), any::<usize>(), any::<bool>()), 50),
    ) {
        let mut rollout = Rollout::new(0..mounts, surge);
        let mut open = Vec::new();
        let mut attempts = BTreeMap::new();
        let mut choices = choices.into_iter().cycle();
        while !rollout.is_done() {
            let (wants_start, which, succeeds) = choices.next().unwrap();
            if wants_start || open.is_empty() {
                let started = rollout.start();
                prop_assert!(started.is_some() || !open.is_empty(), "nothing moves and nothing may");
                if let Some((ticket, mount)) = started {
                    *attempts.entry(*mount).or_insert(0) += 1;
                    open.push(ticket);
                }
            } else {
                let ticket = open.swap_remove(which % open.len());
                rollout.finish(ticket, succeeds);
            }
            prop_assert!(rollout.moving() <= surge);
            prop_assert_eq!(rollout.moving(), open.len());
        }
        prop_assert_eq!(attempts.len(), mounts);
        prop_assert!(attempts.values().all(|n| *n == 1));
        prop_assert_eq!(rollout.into_results().map(|(m, _)| m).collect::<Vec<_>>(), (0..mounts).collect::<Vec<_>>());
    }
}
