//! Storage and system view for the tests of this crate: a map, and nothing that can fail.

use bytes::Bytes;
use linchpin_engine::{
    Access, Backend, BoxFuture, ClusterInfo, Context, Error, MountInfo, Page, PluginEnvironment,
    StorageEntry, StorageError, StorageView, SystemView, Transaction,
};
use linchpin_model::{JsonObject, Operation, PluginType, Request, Response};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A map. Clones share it.
#[derive(Default, Clone)]
pub(crate) struct Memory(pub(crate) Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Memory {
    /// What is stored under `key`, as text.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let map = self.0.lock();
        map.get(key)
            .map(|value| String::from_utf8(value.to_vec()).unwrap())
    }
}

impl StorageView for Memory {
    fn get<'a>(
        &'a self,
        _ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        let found = self.0.lock().get(key).map(|value| StorageEntry {
            key: key.to_owned(),
            value: value.clone(),
            seal_wrap: false,
        });
        Box::pin(async { Ok(found) })
    }

    fn list<'a>(
        &'a self,
        _ctx: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        assert!(prefix.is_empty() || prefix.ends_with('/'), "{prefix}");
        let names: BTreeSet<String> = self
            .0
            .lock()
            .keys()
            .filter_map(|key| key.strip_prefix(prefix))
            .map(|rest| match rest.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => rest.to_owned(),
            })
            .collect();
        let limit = if page.limit == 0 {
            usize::MAX
        } else {
            page.limit
        };
        let names = names
            .into_iter()
            .filter(|name| page.after.is_empty() || *name > page.after)
            .take(limit)
            .collect();
        Box::pin(async { Ok(names) })
    }

    fn put<'a>(
        &'a self,
        _ctx: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.lock().insert(entry.key, entry.value);
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(
        &'a self,
        _ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.lock().remove(key);
        Box::pin(async { Ok(()) })
    }

    fn begin<'a>(
        &'a self,
        _ctx: &'a Context,
        _access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        unreachable!("no engine of this crate needs a transaction")
    }
}

/// A mount with the system's default TTLs.
pub(crate) struct System;

impl SystemView for System {
    fn default_lease_ttl(&self) -> Duration {
        Duration::from_secs(2_764_800)
    }
    fn max_lease_ttl(&self) -> Duration {
        Duration::from_secs(2_764_800)
    }
    fn tainted(&self) -> bool {
        false
    }
    fn caching_disabled(&self) -> bool {
        false
    }
    fn local_mount(&self) -> bool {
        false
    }
    fn plugin_environment(&self) -> PluginEnvironment {
        PluginEnvironment::default()
    }
    fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo::default()
    }
    fn generate_password<'a>(
        &'a self,
        _ctx: &'a Context,
        _policy: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async { Err(Error::refused("no policy")) })
    }
}

pub(crate) fn mount_info(mount_type: &str, options: &[(&str, &str)]) -> MountInfo {
    MountInfo {
        path: format!("{mount_type}/"),
        uuid: "u".to_owned(),
        backend_uuid: "b".to_owned(),
        accessor: "a".to_owned(),
        mount_type: mount_type.to_owned(),
        plugin_type: PluginType::Secret,
        options: options
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        local: false,
    }
}

/// Asks an engine; `data` is JSON text or empty.
pub(crate) async fn ask(
    backend: &dyn Backend,
    operation: Operation,
    path: &str,
    data: &str,
) -> Result<Option<Response>, Error> {
    let ctx = Context::internal(CancellationToken::new());
    backend.handle(&ctx, request(operation, path, data)).await
}

pub(crate) fn request(operation: Operation, path: &str, data: &str) -> Request {
    Request {
        operation: Some(operation),
        path: path.to_owned(),
        data: (!data.is_empty()).then(|| JsonObject::from_text(data.to_owned()).unwrap()),
        ..Request::default()
    }
}

/// The data of an answer as text, or its error's text; empty for no answer.
pub(crate) fn shown(outcome: Result<Option<Response>, Error>) -> String {
    match outcome {
        Ok(None) => String::new(),
        Ok(Some(response)) => response
            .data
            .map_or_else(|| "null".to_owned(), |data| data.as_str().to_owned()),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}
