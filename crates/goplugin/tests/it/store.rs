//! A mount's storage in memory, and a node that answers fixed values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use linchpin_engine::{
    Access, BoxFuture, ClusterInfo, Context, Error, Page, PluginEnvironment, StorageEntry,
    StorageError, StorageView, SystemView, Transaction,
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// Entries by key.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) entries: Arc<Mutex<BTreeMap<String, StorageEntry>>>,
    /// Whether writes are refused, as during Setup.
    pub(crate) in_setup: AtomicBool,
    /// Cancelled when a read of [`STUCK`] has begun, and when it has been dropped.
    pub(crate) reached: CancellationToken,
    pub(crate) released: CancellationToken,
}

/// A key whose read never ends.
pub(crate) const STUCK: &str = "stuck";

type Entries = BTreeMap<String, StorageEntry>;

fn list(entries: &Entries, prefix: &str, page: &Page) -> Vec<String> {
    let mut names: Vec<String> = entries
        .keys()
        .filter_map(|key| key.strip_prefix(prefix))
        .map(|name| match name.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => name.to_owned(),
        })
        .filter(|name| *name > page.after)
        .collect();
    names.dedup();
    if page.limit > 0 {
        names.truncate(page.limit);
    }
    names
}

impl StorageView for Store {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move {
            if key == STUCK {
                let dropped = self.released.clone();
                let _released = dropped.drop_guard();
                self.reached.cancel();
                std::future::pending::<()>().await;
            }
            Ok(self.entries.lock().get(key).cloned())
        })
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async move { Ok(list(&self.entries.lock(), prefix, &page)) })
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            if self.in_setup.load(Ordering::Relaxed) {
                return Err(StorageError::Setup);
            }
            self.entries.lock().insert(entry.key.clone(), entry);
            Ok(())
        })
    }

    fn delete<'a>(
        &'a self,
        _: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.entries.lock().remove(key);
            Ok(())
        })
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(async move {
            Ok(Box::new(Pending {
                base: Arc::clone(&self.entries),
                work: self.entries.lock().clone(),
                access,
            }) as Box<dyn Transaction>)
        })
    }
}

struct Pending {
    base: Arc<Mutex<Entries>>,
    work: Entries,
    access: Access,
}

impl Transaction for Pending {
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move { Ok(self.work.get(key).cloned()) })
    }

    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async move { Ok(list(&self.work, prefix, &page)) })
    }

    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            if self.access == Access::ReadOnly {
                return Err(StorageError::ReadOnly);
            }
            self.work.insert(entry.key.clone(), entry);
            Ok(())
        })
    }

    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            self.work.remove(key);
            Ok(())
        })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        Box::pin(async move {
            *self.base.lock() = self.work;
            Ok(())
        })
    }
}

/// A node with values that a test can recognise.
pub(crate) struct Node;

impl SystemView for Node {
    fn default_lease_ttl(&self) -> Duration {
        Duration::from_secs(11)
    }

    fn max_lease_ttl(&self) -> Duration {
        Duration::from_secs(22)
    }

    fn tainted(&self) -> bool {
        true
    }

    fn caching_disabled(&self) -> bool {
        false
    }

    fn local_mount(&self) -> bool {
        true
    }

    fn plugin_environment(&self) -> PluginEnvironment {
        PluginEnvironment {
            version: "1.2.3".to_owned(),
            ..PluginEnvironment::default()
        }
    }

    fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo {
            name: "not sent".to_owned(),
            id: "cluster".to_owned(),
        }
    }

    fn generate_password<'a>(
        &'a self,
        _: &'a Context,
        policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async move { Ok(format!("password by {policy}")) })
    }
}
