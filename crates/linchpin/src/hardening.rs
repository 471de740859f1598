//! What the process asks of the kernel before it holds a secret.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit};

/// Keeps secrets out of core dumps and away from other processes of the same user, and takes as many descriptors as
/// the system gives. What cannot be had is logged: a dev server runs without, too.
pub(crate) fn apply() {
    // Not a core limit of zero, which the helper of a piped core pattern does not heed. It also closes
    // /proc/<pid>/mem and ptrace to everybody without the capability for it.
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable) {
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
