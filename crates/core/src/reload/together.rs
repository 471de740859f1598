//! A generation that cannot run beside its successor (`overlap=false`: it holds a port, a lock, a
//! session) is switched as a whole: gate, drain, Cleanup, stop, start (plugin-lifecycle §5.4).
//!
//! Its mounts share what they cannot share with another generation, so they move together or not at
//! all. What can be checked is checked before anything is stopped. When the successor does not come
//! up, the old generation is started again from the bytes that it ran; only when that fails too are
//! the mounts degraded.

use super::switch::{abandoned, before, text};
use super::{MountResult, Outcome};
use crate::Core;
use crate::gate::{Closed, NotDrained, StillRunning, drain, split};
use crate::instance::Instance;
use crate::mount::Mount;
use crate::mounts::set_running;
use crate::standup::full_changes;
use crate::view::{MountStorage, Overlay};
use futures_util::future::join_all;
use linchpin_engine::{Context, Error, Joining, PluginSource};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What the end of a process may take beyond the deadline of its Cleanups.
const STOPPING: Duration = Duration::from_secs(10);

/// One mount of the generation.
struct Member<'m> {
    mount: &'m Arc<Mount>,
    storage: &'m Arc<MountStorage>,
    old: Arc<Instance>,
    source: PluginSource,
}

/// A member's next instance, set up and initialised; what it wrote is not committed yet.
struct Ready {
    instance: Arc<Instance>,
    overlay: Overlay,
}

impl Core {
    /// The mounts that must move with this one, itself among them: all of its generation, when that
    /// or its successor cannot run beside another; else this one alone. In an order that is the same
    /// for every caller, so that none waits for another's lock in a circle.
    pub(super) fn moves_with(&self, mount: &Arc<Mount>) -> Vec<Arc<Mount>> {
        let generation = mount.gate().instance().running().generation;
        if generation.is_none() || !self.stops_first(mount) {
            return vec![Arc::clone(mount)];
        }
        let mut all = self.node.load().mounts();
        all.retain(|other| other.gate().instance().running().generation == generation);
        all.sort_by_key(|mount| Arc::as_ptr(mount) as usize);
        all
    }

    /// Whether the generation of a mount has to be stopped before its successor is started.
    pub(super) fn stops_first(&self, mount: &Arc<Mount>) -> bool {
        let old = mount.gate().instance();
        if old.captured().is_none() {
            return false;
        }
        let target = self.source_of(&mount.record());
        let successor_overlaps =
            !matches!(target, Ok(PluginSource::External(entry)) if !entry.overlap);
        !(old.overlaps() && successor_overlaps)
    }

    /// Switches `mounts`, whose turns the caller has. The results are in their order.
    pub(super) async fn switch_together(
        self: &Arc<Self>,
        ctx: &Context,
        mounts: &[Arc<Mount>],
        force: bool,
    ) -> Vec<MountResult> {
        let started = Instant::now();
        let mut results: Vec<MountResult> = mounts.iter().map(|m| before(m)).collect();
        let outcome = self
            .replace_together(ctx, mounts, force, &mut results)
            .await;
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        for result in &mut results {
            result.milliseconds = milliseconds;
            match &outcome {
                Ok(()) if result.error.is_none() => result.outcome = Outcome::Reloaded,
                Ok(()) => {}
                Err(error) => result.error = Some(error.to_string()),
            }
        }
        results
    }

