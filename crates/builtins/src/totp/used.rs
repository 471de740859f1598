//! Codes that were taken and must not be taken again while they are valid.

use parking_lot::Mutex;
use std::collections::HashMap;

/// The codes, each with the second until which it counts as taken. Only valid codes get in, so
/// there are at most a few per key.
#[derive(Default)]
pub(super) struct UsedCodes(Mutex<HashMap<String, u64>>);

impl UsedCodes {
    /// Whether the code was taken.
    pub(super) fn contains(&self, name: &str, code: &str, now: u64) -> bool {
        self.0
            .lock()
            .get(&id(name, code))
            .is_some_and(|until| *until > now)
    }

    /// Takes the code until `until`; false when it was taken before.
    pub(super) fn take(&self, name: &str, code: &str, now: u64, until: u64) -> bool {
        let mut taken = self.0.lock();
        taken.retain(|_, until| *until > now);
        let free = !taken.contains_key(&id(name, code));
        if free {
            taken.insert(id(name, code), until);
        }
        free
    }
}

/// No name holds a blank.
fn id(name: &str, code: &str) -> String {
    format!("{name} {code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_taken_once_per_key_until_it_is_over() {
        let used = UsedCodes::default();
        assert!(used.take("a", "1", 100, 160));
        assert!(!used.take("a", "1", 159, 300));
        assert!(used.contains("a", "1", 159));
        assert!(used.take("b", "1", 100, 160));
        assert!(!used.contains("a", "1", 160));
        assert!(used.take("a", "1", 160, 300));
        assert_eq!(used.0.lock().len(), 1, "what is over is forgotten");
    }
}
