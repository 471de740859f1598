//! One mount moves to a new instance (design §4): prepare, gate, fence, staged Initialize, publish,
//! retire. Every step that fails leaves the old instance serving and storage as it was.

use super::{MountResult, Outcome};
use crate::Core;
use crate::gate::{Closed, NotDrained, StillRunning, drain};
use crate::instance::Instance;
use crate::mount::{Mount, full_path};
use crate::standup::full_changes;
use crate::view::MountStorage;
use linchpin_engine::{Context, Error, Joining, PluginSource};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long telling the old instance of changed keys may take.
const TELL: Duration = Duration::from_secs(5);

/// What is fixed for one switch of one mount.
struct Switch<'s> {
    ctx: Context,
    mount: &'s Arc<Mount>,
    storage: &'s Arc<MountStorage>,
    old: Arc<Instance>,
    source: PluginSource,
    /// The newest generation that a mount of this call runs in: the new one is newer.
    newest: Option<u64>,
    /// The place in the surge: given back when nothing of this switch is left beside what serves.
    place: Arc<OwnedSemaphorePermit>,
}

impl Core {
    /// Reloads one mount, and those that must move with it, or takes the result of a reload that
    /// began after `asked`. The first result is the mount's own.
    pub(super) async fn switch(
        self: &Arc<Self>,
        ctx: &Context,
        mount: &Arc<Mount>,
        asked: u64,
        force: bool,
        newest: Option<u64>,
    ) -> Vec<MountResult> {
        loop {
            let group = self.moves_with(mount);
            let mut turns = Vec::with_capacity(group.len());
            for member in &group {
                turns.push(member.lifecycle.lock().await);
            }
            if let Some(result) = mount.reloads.since(asked, force) {
                return vec![result];
            }
            let now = self.moves_with(mount);
            let is_same =
                now.len() == group.len() && now.iter().zip(&group).all(|(a, b)| Arc::ptr_eq(a, b));
            if !is_same {
                continue; // somebody mounted, moved or removed one meanwhile
            }
            let numbers: Vec<u64> = group.iter().map(|m| m.reloads.begin()).collect();
            let mut results = if self.stops_first(mount) {
                self.switch_together(ctx, &group, force).await
            } else {
                vec![self.switch_alone(ctx, mount, force, newest).await]
            };
            for ((member, number), result) in group.iter().zip(numbers).zip(&results) {
                log(ctx, result);
                let counters = member.counters();
                match result.outcome {
                    Outcome::Reloaded => counters.reloads.fetch_add(1, Ordering::Relaxed),
                    Outcome::Failed => counters.failed_reloads.fetch_add(1, Ordering::Relaxed),
                    Outcome::Skipped | Outcome::Unmounted => 0,
                };
                member.reloads.end(number, result);
            }
            let own = group.iter().position(|member| Arc::ptr_eq(member, mount));
            results.swap(0, own.unwrap_or_default());
            return results;
        }
    }

    async fn switch_alone(
        self: &Arc<Self>,
        ctx: &Context,
        mount: &Arc<Mount>,
        force: bool,
        newest: Option<u64>,
    ) -> MountResult {
        let started = Instant::now();
        let mut result = before(mount);
        if mount.is_singleton() {
            result.outcome = Outcome::Skipped;
        } else {
            match self.replace(ctx, mount, force, newest, &mut result).await {
                Ok(()) => result.outcome = Outcome::Reloaded,
                // Not a failure of the reload: there is nothing left to be moved.
                Err(_) if mount.is_leaving() && !self.stopping.is_cancelled() => {
                    result.outcome = Outcome::Unmounted;
                }
                Err(error) => result.error = Some(self.reason(mount, &error)),
            }
        }
        result.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        result
    }

