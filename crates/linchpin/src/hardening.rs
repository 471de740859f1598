//! What the process asks of the kernel before it holds a secret.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Keeps secrets out of core dumps, and takes as many descriptors as the system gives. What cannot be had is logged:
/// a dev server runs without, too.
///
/// A dev server can be debugged, and its `/proc` entries read, by the user who started it. A server with real data
/// will have to be closed to them as well (`PR_SET_DUMPABLE`).
pub(crate) fn apply() {
    // One byte, not zero: a helper that the core pattern pipes to gets its dump in spite of a limit of zero, and the
    // kernel refuses one under a limit of one. No core file is so small.
    let one_byte = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    if let Err(error) = setrlimit(Resource::Core, one_byte) {
        tracing::warn!(%error, "core dumps of this process cannot be switched off");
    }
    // Every plugin process takes several, every connection one; the usual soft limit is 1,024.
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, all) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_core_is_dumped_and_every_descriptor_can_be_used() {
        apply();
        let core = getrlimit(Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(1), Some(1)));
        let files = getrlimit(Resource::Nofile);
        assert_eq!(files.current, files.maximum);
    }
}
