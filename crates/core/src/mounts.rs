//! The mounts of the node: enable, list, read, tune, disable, move (core-api §2.8, plugin-lifecycle
//! §§4.3-4.6).
//!
//! Everything is checked before anything is written, and what was written is durable before a
//! request can see it. One operation at a time changes the table; none holds the table while a
//! plugin starts: a path that is being mounted is *reserved* meanwhile.

mod check;
mod disable;
mod enable;
mod erase;
mod remount;
mod table;
mod tune;

use crate::Core;
use crate::mount::{Mount, MountFacts, full_path};
use linchpin_catalog::warnings;
use linchpin_engine::{Context, Error, Health, Running};
use linchpin_formats::{MountConfig, MountEntry};
use linchpin_model::{DeprecationStatus, JsonObject, MountPath, Operation, PluginType, Request};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use check::suffix;
pub use remount::RemountStatus;
use table::Writer;
pub(crate) use table::{set_running, tables};

/// What changing the mounts needs.
#[derive(Default)]
pub(crate) struct Mounts {
    /// One writer of the table at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
    /// Paths that are being mounted or moved to.
    reserved: Mutex<BTreeSet<String>>,
    /// Moves, the newest last; the oldest are forgotten.
    moves: Mutex<VecDeque<RemountStatus>>,
}

/// A mount to make (`POST sys/mounts/:path`, `POST sys/auth/:path`).
#[derive(Debug, Clone, Default)]
pub struct NewMount {
    /// Secrets engine or auth method: which table.
    pub plugin_type: Option<PluginType>,
    /// The path below its table, with or without the final `/`.
    pub path: String,
    /// The type: an engine, a registered plugin, an alias, or `plugin`.
    pub mount_type: String,
    /// The name when the type is `plugin`; ignored otherwise.
    pub plugin_name: String,
    /// Free text.
    pub description: String,
    /// Stored configuration; TTLs of zero are the system's.
    pub config: MountConfig,
    /// `config.plugin_version` as written; empty = none asked for.
    pub plugin_version: String,
    /// Options, as they were sent; `None` for a `null`.
    pub options: Option<BTreeMap<String, String>>,
    /// Not replicated.
    pub local: bool,
    /// Kept for other products.
    pub seal_wrap: bool,
    /// Kept for other products.
    pub external_entropy_access: bool,
}

/// Which values of a mount to change (`POST sys/mounts/:path/tune`); `None` = as it is.
#[derive(Debug, Clone, Default)]
pub struct Tuning {
    /// Zero = the system's.
    pub default_lease_ttl: Option<Duration>,
    /// Zero = the system's.
    pub max_lease_ttl: Option<Duration>,
    /// Free text; empty clears.
    pub description: Option<String>,
    /// `hidden`, `unauth`, or empty.
    pub listing_visibility: Option<String>,
    /// Request keys that audit devices write in the clear.
    pub audit_non_hmac_request_keys: Option<Vec<String>>,
    /// Response keys that audit devices write in the clear.
    pub audit_non_hmac_response_keys: Option<Vec<String>>,
    /// Request headers that the engine may see.
    pub passthrough_request_headers: Option<Vec<String>>,
    /// Response headers that the engine may set.
    pub allowed_response_headers: Option<Vec<String>>,
    /// Managed keys that the engine may use; only kept.
    pub allowed_managed_keys: Option<Vec<String>>,
    /// Auth methods that the engine may hand logins to; only kept.
    pub delegated_auth_accessors: Option<Vec<String>>,
    /// The key of the engine's identity tokens; only kept.
    pub identity_token_key: Option<String>,
    /// Merged into the options; an empty value removes its key.
    pub options: Option<BTreeMap<String, String>>,
    /// The stored version, as written; present and empty is refused.
    pub plugin_version: Option<String>,
    /// The token type of an auth method, as written.
    pub token_type: Option<String>,
}

/// A mount as `sys/` shows it.
#[derive(Clone)]
pub struct MountStatus {
    /// Path in the whole server: auth methods below `auth/`.
    pub full_path: String,
    /// What is stored.
    pub record: Arc<MountEntry>,
    /// What runs.
    pub running: Running,
    /// How its engine is.
    pub health: Health,
    /// Of a built-in.
    pub deprecation: Option<DeprecationStatus>,
    /// Always there: cannot be removed, moved or reloaded.
    pub is_singleton: bool,
    /// The default lease TTL, the system's filled in.
    pub default_lease_ttl: Duration,
    /// The maximum lease TTL, the system's filled in.
    pub max_lease_ttl: Duration,
    /// What a read of the mount warns of (plugin-lifecycle §4.6).
    pub warning: Option<String>,
    /// What a read of its tuning warns of.
    pub tune_warning: Option<String>,
}

impl Core {
    /// Every mount of a table, by path. The tables are those of secrets engines and of auth methods.
    #[must_use]
    pub fn mounts(&self, table: PluginType) -> Vec<MountStatus> {
        let mounts = self.node.load().mounts();
        mounts
            .iter()
            .filter(|mount| crate::mount::plugin_type(&mount.record()) == table)
            .map(|mount| self.status(mount))
            .collect()
    }

