//! What a server holds of the machine: counted before and after, so that what it does not give back is seen.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;

use crate::{Process, Server, within};
use std::time::Duration;

/// Processes, descriptors and files of a server, each by kind. Two of them are equal when every count is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint(BTreeMap<String, usize>);

impl Footprint {
    /// Counts now: processes by the name of their program, zombies as such; the server's descriptors by what they are; files in its
    /// temporary folder, where the sockets of its plugins are, and in its plugin directory.
    pub fn of(server: &Server) -> Self {
        let mut counts = BTreeMap::new();
        let mut count = |kind: String| *counts.entry(kind).or_default() += 1;
        for process in server.plugin_processes() {
            count(match process.state {
                'Z' => format!("zombie {}", process.name),
                _ => format!("process {}", process.name),
            });
        }
        for descriptor in Process::descriptors(server.pid()) {
            count(format!(
                "descriptor {}",
                kind(&descriptor.to_string_lossy())
            ));
        }
        for _ in server.temporary_files() {
            count("temporary file".to_owned());
        }
        for _ in fs::read_dir(server.plugins().path()).into_iter().flatten() {
            count("plugin file".to_owned());
        }
        Self(counts)
    }

    /// The number of one kind.
    pub fn count(&self, kind: &str) -> usize {
        self.0.get(kind).copied().unwrap_or_default()
    }

    /// What this one has more of than `before`.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Self {
        let more = self.0.iter().filter_map(|(kind, count)| {
            let more = count.saturating_sub(before.count(kind));
            (more > 0).then(|| (kind.clone(), more))
        });
        Self(more.collect())
    }

    /// Whether nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits until the server holds nothing beyond this any more; panics with what it kept when `limit` has passed.
    #[track_caller]
    pub fn expect_back(&self, server: &Server, limit: Duration) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let begin = std::time::Instant::now();
            within(limit * 2, "everything is given back", || async {
                let kept = Self::of(server).beyond(self);
                assert!(
                    kept.is_empty() || begin.elapsed() < limit,
                    "{caller}: the server kept {kept} for {limit:?}"
                );
                kept.is_empty().then_some(())
            })
            .await;
        }
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}

/// What a descriptor is, without what makes it this one: `socket`, `pipe`, `anon_inode:[pidfd]`, `/memfd:tp (deleted)`, of a file or a folder
/// the folder that it is in.
fn kind(target: &str) -> String {
    if let Some((kind @ ("socket" | "pipe"), _)) = target.split_once(":[") {
        return kind.to_owned();
    }
    // Of a process of its own, which is counted.
    if target.starts_with("/proc/") {
        return "/proc".to_owned();
    }
    // Private directories have random names.
    match target.rsplit_once('/') {
        Some((folder, _)) if !folder.is_empty() => folder.to_owned(),
        _ => target.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_before_is_named() {
        let footprint = |counts: &[(&str, usize)]| {
            let counts = counts.iter().map(|(kind, n)| ((*kind).to_owned(), *n));
            Footprint(counts.collect())
        };
        let before = footprint(&[("process tp", 2), ("descriptor socket", 10)]);
        let after = footprint(&[("process tp", 3), ("descriptor pipe", 1)]);
        let expected = footprint(&[("process tp", 1), ("descriptor pipe", 1)]);
        assert_eq!(after.beyond(&before), expected);
        assert!(before.beyond(&before).is_empty());
    }

    #[test]
    fn descriptors_are_told_apart_by_kind() {
        assert_eq!(kind("socket:[4711]"), "socket");
        assert_eq!(kind("pipe:[4711]"), "pipe");
        assert_eq!(kind("/proc/17/statm"), "/proc");
        assert_eq!(kind("anon_inode:[pidfd]"), "anon_inode:[pidfd]");
        assert_eq!(kind("/memfd:tp (deleted)"), "/memfd:tp (deleted)");
        assert_eq!(kind("/tmp/server/lp-3js9bbZG5"), "/tmp/server");
    }
}