    async fn replace_together(
        self: &Arc<Self>,
        ctx: &Context,
        mounts: &[Arc<Mount>],
        force: bool,
        results: &mut [MountResult],
    ) -> Result<(), Error> {
        // Not the caller's context, nor one mount's: once the old process is stopped, only the end
        // of the node stops this.
        let ctx = Context {
            deadline: None,
            cancel: self.stopping.child_token(),
            ..ctx.clone()
        };
        let surge = Arc::clone(&self.reloads.surge).acquire_owned();
        let place = ctx.race(surge).await.map_err(|_| abandoned())?;
        let _place = place.map_err(|_| abandoned())?;
        let members = self.members(mounts)?;
        self.check_files(&members).await?;
        let closed = self.drain_all(&ctx, &members, force, results).await?;
        tracing::info!(
            reload_id = %ctx.request_id, mounts = members.len(),
            version = %results.first().map_or("", |r| r.from_version.as_str()),
            "plugin that cannot run beside its successor is stopped first"
        );
        join_all(members.iter().map(|member| self.stop_old(member))).await;

        let call = Arc::clone(&ctx.request_id);
        let sources = members.iter().map(|m| Ok(m.source.clone())).collect();
        let error = match self.bring_up_all(&ctx, &members, sources, call).await {
            Ok(ready) => {
                self.publish_all(&members, ready, closed, results).await;
                return Ok(());
            }
            Err(error) => error,
        };
        tracing::warn!(
            reload_id = %ctx.request_id, %error,
            "the successor does not come up: the old generation is started again"
        );
        // Another call, as the registry of generations sees it: its entry may be the one that just
        // failed, and this start is not that one.
        let call: Arc<str> = format!("{}/back", ctx.request_id).into();
        let captured = |m: &Member<'_>| m.old.captured().cloned().map(PluginSource::Captured);
        let sources = members.iter().map(|m| captured(m).ok_or_else(abandoned));
        let sources = sources.collect();
        match self.bring_up_all(&ctx, &members, sources, call).await {
            Ok(ready) => {
                let mut back: Vec<MountResult> = results.to_vec();
                self.publish_all(&members, ready, closed, &mut back).await;
                Err(error)
            }
            Err(second) => {
                let cause =
                    format!("{error}; and what ran before does not start again either: {second}");
                for (member, closed) in members.iter().zip(closed) {
                    self.degrade(member, closed, &cause);
                }
                Err(Error::refused(format!(
                    "{cause}. The mount answers 503 and is tried again in the background"
                )))
            }
        }
    }

