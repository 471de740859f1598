//! A write of an instance that was replaced (design §4, step 5): applied only if its key is
//! unchanged since the fence, and the successor is told; else refused. Both are logged.

use super::{Change, MountStorage};
use linchpin_engine::{Context, StorageError};

/// Applies or refuses the write.
pub(super) async fn write(
    storage: &MountStorage,
    view: u64,
    ctx: &Context,
    key: &str,
    change: Change,
) -> Result<(), StorageError> {
    let full = storage.full(key);
    loop {
        let token = storage.store.get(&full).await?.map(|stored| stored.token);
        // After the read: whoever writes later than this look changes the bytes, and the
        // precondition fails.
        if storage.changed_since_fence(view, key) {
            tracing::warn!(key = %full, "late write of a replaced instance refused: the entry has changed since");
            return Err(StorageError::Replaced);
        }
        storage.note_write(view, key);
        match storage
            .store
            .commit_changes(
                &[(full.clone(), token)],
                vec![(full.clone(), change.clone())],
            )
            .await
        {
            Err(StorageError::Conflict) => {}
            Err(other) => return Err(other),
            Ok(()) => {
                tracing::info!(key = %full, "late write of a replaced instance applied");
                // A Setup that is under way may have read what was there before.
                storage.count_write();
                storage.invalidate(ctx, key).await;
                return Ok(());
            }
        }
    }
}
