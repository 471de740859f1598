//! Every order in which reads and commits can meet leaves the cache true.

use super::*;
use crate::Version;

struct Fixture {
    fences: Fences,
    cache: Cache,
}

impl Fixture {
    fn new() -> Self {
        Self {
            fences: Fences::new(),
            cache: Cache::new(1 << 20),
        }
    }

    fn raise(&self, value: &str) -> Fence<'_> {
        self.fences.raise(&self.cache, vec![change(value)])
    }

    fn fill(&self, ticket: Option<Ticket>, value: &str) {
        if let Some(ticket) = ticket {
            self.fences
                .fill(&ticket, &self.cache, key(), Some(entry(value)));
        }
    }

    fn ticket(&self) -> Option<Ticket> {
        self.fences.ticket(&key())
    }

    fn cached(&self) -> Option<String> {
        let entry = self.cache.get(&key())??;
        Some(String::from_utf8(entry.value.to_vec()).unwrap())
    }
}

fn key() -> Key {
    Key::new("k")
}

fn entry(value: &str) -> Entry {
    Entry {
        value: bytes::Bytes::copy_from_slice(value.as_bytes()),
        version: Version(bytes::Bytes::copy_from_slice(value.as_bytes())),
    }
}

fn change(value: &str) -> Change {
    (key(), Some(Some(entry(value))))
}

#[test]
fn a_read_fills_the_cache_and_a_commit_replaces_it() {
    let f = Fixture::new();
    f.fill(f.ticket(), "old");
    assert_eq!(f.cached().as_deref(), Some("old"));
    let fence = f.raise("new");
    assert_eq!(f.cached(), None, "nothing is served while it is written");
    fence.committed();
    assert_eq!(f.cached().as_deref(), Some("new"));
}

#[test]
fn a_read_that_began_before_a_commit_fills_nothing_during_or_after_it() {
    let f = Fixture::new();
    let (during, after) = (f.ticket(), f.ticket());
    let fence = f.raise("new");
    f.fill(during, "old");
    assert_eq!(f.cached(), None);
    fence.committed();
    f.fill(after, "old");
    assert_eq!(f.cached().as_deref(), Some("new"));
}

#[test]
fn a_read_that_began_during_a_commit_has_no_ticket() {
    let f = Fixture::new();
    let fence = f.raise("new");
    assert!(f.ticket().is_none());
    fence.refused();
    assert!(f.ticket().is_some());
    assert_eq!(f.cached(), None);
}

#[test]
fn overlapping_commits_of_one_key_publish_nothing() {
    let check = |first_ends_first: bool| {
        let f = Fixture::new();
        let first = f.raise("1");
        let second = f.raise("2");
        if first_ends_first {
            first.committed();
            second.committed();
        } else {
            second.committed();
            first.committed();
        }
        assert_eq!(f.cached(), None);
        f.fill(f.ticket(), "what the store says");
        assert!(f.cached().is_some());
    };
    check(true);
    check(false);
}

#[test]
fn a_commit_of_unknown_outcome_keeps_its_keys_out_for_good() {
    let f = Fixture::new();
    let fence = f.raise("perhaps");
    drop(fence);
    assert!(f.ticket().is_none());
    f.raise("later").committed();
    assert_eq!(f.cached(), None);
    assert!(f.ticket().is_none());
}

#[test]
fn the_last_write_of_a_batch_is_published() {
    let f = Fixture::new();
    let check = |changes: Vec<Change>, expected: Option<&str>| {
        f.fences.raise(&f.cache, changes).committed();
        assert_eq!(f.cached().as_deref(), expected);
    };
    check(vec![change("1"), change("2")], Some("2"));
    check(vec![change("1"), (key(), Some(None))], None);
    assert!(f.cache.get(&key()).is_some_and(|found| found.is_none()));
    check(vec![change("1"), (key(), None)], None);
    assert!(f.cache.get(&key()).is_none(), "too large to cache");
}

#[test]
fn a_batch_of_many_keys_publishes_all_and_leaves_no_fence() {
    let f = Fixture::new();
    let keys: Vec<Key> = (0..300).map(|n| Key::new(format!("k{n}"))).collect();
    let changes = keys
        .iter()
        .map(|key| (key.clone(), Some(Some(entry("v")))))
        .collect();
    f.fences.raise(&f.cache, changes).committed();
    for key in &keys {
        assert!(f.cache.get(key).is_some(), "{key}");
        assert!(f.fences.ticket(key).is_some(), "{key}");
    }
}

#[test]
fn the_cache_is_bounded_in_bytes() {
    let cache = Cache::new(64 << 10);
    for n in 0..1_000 {
        cache.insert(Key::new(format!("k{n}")), Some(entry(&"v".repeat(1_000))));
    }
    let held = cache.entries.as_ref().unwrap().weight();
    assert!(held > 0 && held <= 64 << 10, "{held}");
    assert!(cache.has_room_for(100) && !cache.has_room_for(1 << 20));
    let none = Cache::new(0);
    none.insert(key(), Some(entry("v")));
    assert!(none.get(&key()).is_none() && !none.has_room_for(1));
}