    async fn replace(
        self: &Arc<Self>,
        ctx: &Context,
        mount: &Arc<Mount>,
        force: bool,
        newest: Option<u64>,
        result: &mut MountResult,
    ) -> Result<(), Error> {
        let Some(storage) = mount.storage() else {
            return Err(Error::refused("this mount has no plugin"));
        };
        // Not the caller's context: who asked may be gone, the fleet still moves. What stops it is
        // the removal of the mount and the end of the node.
        let ctx = Context {
            deadline: None,
            cancel: mount.leaving().child_token(),
            ..ctx.clone()
        };
        // Taken by who has the mount's turn, so that nobody holds a place while waiting for one.
        let surge = Arc::clone(&self.reloads.surge).acquire_owned();
        let place = ctx.race(surge).await.map_err(|_| abandoned())?;
        let place = Arc::new(place.map_err(|_| abandoned())?);
        let switch = Switch {
            mount,
            storage,
            old: mount.gate().instance(),
            source: self.source_of(&mount.record())?,
            newest,
            ctx,
            place,
        };
        switch.go_on()?;

        // 1. Prepare: the old instance serves, nothing waits.
        let writes = storage.writes();
        let new = self.prepare_for(&switch).await?;
        tracing::debug!(
            mount = %mount.facts().point, old = switch.old.number(), new = new.number(),
            "instance prepared"
        );

        // 2. Gate: client requests queue.
        let closed = match self.drain(&switch, force, result).await {
            Ok(closed) => closed,
            Err(error) => {
                self.give_up(&switch, new, None, result).await;
                return Err(error);
            }
        };

        // 3. Fence: the old instance's writes wait; a stale Setup is repeated.
        if let Some(view) = switch.old.view() {
            view.fence().await;
        }
        let new = match self.fresh(&switch, new, writes).await {
            Ok(new) => new,
            Err(error) => {
                lift(&switch.old, closed).await;
                return Err(error);
            }
        };

        // 4. Initialize into the overlay, and 5. publish: one batch, then visible.
        if let Err(error) = self.bring_up(&switch, &new, result).await {
            self.give_up(&switch, new, Some(closed), result).await;
            return Err(error);
        }
        if let Some(view) = new.view() {
            view.go_live().await;
        }
        if let Some(view) = switch.old.view() {
            view.replaced_by(new.backend()).await;
        }
        closed.open_on(Arc::clone(&new));
        result.to_version.clone_from(&new.running().version);
        result.to_sha256 = new.running().sha256;

        // 6. Retire: nobody waits for it but this call, and not for long.
        let retired = self.retire(mount, Arc::clone(&switch.old));
        result.retiring = !self.wait_a_little(retired).await;
        Ok(())
    }

    /// Back to the old instance, at once: what the new one needs for its end keeps nobody waiting
    /// but this call, and not for long.
    async fn give_up(
        self: &Arc<Self>,
        switch: &Switch<'_>,
        new: Arc<Instance>,
        closed: Option<Closed>,
        result: &mut MountResult,
    ) {
        let flushed = match new.view() {
            Some(view) => {
                view.close().await;
                view.flushed()
            }
            None => None,
        };
        if let Some(closed) = closed {
            lift(&switch.old, closed).await;
        }
        if let Some(keys) = flushed {
            // Some of its writes are in storage and stay there: the operator and the old instance
            // must know.
            result.irreversible = true;
            let old = switch.old.backend();
            let ctx = Context::internal(CancellationToken::new()).within(TELL);
            for key in &keys {
                if ctx.race(old.invalidate(&ctx, key)).await.is_err() {
                    break;
                }
            }
        }
        let discarded = self.discard_later(new, Arc::clone(&switch.place));
        self.wait_a_little(discarded).await;
    }

    /// Cleans up in a task of its own, which keeps its place in the surge until it has ended.
    fn discard_later(
        self: &Arc<Self>,
        new: Arc<Instance>,
        place: Arc<OwnedSemaphorePermit>,
    ) -> JoinHandle<()> {
        let core = Arc::clone(self);
        self.work.spawn(async move {
            core.discard(&new).await;
            drop(place);
        })
    }

    /// Whether the work has ended within `retire_wait`; it goes on in any case.
    async fn wait_a_little(&self, work: JoinHandle<()>) -> bool {
        tokio::time::timeout(self.settings.retire_wait, work)
            .await
            .is_ok()
    }

    async fn prepare_for(&self, switch: &Switch<'_>) -> Result<Arc<Instance>, Error> {
        let record = switch.mount.record();
        let joining = Joining::NewerThan {
            generation: switch.old.running().generation.max(switch.newest),
            call: Arc::clone(&switch.ctx.request_id),
        };
        let source = switch.source.clone();
        let facts = switch.mount.facts_cell();
        self.prepare(&switch.ctx, &record, facts, switch.storage, source, joining)
            .await
    }

    /// Closes the gate when nobody is inside, in attempts until `drain_timeout`.
    async fn drain(
        &self,
        switch: &Switch<'_>,
        force: bool,
        result: &mut MountResult,
    ) -> Result<Closed, Error> {
        let gate = switch.mount.gate();
        let limit = self.settings.drain_timeout;
        match drain(&switch.ctx, &[gate], limit, || switch.go_on()).await {
            // One gate was asked for.
            Ok(closed) => closed.into_iter().next().ok_or_else(abandoned),
            Err(NotDrained::GivenUp(error)) => Err(error),
            Err(NotDrained::Running(_)) if force => {
                let cancel = |still: StillRunning| {
                    result.cancelled = still.count;
                    switch.old.cancel_running();
                };
                gate.close_and_cancel(cancel)
                    .await
                    .map_err(|still| Error::refused(format!("{}, although cancelled", text(still))))
            }
            Err(NotDrained::Running(still)) => Err(Error::refused(text(still))),
        }
    }

