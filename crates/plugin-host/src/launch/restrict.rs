//! What a plugin process may not do (design §4, containment). Runs in the launcher only.

use super::Plan;
use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, Signal};
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;

/// How much a plugin process is restricted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Containment {
    /// No new privileges, no core dumps, nothing written outside its private directory, `/dev`
    /// and what the configuration file lists.
    #[default]
    Compat,
    /// Only what keeps a process from outliving the server.
    Off,
}

impl Containment {
    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Off => "off",
        }
    }

    /// The profile of a configuration's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Compat, Self::Off]
            .into_iter()
            .find(|p| p.as_str() == word)
    }
}

/// The newest Landlock version whose rights the rules below know how to grant. A kernel that has
/// less is asked for less.
const LANDLOCK: ABI = ABI::V5;

/// Restricts this process and says what was really applied, in the words of the report line.
pub(super) fn apply(plan: &Plan) -> Result<String, String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| format!("ask for the parent's death signal: {e}"))?;
    // The server may have died before that call: then the signal never comes.
    let parent = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    if parent.and_then(|p| u32::try_from(p.get()).ok()) != Some(plan.parent) {
        return Err("the server has gone".to_owned());
    }
    close_on_exec().map_err(|e| format!("mark descriptors: {e}"))?;
    if plan.containment == Containment::Off {
        return Ok("landlock=off no_new_privs=off core=inherited".to_owned());
    }
    // One byte, not zero: zero stops core files, but not the helper that a kernel with a piped
    // core pattern starts; one byte is under the smallest core of either kind.
    let limit = Rlimit {
        current: Some(1),
        maximum: Some(1),
    };
    rustix::process::setrlimit(Resource::Core, limit)
        .map_err(|e| format!("forbid core dumps: {e}"))?;
    rustix::thread::set_no_new_privs(true)
        .map_err(|e| format!("give up gaining privileges: {e}"))?;
    let landlock = match write_only(plan) {
        Ok(RulesetStatus::FullyEnforced) => "full",
        Ok(RulesetStatus::PartiallyEnforced) => "partial",
        Ok(RulesetStatus::NotEnforced) | Err(_) => "none",
    };
    Ok(format!("landlock={landlock} no_new_privs=on core=off"))
}

/// Reading and executing stay free; writing is for a few places.
fn write_only(plan: &Plan) -> Result<RulesetStatus, RulesetError> {
    let places = [plan.private.as_path(), Path::new("/dev")]
        .into_iter()
        .chain(plan.writable.iter().map(|p| p.as_path()));
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(LANDLOCK))?
        .create()?
        .add_rules(path_beneath_rules(["/"], AccessFs::from_read(LANDLOCK)))?
        .add_rules(path_beneath_rules(places, AccessFs::from_all(LANDLOCK)))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// Closes everything but the standard streams when the plugin's code begins. The server's own
/// descriptors are marked already; this covers what it was itself started with.
fn close_on_exec() -> std::io::Result<()> {
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let Some(fd) = entry?.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        if fd > 2 {
            // The descriptor of this very listing is among them, and gone after the loop.
            let _ = rustix::io::fcntl_setfd(borrow(fd), rustix::io::FdFlags::CLOEXEC);
        }
    }
    Ok(())
}

/// An inherited descriptor, which this process never closes before it ends or becomes the plugin.
#[expect(
    unsafe_code,
    reason = "the number of an inherited descriptor is all there is"
)]
pub(super) fn borrow(fd: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the number is not -1, as all of them are parsed as unsigned or listed by the kernel.
    // The launcher has one thread and closes nothing, so the descriptor stays open; a number that
    // names none makes the system call fail with EBADF.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
