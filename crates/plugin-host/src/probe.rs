//! Running a plugin once, to learn what it is (plugin-protocol §2.3).
//!
//! The instance of a probe has an empty storage that forgets what is written, and a static system
//! view: both satisfy every known plugin.

use crate::Error;
use crate::deadline::{START, within};
use crate::host::Host;
use crate::process::Process;
use linchpin_engine::{
    Access, BoxFuture, ClusterInfo, Context, Page, PluginEnvironment, Probe, StorageEntry,
    StorageError, StorageView, SystemView, Transaction,
};
use linchpin_goplugin::host::Setup;
use linchpin_model::{PluginEntry, PluginType};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What plugins are told about leases where nobody has tuned anything.
const DEFAULT_TTL: Duration = Duration::from_secs(768 * 60 * 60);

/// Starts the entry, asks, and stops it again.
pub(crate) async fn run(
    host: Arc<Host>,
    entry: PluginEntry,
    plugin_type: Option<PluginType>,
) -> Result<Probe, Error> {
    if host.stopping.is_cancelled() {
        return Err(Error::Stopping);
    }
    let stopping = host.stopping.clone();
    let work = async {
        let start = async {
            let artefact = host.open_artefact(&entry).await?;
            Process::start(&host, &entry, artefact).await
        };
        let started = within(host.start_limit(), START, start).await;
        let process = started.and_then(|process| process).inspect_err(|_| {
            host.totals
                .count(&entry, |counts| counts.failed_starts += 1);
        })?;
        let asked = ask(&process, &host, plugin_type).await;
        process.stop(host.settings.plugin_stop_timeout).await;
        if let Ok(probe) = &asked {
            tracing::info!(
                r#type = probe.plugin_type.as_str(), plugin = entry.name, reported = probe.version,
                sha256 = %entry.sha256, "plugin was asked for its version"
            );
        }
        asked.map_err(|error| error.with_output(process.last_lines()))
    };
    tokio::select! {
        outcome = work => outcome,
        () = stopping.cancelled() => Err(Error::Stopping),
    }
}

async fn ask(
    process: &Process,
    host: &Host,
    plugin_type: Option<PluginType>,
) -> Result<Probe, Error> {
    let connection = process.connection();
    let limit = host.settings.plugin_setup_timeout;
    let multiplexes = connection.multiplexing_supported();
    process
        .step("MultiplexingSupport", limit, multiplexes)
        .await?;
    let setup = Setup {
        config: BTreeMap::new(),
        backend_uuid: String::new(),
        storage: Arc::new(Nothing),
        system: Arc::new(Static(host.settings.server_version.clone())),
    };
    let made = connection.setup(setup);
    let instance = process.step("Setup", limit, made).await?;
    let plugin_type = match plugin_type {
        Some(known) => known,
        None => {
            let found = process.step("Type", limit, instance.plugin_type()).await?;
            found.ok_or_else(|| Error::Step {
                step: "Type",
                reason: "the plugin is neither a secrets engine nor an auth method".to_owned(),
                stderr: Vec::new(),
            })?
        }
    };
    let version = process.step("Version", limit, instance.version()).await?;
    Ok(Probe {
        plugin_type,
        version,
    })
}

/// An empty storage.
pub(crate) struct Nothing;

impl StorageView for Nothing {
    fn get<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async { Ok(None) })
    }

    fn list<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
        _: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn put<'a>(
        &'a self,
        _: &'a Context,
        _: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, _: &'a Context, _: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn begin<'a>(
        &'a self,
        _: &'a Context,
        _: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(async { Ok(Box::new(Nothing) as Box<dyn Transaction>) })
    }
}

impl Transaction for Nothing {
    fn get<'a>(
        &'a mut self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async { Ok(None) })
    }

    fn list<'a>(
        &'a mut self,
        _: &'a str,
        _: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn put<'a>(&'a mut self, _: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a mut self, _: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A node without any mount.
struct Static(String);

impl SystemView for Static {
    fn default_lease_ttl(&self) -> Duration {
        DEFAULT_TTL
    }

    fn max_lease_ttl(&self) -> Duration {
        DEFAULT_TTL
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
        PluginEnvironment {
            version: self.0.clone(),
            ..PluginEnvironment::default()
        }
    }

    fn cluster_info(&self) -> ClusterInfo {
        ClusterInfo::default()
    }

    fn generate_password<'a>(
        &'a self,
        _: &'a Context,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, linchpin_engine::Error>> {
        Box::pin(async {
            Err(linchpin_engine::Error::refused(
                "no password policies in a probe",
            ))
        })
    }
}
