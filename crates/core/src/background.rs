//! What runs without being asked: every engine gets its turn for periodic work (plugin-protocol
//! §5.4). Such calls never queue at a gate: where a mount is being switched they come back.

use crate::Core;
use crate::instance::Instance;
use crate::mount::Mount;
use linchpin_engine::Context;
use linchpin_model::{ErrorKind, Operation, Request};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The deadline of one rollback.
const LIMIT: Duration = Duration::from_secs(90);
/// After how long a mount is asked again that was being switched.
const COME_BACK: Duration = Duration::from_secs(1);
/// How many mounts are asked at a time.
const AT_A_TIME: usize = 8;

/// Asks all mounts, every `rollback_interval`, until the node stops.
pub(crate) async fn run(core: Weak<Core>, interval: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        let Some(core) = core.upgrade() else { return };
        let mounts = core.node.load_full().mounts();
        let turns = mounts.into_iter().map(|mount| core.turn(mount, &stop));
        let turns = futures_util::stream::iter(turns);
        futures_util::StreamExt::for_each_concurrent(turns, AT_A_TIME, |turn| turn).await;
    }
}

impl Core {
    /// One mount's turn: waits, without queueing, until its gate is open.
    pub(crate) async fn turn(&self, mount: Arc<Mount>, stop: &CancellationToken) {
        let leaving = mount.leaving();
        loop {
            match mount.gate().try_enter() {
                Ok(ticket) => {
                    let ctx = Context::internal(stop.child_token()).within(LIMIT);
                    let work = self.roll_back(&ctx, &mount, ticket.instance());
                    return ticket.run(&ctx, work).await;
                }
                Err(crate::gate::Refused::Busy) => {}
                Err(_) => return,
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = leaving.cancelled() => return,
                () = tokio::time::sleep(COME_BACK) => {}
            }
        }
    }

    /// Lets an instance do its periodic work. That it has none is not an error.
    pub(crate) async fn roll_back(&self, ctx: &Context, mount: &Mount, instance: &Instance) {
        let facts = mount.facts();
        let request = Request {
            operation: Some(Operation::Rollback),
            client_token: facts.hash_token(""),
            mount_point: Arc::clone(&facts.point),
            mount_type: Arc::clone(&facts.mount_type),
            mount_accessor: Arc::clone(&facts.accessor),
            ..Request::default()
        };
        let answer = instance.backend().handle(ctx, request).await;
        if let Err(error) = answer {
            let is_nothing = matches!(
                error.kind(),
                ErrorKind::UnsupportedOperation | ErrorKind::NotFound | ErrorKind::Unavailable
            );
            if !is_nothing
                && !ctx.cancel.is_cancelled()
                && !error.to_string().contains("readonly storage")
            {
                tracing::warn!(mount = %facts.point, %error, "periodic work of the engine failed");
            }
        }
    }
}
