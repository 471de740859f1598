//! A mount goes: requests first, then its engine, then its data, and last its record, so that
//! whatever is interrupted can be done again (core-api §2.8).

use super::{being_mounted, with_slash};
use crate::Core;
use crate::mount::{Mount, full_path};
use linchpin_engine::{Context, Error};
use std::sync::Arc;
use std::time::Duration;

/// How long an engine's last periodic work may take.
const LAST_TURN: Duration = Duration::from_secs(10);

impl Core {
    /// Disables the mount at a full path; that there is none is not an error.
    ///
    /// # Cancel safety
    /// It runs in a task of its own and goes on when the caller does not wait.
    ///
    /// # Errors
    /// A mount that is always there, or storage that fails: the mount is then tainted, answers
    /// nothing, and can be disabled again.
    pub async fn disable(self: &Arc<Self>, _ctx: &Context, path: &str) -> Result<(), Error> {
        let path = with_slash(path);
        let fixed = ["sys/", "cubbyhole/", "identity/", "audit/"];
        let is_fixed = |mount: &Arc<Mount>| mount.is_singleton();
        let found = self.node.load().at(&path).cloned();
        if path == "auth/token/" {
            return Err(Error::refused(
                "token credential backend cannot be disabled",
            ));
        }
        if fixed.contains(&path.as_str()) || found.as_ref().is_some_and(is_fixed) {
            return Err(Error::refused(format!("cannot unmount {path:?}")));
        }
        let Some(mount) = found else {
            // A 204 here would be untrue in a moment.
            return match self.mounts.reserved.lock().contains(&path) {
                true => Err(being_mounted(&path)),
                false => Ok(()),
            };
        };
        let core = Arc::clone(self);
        let work = self
            .work
            .spawn(async move { core.remove(&path, &mount).await });
        work.await
            .unwrap_or_else(|_| Err(Error::internal("internal error")))
    }

    async fn remove(&self, path: &str, mount: &Arc<Mount>) -> Result<(), Error> {
        // A reload or a move that is under way stops at its next step.
        mount.leaving().cancel();
        let _one_at_a_time = mount.lifecycle.lock().await;
        let is_here = |at: &Arc<Mount>| Arc::ptr_eq(at, mount);
        if !self.node.load().at(path).is_some_and(is_here) {
            let now = full_path(&mount.record());
            if !self.node.load().at(&now).is_some_and(is_here) {
                return Ok(());
            }
            mount.stay(self.stopping.child_token());
            return Err(Error::refused(format!(
                "{path:?} was moved to {now:?} in this moment: disable it there"
            )));
        }
        let tainted = self.change_record(mount, Vec::new(), |record| {
            record.tainted = true;
            Ok(())
        });
        if let Err(error) = tainted.await {
            mount.stay(self.stopping.child_token());
            return Err(error);
        }
        mount.gate().remove();
        self.wait_for_requests(mount).await;

        let instance = mount.gate().instance();
        let ctx = Context::internal(self.stopping.child_token()).within(LAST_TURN);
        let last_turn = self.roll_back(&ctx, mount, &instance);
        if ctx.race(last_turn).await.is_err() {
            tracing::debug!(mount = %path, "the last periodic work did not end in time");
        }
        if !self.clean_up(&instance).await {
            tracing::warn!(mount = %path, "Cleanup did not end in time");
        }
        // Also those of instances that were replaced and are still being retired: what is written
        // from here on would stay without a mount.
        if let Some(storage) = mount.storage() {
            storage.close_all().await;
        }
        self.delete_data(path, mount).await?;
        let record = mount.record();
        tracing::info!(mount = %path, plugin = %record.mount_type, "unmounted");
        Ok(())
    }

    /// Those inside may finish; after one attempt of the gate they are cancelled.
    async fn wait_for_requests(&self, mount: &Mount) {
        let limit = self.settings.gate.attempt;
        let gate = mount.gate();
        if tokio::time::timeout(limit, gate.wait_idle()).await.is_ok() {
            return;
        }
        gate.instance().cancel_running();
        if tokio::time::timeout(limit, gate.wait_idle()).await.is_err() {
            tracing::warn!(mount = %mount.facts().point, "requests still run in a mount that is removed");
        }
    }

    /// The record goes with the last of the data.
    async fn delete_data(&self, path: &str, mount: &Arc<Mount>) -> Result<(), Error> {
        let last = match mount.storage() {
            Some(storage) => self.erase_but_last(&storage.full("")).await?,
            None => Vec::new(),
        };
        let turn = self.mounts.write().await;
        self.commit_table(&turn, path, None, last).await?;
        self.publish_mounts(&turn, |mounts| {
            mounts.retain(|other| !Arc::ptr_eq(other, mount))
        });
        Ok(())
    }
}
