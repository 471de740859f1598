//! What every request reads: one immutable snapshot of the node. Writers replace it.

use crate::mount::Mount;
use std::collections::HashMap;
use std::sync::Arc;

/// The node at one moment.
#[derive(Default)]
pub(crate) struct Node {
    /// Whether the barrier is sealed.
    pub(crate) sealed: bool,
    /// Every mount, by its full path (namespace and mount path, trailing `/`).
    mounts: HashMap<String, Arc<Mount>>,
    /// The most segments that a mount's path has: no longer prefix is looked up.
    segments: usize,
}

impl Node {
    /// A snapshot of these mounts.
    pub(crate) fn new(mounts: impl IntoIterator<Item = Arc<Mount>>) -> Self {
        let by_path = |mount: Arc<Mount>| (mount.facts().point.to_string(), mount);
        let mounts: HashMap<_, _> = mounts.into_iter().map(by_path).collect();
        let segments = mounts.keys().map(|path| path.matches('/').count()).max();
        Self {
            sealed: false,
            segments: segments.unwrap_or_default(),
            mounts,
        }
    }

    /// The mount with the longest path that `path` lies below, and the rest of the path. A mount's
    /// own path may be written without its final `/`.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Option<(&Arc<Mount>, &'p str)> {
        if !path.ends_with('/') {
            let mut own = String::with_capacity(path.len() + 1);
            own.push_str(path);
            own.push('/');
            if let Some(mount) = self.mounts.get(&own) {
                return Some((mount, ""));
            }
        }
        // Callers choose how many segments a path has; mounts have few.
        let mut end = path
            .match_indices('/')
            .nth(self.segments)
            .map_or(path.len(), |(at, _)| at);
        while let Some(slash) = path.get(..end)?.rfind('/') {
            let (mount_path, rest) = path.split_at_checked(slash + 1)?;
            if let Some(mount) = self.mounts.get(mount_path) {
                return Some((mount, rest));
            }
            end = slash;
        }
        None
    }

    /// The mount at exactly this path.
    pub(crate) fn at(&self, path: &str) -> Option<&Arc<Mount>> {
        self.mounts.get(path)
    }

    /// Every mount, by path.
    pub(crate) fn mounts(&self) -> Vec<Arc<Mount>> {
        let mut all: Vec<Arc<Mount>> = self.mounts.values().cloned().collect();
        all.sort_by_key(|mount| Arc::clone(&mount.facts().point));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::tests::instance;
    use crate::mount::MountFacts;
    use crate::settings::Settings;
    use arc_swap::ArcSwap;
    use linchpin_formats::MountEntry;
    use tokio_util::sync::CancellationToken;

    fn node(paths: &[&str]) -> Node {
        let settings = Settings::default();
        Node::new(paths.iter().map(|path| {
            let record = MountEntry {
                path: (*path).to_owned(),
                ..MountEntry::default()
            };
            let facts = Arc::new(ArcSwap::new(MountFacts::of(&record, &settings)));
            let leaving = CancellationToken::new();
            Mount::new(record, facts, instance(1), None, settings.gate, leaving)
        }))
    }

    #[test]
    fn the_longest_mount_above_a_path_serves_it() {
        let node = node(&["a/", "a/b/c/", "d/e/"]);
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let found = node.find(path);
            let found = found.map(|(mount, rest)| (mount.facts().point.to_string(), rest));
            let expected = expected.map(|(mount, rest)| (mount.to_owned(), rest));
            assert_eq!(found, expected, "{path}");
        };
        check("a/x", Some(("a/", "x")));
        check("a", Some(("a/", "")));
        check("a/b/x", Some(("a/", "b/x")));
        check("a/b/c/d/e/f", Some(("a/b/c/", "d/e/f")));
        check("a/b/c", Some(("a/b/c/", "")));
        check("d/x", None);
        check(&"d/".repeat(10_000), None);
    }
}
