//! Reload: replace, fence, switch (design §4, plugin-lifecycle §5).
//!
//! One call selects mounts and moves each by itself: prepare, gate, fence, staged Initialize,
//! publish, retire (`reload/switch.rs`). Mounts go in waves, every one is attempted, and the
//! report has a result for each: what it ran, what it runs, and why not.

mod after;
mod record;
mod retire;
mod select;
mod switch;
mod together;

pub use record::ReloadRecord;

use crate::Core;
use crate::mount::Mount;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use linchpin_catalog::Rollout;
use linchpin_engine::Context;
use linchpin_model::{PluginType, Sha256};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How many paths one call may name.
const MOST_PATHS: usize = 10_000;

/// What to reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Every mount of this type name, of these types.
    Plugin {
        /// The registered name, or a built-in's.
        name: String,
        /// One type, or every type.
        plugin_type: Option<PluginType>,
    },
    /// The mounts at, or above, these paths; elements with commas are several.
    Mounts(Vec<String>),
}

impl Selector {
    /// How many paths it names.
    fn paths(&self) -> usize {
        match self {
            Self::Plugin { .. } => 0,
            Self::Mounts(elements) => elements.iter().map(|e| e.matches(',').count() + 1).sum(),
        }
    }
}

/// One reload call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// Which mounts.
    pub selector: Selector,
    /// Cancel requests that still run at the drain limit.
    pub force: bool,
    /// On every node; a single node records the result.
    pub global: bool,
}

/// What became of a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It runs a new instance.
    Reloaded,
    /// It runs what it ran before.
    #[default]
    Failed,
    /// It is one of the mounts that cannot be reloaded.
    Skipped,
    /// It was unmounted meanwhile.
    Unmounted,
}

impl Outcome {
    /// The word of `data.results[].status`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reloaded => "reloaded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Unmounted => "unmounted",
        }
    }
}

/// The outcome for one mount: before, after, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountResult {
    /// The mount's path.
    pub mount: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The version before.
    pub from_version: String,
    /// The version after; the same when it failed.
    pub to_version: String,
    /// The digest before.
    pub from_sha256: Option<Sha256>,
    /// The digest after.
    pub to_sha256: Option<Sha256>,
    /// Why it failed; `None` = it did not.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Requests that `force` cancelled.
    pub cancelled: usize,
    /// The old instance was still being cleaned up when the call answered.
    pub retiring: bool,
    /// Initialize wrote more than an overlay holds: not all of it can be taken back.
    pub irreversible: bool,
}

/// What a reload call came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The request's id.
    pub reload_id: String,
    /// One result per mount that was found, in the order of their paths, and one per path that
    /// names no mount.
    pub results: Vec<MountResult>,
    /// What went wrong, one text per mount, as the caller reads it; empty = nothing.
    pub errors: Vec<String>,
    /// Notes.
    pub warnings: Vec<String>,
}

impl Report {
    /// How many mounts were reloaded. Those that cannot be count as well (plugin-lifecycle §5.3).
    #[must_use]
    pub fn count(&self) -> usize {
        let counted = |r: &&MountResult| matches!(r.outcome, Outcome::Reloaded | Outcome::Skipped);
        self.results.iter().filter(counted).count()
    }
}

/// What all reloads of the node share.
pub(crate) struct Reloads {
    /// Mounts that are prepared or being prepared and not yet switched, over all calls.
    surge: Arc<Semaphore>,
    /// Which records are stored, the newest last.
    recorded: tokio::sync::Mutex<VecDeque<record::Recorded>>,
}

impl Reloads {
    /// At most `max_surge` mounts at a time.
    pub(crate) fn new(max_surge: usize) -> Self {
        Self {
            surge: Arc::new(Semaphore::new(max_surge.max(1))),
            recorded: tokio::sync::Mutex::default(),
        }
    }
}

