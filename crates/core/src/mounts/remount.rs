//! Moving a mount to another path (core-api §2.8): its data, uuid and accessor stay.

use super::{being_mounted, with_slash};
use crate::Core;
use crate::gate::{NotDrained, drain};
use crate::mount::{Mount, full_path};
use linchpin_engine::{Context, Error};
use linchpin_formats::MountEntry;
use std::sync::Arc;

/// How many moves are remembered.
const REMEMBERED: usize = 1_000;

/// How a move is going.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemountStatus {
    /// Names the move.
    pub migration_id: String,
    /// Where the mount was.
    pub source_mount: String,
    /// Where it goes.
    pub target_mount: String,
    /// `in-progress`, `success` or `failure`.
    pub status: &'static str,
}

impl Core {
    /// Begins to move a mount; the move's id.
    ///
    /// # Errors
    /// The texts of core-api §2.8.
    pub async fn remount(
        self: &Arc<Self>,
        _ctx: &Context,
        from: &str,
        to: &str,
    ) -> Result<String, Error> {
        if from.is_empty() || to.is_empty() {
            return Err(Error::refused(
                "both 'from' and 'to' path must be specified as a string",
            ));
        }
        let (from, to) = (with_slash(from), with_slash(to));
        let refuse = |text: String| Err(Error::refused(text));
        if is_protected(&from) {
            return refuse(format!("cannot remount {from:?}"));
        }
        if is_protected(&to) {
            return refuse(format!("cannot remount to destination {to}"));
        }
        match (from.starts_with("auth/"), to.starts_with("auth/")) {
            (true, false) => {
                return refuse(format!(
                    "cannot remount auth mount to non-auth mount {to:?}"
                ));
            }
            (false, true) => {
                return refuse(format!(
                    "cannot remount non-auth mount to auth mount {to:?}"
                ));
            }
            _ => {}
        }
        if !is_addressable(&to) {
            return refuse(format!(
                "cannot remount to destination {to:?}: no request could name it"
            ));
        }
        let Some(mount) = self.node.load().at(&from).cloned() else {
            if self.mounts.reserved.lock().contains(&from) {
                return Err(being_mounted(&from));
            }
            return refuse(format!("no matching mount at {from:?}"));
        };
        let mut target = MountEntry::clone(&mount.record());
        target.path = to.strip_prefix("auth/").unwrap_or(&to).to_owned();
        // Taken now, so that a second move to it is refused; the task takes it again for itself.
        if let Err(in_the_way) = self.reserve(&target).map(drop) {
            return refuse(format!("path already in use at {in_the_way:?}"));
        }
        let id = linchpin_crypto::random::uuid();
        self.note(RemountStatus {
            migration_id: id.clone(),
            source_mount: from.clone(),
            target_mount: to,
            status: "in-progress",
        });
        let (core, task_id) = (Arc::clone(self), id.clone());
        self.work.spawn(async move {
            let moved = core.move_mount(&mount, &from, &target).await;
            let status = match &moved {
                Ok(()) => {
                    tracing::info!(migration_id = %task_id, %from, to = %full_path(&target), "mount moved");
                    "success"
                }
                Err(error) => {
                    tracing::error!(migration_id = %task_id, %from, to = %full_path(&target), %error, "mount could not be moved");
                    "failure"
                }
            };
            core.finish(&task_id, status);
        });
        Ok(id)
    }

    /// How a move is going; `None` when it is unknown or forgotten.
    #[must_use]
    pub fn remount_status(&self, id: &str) -> Option<RemountStatus> {
        let moves = self.mounts.moves.lock();
        moves.iter().find(|m| m.migration_id == id).cloned()
    }

    async fn move_mount(
        &self,
        mount: &Arc<Mount>,
        from: &str,
        target: &MountEntry,
    ) -> Result<(), Error> {
        let _one_at_a_time = mount.lifecycle.lock().await;
        let still_there = || {
            if mount.is_leaving() {
                return Err(Error::refused("the mount is being removed"));
            }
            if full_path(&mount.record()) != from {
                return Err(Error::refused(format!("no matching mount at {from:?}")));
            }
            Ok(())
        };
        still_there()?;
        let _taken = self
            .reserve(target)
            .map_err(|other| Error::refused(format!("path already in use at {other:?}")))?;
        // Nobody is inside while the path changes: no request sees half of it.
        let ctx = Context::internal(mount.leaving().child_token());
        let limit = self.settings.drain_timeout;
        let closed = drain(&ctx, &[mount.gate()], limit, still_there).await;
        let closed = closed.map_err(|why| match why {
            NotDrained::Running(still) => {
                Error::refused(format!("{} requests still running", still.count))
            }
            NotDrained::GivenUp(error) => error,
        })?;
        still_there()?;
        self.change_record(mount, Vec::new(), |record| {
            record.path.clone_from(&target.path);
            Ok(())
        })
        .await?;
        drop(closed);
        Ok(())
    }

    fn note(&self, status: RemountStatus) {
        let mut moves = self.mounts.moves.lock();
        if moves.len() >= REMEMBERED {
            moves.pop_front();
        }
        moves.push_back(status);
    }

    fn finish(&self, id: &str, status: &'static str) {
        let mut moves = self.mounts.moves.lock();
        if let Some(found) = moves.iter_mut().find(|m| m.migration_id == id) {
            found.status = status;
        }
    }
}

/// Whether a request path can lie below it: it comes from a body, where no URL has cleaned it.
fn is_addressable(path: &str) -> bool {
    let segments = path.trim_end_matches('/').split('/');
    let is_name = |segment: &str| !matches!(segment, "" | "." | "..");
    segments.into_iter().all(is_name) && !path.chars().any(char::is_control)
}

fn is_protected(path: &str) -> bool {
    let fixed = ["sys/", "cubbyhole/", "identity/", "audit/", "auth/token/"];
    path == "auth/" || fixed.iter().any(|p| path.starts_with(p))
}