    /// The mount at exactly this path in the whole server, with or without its final `/`.
    #[must_use]
    pub fn mount_at(&self, path: &str) -> Option<MountStatus> {
        self.node
            .load()
            .at(&with_slash(path))
            .map(|mount| self.status(mount))
    }

    /// The mount that serves a path.
    #[must_use]
    pub fn mount_of(&self, path: &str) -> Option<MountStatus> {
        let node = self.node.load();
        node.find(path).map(|(mount, _)| self.status(mount))
    }

    /// The mounts whose instance runs exactly this catalog entry, by full path.
    #[must_use]
    pub fn mounts_running(&self, id: &linchpin_catalog::EntryId) -> Vec<String> {
        let runs = |mount: &Arc<Mount>| {
            let (record, instance) = (mount.record(), mount.gate().instance());
            let running = instance.running();
            let version = id.version.as_ref().map_or("", |v| v.as_str());
            running.sha256.is_some()
                && crate::mount::plugin_type(&record) == id.plugin_type
                && linchpin_catalog::without_alias(id.plugin_type, &record.mount_type) == id.name
                && running.version == version
        };
        let node = self.node.load();
        let mounts = node.mounts();
        let running = mounts.iter().filter(|mount| runs(mount));
        running.map(|mount| full_path(&mount.record())).collect()
    }

    /// The help document of every mount that has one and is open: `(full path, {help, openapi})`.
    pub async fn help_of_mounts(&self, ctx: &Context) -> Vec<(String, JsonObject)> {
        const LIMIT: Duration = Duration::from_secs(5);
        let ctx = ctx.within(LIMIT);
        let mut found = Vec::new();
        for mount in self.node.load_full().mounts() {
            let Ok(ticket) = mount.gate().try_enter() else {
                continue;
            };
            let request = Request {
                operation: Some(Operation::Help),
                mount_point: Arc::clone(&mount.facts().point),
                ..Request::default()
            };
            let answer = ticket.instance().backend().handle(&ctx, request).await;
            match answer {
                Ok(Some(response)) => found.extend(
                    response
                        .data
                        .map(|data| (mount.facts().point.to_string(), data)),
                ),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(mount = %mount.facts().point, %error, "no help from this mount");
                }
            }
        }
        found
    }

    fn status(&self, mount: &Mount) -> MountStatus {
        let (record, instance, facts) = (mount.record(), mount.gate().instance(), mount.facts());
        let running = instance.running().clone();
        let plugin_type = crate::mount::plugin_type(&record);
        let name = linchpin_catalog::without_alias(plugin_type, &record.mount_type);
        let catalog = self.catalog();
        let is_singleton = mount.is_singleton();
        let pin = (!is_singleton && !linchpin_catalog::is_wired(plugin_type, name))
            .then(|| catalog.pin(plugin_type, name))
            .flatten();
        let stored = crate::mount::stored_version(&record);
        MountStatus {
            full_path: full_path(&record),
            deprecation: (running.sha256.is_none() && !is_singleton)
                .then(|| catalog.builtin(plugin_type, name))
                .flatten()
                .and_then(|builtin| builtin.deprecation),
            health: instance.backend().health(),
            is_singleton,
            default_lease_ttl: facts.default_lease_ttl,
            max_lease_ttl: facts.max_lease_ttl,
            warning: warnings::running_differs(stored.as_ref(), &running.version, pin),
            tune_warning: warnings::pin_overrides(stored.as_ref(), pin),
            running,
            record,
        }
    }

    /// Publishes the snapshot with other mounts. Only whoever has the turn does.
    fn publish_mounts(&self, _turn: &Writer<'_>, edit: impl FnOnce(&mut Vec<Arc<Mount>>)) {
        let mut mounts = self.node.load().mounts();
        edit(&mut mounts);
        self.node.store(Arc::new(crate::node::Node::new(mounts)));
    }

    /// Publishes a record and the facts that follow from it.
    fn publish_record(&self, mount: &Mount, record: MountEntry) {
        mount.publish(record, &self.settings);
    }

    /// The facts of a record under this node's settings.
    pub(crate) fn facts_of(&self, record: &MountEntry) -> Arc<MountFacts> {
        MountFacts::of(record, &self.settings)
    }
}

/// What an operation answers that would begin while the node stops.
fn stopping() -> Error {
    Error::unavailable("server is shutting down", Duration::from_secs(1))
}

/// What asks for a mount that is being made: soon there is one, or none.
fn being_mounted(path: &str) -> Error {
    let text = format!("{path:?} is being mounted or moved: ask again when that has ended");
    Error::unavailable(text, Duration::from_secs(1))
}

/// A path as mounts are known by: without leading, with one final `/`. What is nothing but slashes is
/// no mount's.
pub(crate) fn with_slash(path: &str) -> String {
    MountPath::new(path).map_or_else(|| "/".to_owned(), |path| path.to_string())
}