    /// What each member runs next. One that cannot be moved keeps all where they are.
    fn members<'m>(&self, mounts: &'m [Arc<Mount>]) -> Result<Vec<Member<'m>>, Error> {
        let member = |mount: &'m Arc<Mount>| {
            let storage = mount.storage();
            let storage = storage.ok_or_else(|| Error::refused("this mount has no plugin"))?;
            if mount.is_leaving() {
                return Err(abandoned());
            }
            let source = self.source_of(&mount.record()).map_err(|error| {
                let point = &mount.facts().point;
                Error::refused(format!("{error} (needed by {point:?})"))
            })?;
            Ok(Member {
                mount,
                storage,
                old: mount.gate().instance(),
                source,
            })
        };
        mounts.iter().map(member).collect()
    }

    /// The files that are about to be started, while what runs still runs: a missing file or a wrong
    /// digest is found before anything is stopped.
    async fn check_files(&self, members: &[Member<'_>]) -> Result<(), Error> {
        let mut known = Vec::new();
        for member in members {
            let PluginSource::External(entry) = &member.source else {
                continue;
            };
            if known.contains(entry) {
                continue;
            }
            let facts = self.fleet.inspect(&entry.command).await?;
            match facts.sha256 {
                Some(now) if now == entry.sha256 => known.push(Arc::clone(entry)),
                Some(now) => {
                    return Err(Error::refused(format!(
                        "checksums did not match: the file of {:?} has {now}, its entry says {}",
                        entry.command, entry.sha256
                    )));
                }
                None => {
                    let text = format!("the file of {:?} cannot be read", entry.command);
                    return Err(Error::refused(text));
                }
            }
        }
        Ok(())
    }

    /// Closes every gate when nobody is inside any of them, in attempts until `drain_timeout`.
    async fn drain_all(
        &self,
        ctx: &Context,
        members: &[Member<'_>],
        force: bool,
        results: &mut [MountResult],
    ) -> Result<Vec<Closed>, Error> {
        let gates: Vec<_> = members.iter().map(|m| m.mount.gate()).collect();
        let go_on = || {
            let leaving = members.iter().any(|m| m.mount.is_leaving());
            if leaving || ctx.cancel.is_cancelled() {
                Err(abandoned())
            } else {
                Ok(())
            }
        };
        match drain(ctx, &gates, self.settings.drain_timeout, go_on).await {
            Ok(closed) => Ok(closed),
            Err(NotDrained::GivenUp(error)) => Err(error),
            Err(NotDrained::Running(_)) if force => self.cancel_all(members, results).await,
            Err(NotDrained::Running(still)) => Err(Error::refused(text(still))),
        }
    }

    async fn cancel_all(
        &self,
        members: &[Member<'_>],
        results: &mut [MountResult],
    ) -> Result<Vec<Closed>, Error> {
        let attempts = members.iter().zip(results).map(|(member, result)| {
            let cancel = |still: StillRunning| {
                result.cancelled = still.count;
                member.old.cancel_running();
            };
            member.mount.gate().close_and_cancel(cancel)
        });
        let (closed, still) = split(join_all(attempts).await);
        if closed.len() == members.len() {
            Ok(closed)
        } else {
            let text = format!("{}, although cancelled", text(still));
            Err(Error::refused(text))
        }
    }

    /// Cleanup, and with the last member the end of the process. What the old instance writes until
    /// then is kept; what it writes later is refused.
    async fn stop_old(&self, member: &Member<'_>) {
        let ctx = Context::internal(tokio_util::sync::CancellationToken::new())
            .within(self.settings.cleanup_timeout + STOPPING);
        let cleanup = member.old.backend().cleanup(&ctx);
        if ctx.race(cleanup).await.is_err() {
            tracing::warn!(
                mount = %member.mount.facts().point,
                "the old instance does not end: its successor is started beside it"
            );
        }
        if let Some(view) = member.old.view() {
            view.close().await;
        }
    }

    /// An instance for every member, or for none: nothing of what was started is left then.
    async fn bring_up_all(
        self: &Arc<Self>,
        ctx: &Context,
        members: &[Member<'_>],
        sources: Result<Vec<PluginSource>, Error>,
        call: Arc<str>,
    ) -> Result<Vec<Ready>, Error> {
        let mut ready: Vec<Ready> = Vec::new();
        let mut failed = None;
        for (member, source) in members.iter().zip(sources?) {
            let joining = Joining::NewerThan {
                generation: member.old.running().generation,
                call: Arc::clone(&call),
            };
            let record = member.mount.record();
            let facts = member.mount.facts_cell();
            let prepared = self
                .prepare(ctx, &record, facts, member.storage, source, joining)
                .await;
            let instance = match prepared {
                Ok(instance) => instance,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            match self.initialise(ctx, &instance).await {
                Ok(overlay) => ready.push(Ready { instance, overlay }),
                Err(error) => {
                    self.discard(&instance).await;
                    failed = Some(error);
                    break;
                }
            }
        }
        let Some(error) = failed else {
            return Ok(ready);
        };
        join_all(ready.iter().map(|ready| self.discard(&ready.instance))).await;
        Err(error)
    }

    /// Each member's overlay and record are one batch; then its gate opens on the new instance. One
    /// whose batch cannot be stored has nothing to go back to and is degraded.
    async fn publish_all(
        self: &Arc<Self>,
        members: &[Member<'_>],
        ready: Vec<Ready>,
        closed: Vec<Closed>,
        results: &mut [MountResult],
    ) {
        let each = members.iter().zip(ready).zip(closed).zip(results);
        for (((member, ready), closed), result) in each {
            result.irreversible = ready.overlay.irreversible;
            let running = ready.instance.running().clone();
            let changes = full_changes(member.storage, ready.overlay);
            let stored = self.change_record(member.mount, changes, |record| {
                set_running(record, &running);
                Ok(())
            });
            if let Err(error) = stored.await {
                self.discard(&ready.instance).await;
                let cause = error.to_string();
                self.degrade(member, closed, &cause);
                result.error = Some(cause);
                continue;
            }
            if let Some(view) = ready.instance.view() {
                view.go_live().await;
            }
            closed.open_on(Arc::clone(&ready.instance));
            result.to_version = running.version;
            result.to_sha256 = running.sha256;
        }
    }

    fn degrade(self: &Arc<Self>, member: &Member<'_>, closed: Closed, cause: &str) {
        tracing::error!(mount = %member.mount.facts().point, %cause, "mount is degraded");
        let degraded = Self::degraded(&member.old, cause);
        closed.open_on(Arc::clone(&degraded));
        self.heal(member.mount, &degraded, member.old.captured().cloned());
    }
}
