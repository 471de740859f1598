//! Join a generation that is there, or start one? (design §4, "Joining")
//!
//! A *generation* is one running set of processes made from one exact entry as it was at that
//! moment. Generations are numbered in the order of their starts, over all entries; a number is
//! never used again. Equal entries may share a generation, and nothing else may.

use std::sync::Arc;

use linchpin_model::PluginEntry;

/// The sharing key: the whole entry as it was captured. Two keys are equal when every field is
/// (plugin-lifecycle §7.3), so an overwritten entry never joins processes of what it replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntryKey(Arc<PluginEntry>);

impl EntryKey {
    /// Captures an entry.
    #[must_use]
    pub fn new(entry: Arc<PluginEntry>) -> Self {
        Self(entry)
    }

    /// The entry as it was captured.
    #[must_use]
    pub fn entry(&self) -> &Arc<PluginEntry> {
        &self.0
    }
}

/// What is known about one generation of the entry in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation<'c> {
    /// Its number.
    pub number: u64,
    /// How it is.
    pub state: State,
    /// The id of the reload call that started it; `None` for one that a mount or an unseal started.
    pub call: Option<&'c str>,
}

/// How a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its start is under way. Whoever joins it waits for the outcome.
    Starting,
    /// It serves, or could.
    Healthy,
    /// It could not be started, or its breaker is open.
    Failed,
}

/// What to do for one mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Join the generation of this number.
    Join(u64),
    /// Start a generation.
    Start,
    /// Neither: this call has started the generation of this number, and it failed. Its failure is
    /// this mount's too; a second start would only repeat it, once per mount.
    Refuse(u64),
}

/// For a new mount: the newest healthy generation of an equal entry, else a new one.
#[must_use]
pub fn for_mount(generations: &[Generation<'_>]) -> Decision {
    newest_usable(generations).map_or(Decision::Start, Decision::Join)
}

/// For a mount that reload call `call` moves: the newest generation of its target entry if that is
/// newer than the mount's own (`own`, of whatever entry), else a new one. One call starts at most
/// one generation per entry.
///
/// `generations` must hold every generation of the target entry that this call started, also one
/// that has failed: the caller forgets them when the call ends, not before.
#[must_use]
pub fn for_reload(generations: &[Generation<'_>], own: Option<u64>, call: &str) -> Decision {
    let started = generations.iter().filter(|g| g.call == Some(call));
    let started = started.max_by_key(|g| g.number);
    if let Some(generation) = started.filter(|g| g.state == State::Failed) {
        return Decision::Refuse(generation.number);
    }
    newest_usable(generations)
        .filter(|number| own.is_none_or(|own| *number > own))
        .map_or(Decision::Start, Decision::Join)
}

fn newest_usable(generations: &[Generation<'_>]) -> Option<u64> {
    let usable = generations.iter().filter(|g| g.state != State::Failed);
    usable.map(|g| g.number).max()
}
