//! The last step of a reload: the old instance is cleaned up. It may take its time; siblings in its
//! process are not touched, and the process ends with its last instance.

use crate::Core;
use crate::instance::Instance;
use crate::mount::Mount;
use std::sync::Arc;
use tokio::task::JoinHandle;

impl Core {
    /// Retires `old` in a task of its own.
    pub(super) fn retire(
        self: &Arc<Self>,
        mount: &Arc<Mount>,
        old: Arc<Instance>,
    ) -> JoinHandle<()> {
        let (core, mount) = (Arc::clone(self), Arc::clone(mount));
        self.work.spawn(async move {
            if crate::fault::is_set("no-cleanup") {
                std::mem::forget(old);
                return;
            }
            if !core.clean_up(&old).await {
                tracing::warn!(
                    mount = %mount.facts().point, version = %old.running().version,
                    "Cleanup of the replaced instance did not end in time"
                );
            }
            // What it still writes after its Cleanup is refused.
            if let Some(view) = old.view() {
                view.close().await;
            }
        })
    }
}