    /// Why it failed: of what was cancelled on the way, the cause; and the way out when the running
    /// process seems to hold what the new one needs.
    fn reason(&self, mount: &Mount, error: &Error) -> String {
        if mount.is_leaving() {
            return abandoned().to_string();
        }
        let text = error.to_string();
        if mount.gate().instance().captured().is_some() && is_held(&text) {
            let hint = "what runs now may hold what the new process needs: if the two cannot run \
                        beside each other, register the new version with overlap=false; the old \
                        process is then stopped first";
            return format!("{text} ({hint})");
        }
        text
    }

    /// Behind the closed gate and the fence: the prepared instance, or a fresh one if storage has
    /// changed since its Setup. On failure nothing of either is left.
    async fn fresh(
        self: &Arc<Self>,
        switch: &Switch<'_>,
        new: Arc<Instance>,
        writes: u64,
    ) -> Result<Arc<Instance>, Error> {
        if switch.storage.writes() == writes || crate::fault::is_set("setup-once") {
            return Ok(new);
        }
        tracing::debug!(mount = %switch.mount.facts().point, "storage has changed since Setup: set up again");
        // The second before the first goes, so that their process stays.
        let fresh = self.prepare_for(switch).await;
        self.discard_later(new, Arc::clone(&switch.place));
        fresh
    }

    /// Initialize into the overlay; then overlay and mount record, together or not at all.
    async fn bring_up(
        &self,
        switch: &Switch<'_>,
        new: &Instance,
        result: &mut MountResult,
    ) -> Result<(), Error> {
        switch.go_on()?;
        let overlay = self.initialise(&switch.ctx, new).await?;
        result.irreversible = overlay.irreversible;
        switch.go_on()?;
        let changes = full_changes(switch.storage, overlay);
        let running = new.running().clone();
        self.change_record(switch.mount, changes, |record| {
            crate::mounts::set_running(record, &running);
            Ok(())
        })
        .await
    }
}

impl Switch<'_> {
    /// Whether the mount still wants to be moved: asked at every step.
    fn go_on(&self) -> Result<(), Error> {
        if self.ctx.cancel.is_cancelled() {
            Err(abandoned())
        } else {
            Ok(())
        }
    }
}

/// Back to the old instance: its parked writes proceed, then the gate opens.
async fn lift(old: &Instance, closed: Closed) {
    if let Some(view) = old.view() {
        view.unfence().await;
    }
    drop(closed);
}

pub(super) fn before(mount: &Mount) -> MountResult {
    let running = mount.gate().instance().running().clone();
    MountResult {
        mount: full_path(&mount.record()),
        from_version: running.version.clone(),
        to_version: running.version,
        from_sha256: running.sha256,
        to_sha256: running.sha256,
        ..MountResult::default()
    }
}

pub(super) fn text(still: StillRunning) -> String {
    let requests = if still.count == 1 {
        "1 request".to_owned()
    } else {
        format!("{} requests", still.count)
    };
    format!(
        "{requests} still running, the oldest for {} s",
        still.oldest.as_secs()
    )
}

pub(super) fn abandoned() -> Error {
    Error::refused("the reload was given up: the mount is being removed or the server stops")
}

/// Whether the words of a plugin or its system say that something is held by another process.
fn is_held(text: &str) -> bool {
    const SIGNS: [&str; 7] = [
        "in use",
        "is taken",
        "eaddrinuse",
        "locked",
        "already running",
        "resource temporarily unavailable",
        "resource busy",
    ];
    let text = text.to_lowercase();
    SIGNS.iter().any(|sign| text.contains(sign))
}

fn log(ctx: &Context, result: &MountResult) {
    let (from, to) = (&result.from_version, &result.to_version);
    let digest = |sha: Option<linchpin_model::Sha256>| sha.map_or(String::new(), |s| s.to_string());
    let (from_sha256, to_sha256) = (digest(result.from_sha256), digest(result.to_sha256));
    match (&result.outcome, &result.error) {
        (Outcome::Reloaded, _) => tracing::info!(
            reload_id = %ctx.request_id, mount = %result.mount, %from, %to, %from_sha256, %to_sha256,
            milliseconds = result.milliseconds, cancelled = result.cancelled, "mount reloaded"
        ),
        (Outcome::Failed, error) => tracing::warn!(
            reload_id = %ctx.request_id, mount = %result.mount, running = %from, running_sha256 = %from_sha256,
            error = error.as_deref().unwrap_or_default(),
            "reload failed: the mount runs what it ran before"
        ),
        (Outcome::Skipped | Outcome::Unmounted, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_how_many_and_how_long() {
        let still = |count, seconds| StillRunning {
            count,
            oldest: Duration::from_secs(seconds),
        };
        assert_eq!(
            text(still(3, 41)),
            "3 requests still running, the oldest for 41 s"
        );
        assert_eq!(
            text(still(1, 60)),
            "1 request still running, the oldest for 60 s"
        );
    }
}