impl Core {
    /// Reloads what the call selects and says what became of each mount.
    ///
    /// # Cancel safety
    /// A mount that is being switched is switched to the end or not at all, in a task of its own.
    pub async fn reload(self: &Arc<Self>, ctx: &Context, call: Reload) -> Report {
        let mut report = Report {
            reload_id: ctx.request_id.to_string(),
            ..Report::default()
        };
        if call.selector.paths() > MOST_PATHS {
            let text = format!("at most {MOST_PATHS} mounts can be named in one call");
            report.errors.push(text);
            return report;
        }
        let found = self.select(&call.selector);
        let is_empty = found.mounts.is_empty();
        for path in found.missing {
            let text = format!("cannot fetch mount entry on {path:?}");
            report.results.push(MountResult {
                mount: path,
                error: Some(text.clone()),
                ..MountResult::default()
            });
            report.errors.push(text);
        }
        if is_empty && matches!(call.selector, Selector::Plugin { .. }) {
            report.warnings.push(no_plugins(call.global).to_owned());
        }
        for result in self.roll_out(ctx, found.mounts, call.force).await {
            if let Some(reason) = &result.error {
                report.errors.push(format!(
                    "cannot reload plugin on {:?}: {reason}",
                    result.mount
                ));
            }
            let note = match result.outcome {
                Outcome::Skipped => "is always there and was not reloaded: it has no plugin",
                Outcome::Unmounted => "was unmounted before it could be reloaded",
                Outcome::Reloaded | Outcome::Failed => "",
            };
            if !note.is_empty() {
                report.warnings.push(format!("{} {note}", result.mount));
            }
            report.results.push(result);
        }
        self.record_reload(&report).await;
        report
    }

    /// Moves the mounts in waves; every one has its result.
    async fn roll_out(
        self: &Arc<Self>,
        ctx: &Context,
        mounts: Vec<Arc<Mount>>,
        force: bool,
    ) -> Vec<MountResult> {
        // Asked now, for all: whatever begins from here on does what this call wants. One that moves
        // with another, in an earlier wave, is not moved again.
        let asked = mounts.iter().map(|mount| mount.reloads.begun());
        let asked: Vec<u64> = asked.collect();
        // Those that lag behind do not stop at a generation that others of this call leave.
        let generations = mounts.iter();
        let newest = generations
            .filter_map(|mount| mount.gate().instance().running().generation)
            .max();
        let mounts: Vec<_> = mounts.into_iter().zip(asked).collect();
        let mut rollout = Rollout::new(mounts, self.settings.max_surge);
        let mut moving = FuturesUnordered::new();
        let mut siblings = Vec::new();
        loop {
            while let Some((ticket, (mount, asked))) = rollout.start() {
                let (core, mount, ctx) = (Arc::clone(self), Arc::clone(mount), ctx.clone());
                let asked = *asked;
                let work = self
                    .work
                    .spawn(async move { core.switch(&ctx, &mount, asked, force, newest).await });
                moving.push(async move { (ticket, work.await) });
            }
            let Some((ticket, result)) = moving.next().await else {
                break;
            };
            let mut own = result.map(Vec::into_iter);
            let first = own.as_mut().ok().and_then(Iterator::next);
            siblings.extend(own.into_iter().flatten());
            rollout.finish(ticket, first);
        }
        let results = rollout.into_results();
        let mut results: Vec<MountResult> = results
            .map(|((mount, _), result)| {
                result.unwrap_or_else(|| MountResult {
                    mount: crate::mount::full_path(&mount.record()),
                    error: Some("internal error".to_owned()),
                    ..MountResult::default()
                })
            })
            .collect();
        // Those that were not selected and had to move with one that was.
        siblings.retain(|sibling| results.iter().all(|known| known.mount != sibling.mount));
        siblings.sort_by(|a, b| a.mount.cmp(&b.mount));
        siblings.dedup_by(|a, b| a.mount == b.mount);
        results.extend(siblings);
        results
    }
}

fn no_plugins(global: bool) -> &'static str {
    if global {
        "no plugins were reloaded locally (but they may be reloaded on other nodes)"
    } else {
        "no plugins were reloaded"
    }
}

#[cfg(test)]
mod adversity;
#[cfg(test)]
mod overlap_tests;
#[cfg(test)]
mod tests;
