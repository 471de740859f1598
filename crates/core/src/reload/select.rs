//! Which mounts a reload call means (plugin-lifecycle §§5.1, 5.3).

use super::Selector;
use crate::Core;
use crate::mount::{Mount, plugin_type};
use crate::mounts::with_slash;
use std::collections::HashSet;
use std::sync::Arc;

/// What a selector found.
pub(super) struct Selected {
    /// The mounts, each once, by path.
    pub(super) mounts: Vec<Arc<Mount>>,
    /// Paths that no mount serves.
    pub(super) missing: Vec<String>,
}

impl Core {
    /// Resolves a selector against the mounts of this moment.
    pub(super) fn select(&self, selector: &Selector) -> Selected {
        let node = self.node.load_full();
        let mut mounts: Vec<Arc<Mount>> = Vec::new();
        let mut missing = Vec::new();
        match selector {
            Selector::Plugin {
                name,
                plugin_type: wanted,
            } => {
                mounts.extend(node.mounts().into_iter().filter(|mount| {
                    let record = mount.record();
                    record.mount_type == *name
                        && wanted.is_none_or(|wanted| plugin_type(&record) == wanted)
                }));
            }
            Selector::Mounts(paths) => {
                for path in paths_of(paths) {
                    match node.find(&path) {
                        Some((mount, _)) => mounts.push(Arc::clone(mount)),
                        None => missing.push(path),
                    }
                }
                mounts.sort_by_key(|mount| Arc::clone(&mount.facts().point));
                mounts.dedup_by(|a, b| Arc::ptr_eq(a, b));
            }
        }
        Selected { mounts, missing }
    }
}

/// Paths with their final `/`, elements with commas split, `sys/auth/…` as `auth/…`, each once.
fn paths_of(elements: &[String]) -> Vec<String> {
    let split = elements.iter().flat_map(|element| element.split(','));
    let (mut paths, mut known) = (Vec::new(), HashSet::new());
    for path in split.map(str::trim).filter(|path| !path.is_empty()) {
        let path = with_slash(path);
        let path = match path.strip_prefix("sys/auth/") {
            Some(rest) => format!("auth/{rest}"),
            None => path,
        };
        if known.insert(path.clone()) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_paths_are_taken_in_every_form_that_clients_write() {
        let given = ["a", "a/", "b, c/d", "/e", "sys/auth/f", "auth/f/", ""].map(str::to_owned);
        assert_eq!(paths_of(&given), ["a/", "b/", "c/d/", "e/", "auth/f/"]);
    }
}
