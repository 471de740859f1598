//! One call to an instance: waiting for it, sending, and what is said when it breaks
//! (plugin-protocol §5.8).

use super::core::{Bond, Bound, Core};
use crate::deadline::is_over;
use linchpin_engine::{BoxFuture, Cancelled, Context, Error};
use linchpin_goplugin::host::{Error as WireError, Instance as Wire};
use linchpin_model::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a caller waits before it repeats a request that a start or a full mount refused.
const SOON: Duration = Duration::from_secs(1);

impl Core {
    /// Sends a call. It is sent again, once, when it surely was not delivered, or when `harmless`
    /// says that a second delivery does no harm.
    pub(super) async fn call<'a, T>(
        &'a self,
        ctx: &'a Context,
        harmless: bool,
        send: impl Fn(Arc<Wire>) -> BoxFuture<'a, Result<T, WireError>> + Send + 'a,
    ) -> Result<T, Error>
    where
        T: Send + 'a,
    {
        let Ok(_place) = self.calls.try_acquire() else {
            return Err(Error::unavailable(
                format!(
                    "plugin {:?} has {} requests in flight on this mount, which is the limit",
                    self.entry.name, self.host.settings.calls_in_flight
                ),
                SOON,
            ));
        };
        let mut sent_before = false;
        loop {
            let bound = self.bound(ctx).await?;
            let outcome = ctx.race(send(Arc::clone(&bound.wire))).await;
            // Whatever cuts a request off while the server ends is that end: elsewhere, or later, the
            // same request succeeds. An answer of the plugin's own is still one.
            let is_answer = matches!(&outcome, Ok(Ok(_) | Err(WireError::Plugin(_))));
            if !is_answer && self.host.stopping.is_cancelled() {
                return Err(crate::Error::Stopping.into_refusal());
            }
            let over = is_over(ctx);
            let error = match outcome {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) if error.is_connection_loss() => error,
                // The plugin counts the same time, and may be a moment faster to say so: who called
                // sees the end of the time as it is always told.
                Ok(Err(error)) if !(over && error.is_deadline_exceeded()) => {
                    return Err(error.into());
                }
                Ok(Err(_)) | Err(Cancelled) => {
                    if over {
                        bound.process.note_overdue();
                    }
                    return Err(Cancelled.into());
                }
            };
            // A stream that was refused on a connection that goes on is no sign of an end.
            let lost = bound.wire.connection().is_lost() || !bound.process.is_alive();
            let exit = if lost || !error.is_not_delivered() {
                bound.process.exit_soon().await
            } else {
                None
            };
            if lost && exit.is_none() {
                // A connection is never made again: without it the process is of no use.
                bound.process.kill();
            }
            if !sent_before && (harmless || error.is_not_delivered()) {
                sent_before = true;
                if lost || exit.is_some() {
                    self.unbound(&bound).await;
                }
                continue;
            }
            let how = exit.map_or_else(
                || linchpin_model::chain(&error),
                |exit| format!("plugin process ended: {exit}"),
            );
            return Err(Error::new(
                ErrorKind::Internal,
                linchpin_engine::Shape::Wrapped,
                vec![format!("plugin {:?} is shut down: {how}", self.entry.name)],
            )
            .with_source(error));
        }
    }

    /// What the instance is bound to, waiting for a start that is under way. The process was alive
    /// when this returned.
    pub(super) async fn bound(&self, ctx: &Context) -> Result<Bound, Error> {
        let mut bond = self.bond.subscribe();
        let end = Instant::now() + self.host.settings.start_wait;
        loop {
            let now = bond.borrow_and_update().clone();
            match now {
                Bond::Bound(bound) if bound.process.is_alive() => return Ok(bound),
                // It has ended, and its supervisor is about to say so.
                Bond::Bound(_) | Bond::Starting => {}
                Bond::Degraded { cause, until } => {
                    let wait = until.saturating_duration_since(Instant::now());
                    return Err(Error::unavailable(
                        format!(
                            "plugin {:?} (file {:?}) is not available: {cause}",
                            self.entry.name, self.entry.command
                        ),
                        wait.max(SOON),
                    ));
                }
                Bond::Ended => {
                    return Err(Error::unavailable("plugin is shut down", SOON));
                }
            }
            let changed = ctx
                .race(tokio::time::timeout_at(end, bond.changed()))
                .await?;
            if changed.is_err() {
                return Err(Error::unavailable(
                    format!("plugin {:?} is still starting", self.entry.name),
                    SOON,
                ));
            }
        }
    }

    /// Waits until it is no longer bound to what a call has just lost.
    async fn unbound(&self, lost: &Bound) {
        let mut bond = self.bond.subscribe();
        let other = bond.wait_for(
            |now| !matches!(now, Bond::Bound(bound) if Arc::ptr_eq(&bound.wire, &lost.wire)),
        );
        let _ = tokio::time::timeout(self.host.settings.start_wait, other).await;
    }
}
