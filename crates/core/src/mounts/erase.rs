//! The end of a mount's data: in batches, so that no commit is unbounded.

use crate::Core;
use crate::view::Change;
use linchpin_engine::StorageError;

/// How many keys one batch deletes.
const KEYS_PER_BATCH: usize = 500;

impl Core {
    /// Deletes what lies below a prefix of the barrier, but for a last batch: these deletions are
    /// answered, for the caller to commit together with what must go with them.
    pub(super) async fn erase_but_last(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, Change)>, StorageError> {
        let keys = self.store.keys_below(prefix).await?;
        let mut batches = keys.chunks(KEYS_PER_BATCH).map(|some| {
            let deletions = some.iter().map(|key| (key.clone(), Change::Delete));
            deletions.collect::<Vec<_>>()
        });
        let last = batches.next().unwrap_or_default();
        for batch in batches {
            self.store.commit_changes(&[], batch).await?;
        }
        Ok(last)
    }
}
