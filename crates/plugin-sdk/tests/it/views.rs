//! A host without anything behind it: what a plugin gets when it is probed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use linchpin_goplugin::host::Setup;
use linchpin_plugin_sdk::engine::{
    Access, BoxFuture, ClusterInfo, Context, Error, Page, PluginEnvironment, StorageEntry,
    StorageError, StorageView, SystemView, Transaction,
};

/// Refuses everything.
pub(crate) struct Nothing;

fn missing() -> StorageError {
    StorageError::Failed {
        text: "missing storage implementation".to_owned(),
        source: None,
    }
}

/// Setup as a registration probe sends it.
pub(crate) fn probe() -> Setup {
    Setup {
        config: BTreeMap::new(),
        backend_uuid: String::new(),
        storage: Arc::new(Nothing),
        system: Arc::new(Nothing),
    }
}

impl StorageView for Nothing {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
        _: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        _: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn delete<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Err(missing()) })
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        _: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(async { Err(missing()) })
    }
}

impl SystemView for Nothing {
    fn default_lease_ttl(&self) -> Duration {
        Duration::ZERO
    }

    fn max_lease_ttl(&self) -> Duration {
        Duration::ZERO
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
        _: &'a Context,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, Error>> {
        Box::pin(async { Err(Error::internal("none")) })
    }
}
