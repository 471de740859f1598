//! One mount, live: its record, its gate, its storage.

use crate::ClientRequest;
use crate::gate::{Gate, GateLimits};
use crate::instance::Instance;
use crate::reload::{MountResult, Outcome};
use crate::settings::Settings;
use crate::sight::counters::Counters;
use crate::view::MountStorage;
use arc_swap::ArcSwap;
use linchpin_engine::MountInfo;
use linchpin_formats::MountEntry;
use linchpin_model::{PluginType, PluginVersion};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A mount. Its gate says which instance serves; its record is what is stored.
pub(crate) struct Mount {
    record: ArcSwap<MountEntry>,
    facts: FactsCell,
    gate: Arc<Gate>,
    storage: Option<Arc<MountStorage>>,
    counters: Arc<Counters>,
    /// One lifecycle operation at a time.
    pub(crate) lifecycle: tokio::sync::Mutex<()>,
    /// Reloads that have begun, and the last one that ended: the same reload asked twice is
    /// coalesced.
    pub(crate) reloads: ReloadLog,
    /// Cancelled when the mount is being removed or the node stops: a reload stops at its next
    /// step. Another one when the removal failed before it began.
    leaving: Mutex<CancellationToken>,
}

/// Where the facts of a mount are: shared with the system views of its instances.
pub(crate) type FactsCell = Arc<ArcSwap<MountFacts>>;

/// Which reloads of a mount have begun and what the last one came to.
#[derive(Default)]
pub(crate) struct ReloadLog {
    begun: AtomicU64,
    last: Mutex<Option<(u64, MountResult)>>,
}

impl ReloadLog {
    /// How many have begun: asked before waiting for the mount's turn.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::SeqCst)
    }

    /// One more begins; its number.
    pub(crate) fn begin(&self) -> u64 {
        self.begun.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// It has ended.
    pub(crate) fn end(&self, number: u64, result: &MountResult) {
        *self.last.lock() = Some((number, result.clone()));
    }

    /// The result of one that began after `asked`: it did what was asked for. With `force`, only
    /// a success did.
    pub(crate) fn since(&self, asked: u64, force: bool) -> Option<MountResult> {
        let last = self.last.lock();
        last.as_ref()
            .filter(|(number, result)| {
                *number > asked && (!force || result.outcome == Outcome::Reloaded)
            })
            .map(|(_, result)| result.clone())
    }
}

/// What requests need of a mount's configuration: made anew at every change of it.
pub(crate) struct MountFacts {
    /// Namespace and path, with its trailing `/`.
    pub(crate) point: Arc<str>,
    /// The type.
    pub(crate) mount_type: Arc<str>,
    /// The accessor.
    pub(crate) accessor: Arc<str>,
    uuid: String,
    pass_through: Vec<String>,
    allowed_response: Vec<String>,
    /// The default lease TTL, the system's filled in.
    pub(crate) default_lease_ttl: Duration,
    /// The maximum lease TTL, the system's filled in.
    pub(crate) max_lease_ttl: Duration,
    /// Whether it is being removed.
    pub(crate) tainted: bool,
    /// Whether reads must not be cached.
    pub(crate) force_no_cache: bool,
    /// Whether it is local to its cluster.
    pub(crate) local: bool,
}

impl MountFacts {
    /// The facts of a record.
    pub(crate) fn of(record: &MountEntry, settings: &Settings) -> Arc<Self> {
        let or_system = |own: Duration, system: Duration| if own.is_zero() { system } else { own };
        let max_lease_ttl = or_system(record.config.max_lease_ttl, settings.max_lease_ttl);
        Arc::new(Self {
            point: full_path(record).into(),
            mount_type: record.mount_type.as_str().into(),
            accessor: record.accessor.as_str().into(),
            uuid: record.uuid.clone(),
            pass_through: record.config.passthrough_request_headers.clone(),
            allowed_response: record.config.allowed_response_headers.clone(),
            default_lease_ttl: or_system(
                record.config.default_lease_ttl,
                settings.default_lease_ttl.min(max_lease_ttl),
            ),
            max_lease_ttl,
            tainted: record.tainted,
            force_no_cache: record.config.force_no_cache,
            local: record.local,
        })
    }

    /// What stands for a token towards an engine (plugin-protocol §3.10): never the token.
    pub(crate) fn hash_token(&self, token: &str) -> String {
        linchpin_crypto::sha1_hex(&[self.uuid.as_bytes(), token.as_bytes()])
    }

    /// The request headers that the mount lets through; never the token, in neither header.
    pub(crate) fn pass_through(&self, client: &ClientRequest) -> Vec<(String, Vec<String>)> {
        if self.pass_through.is_empty() {
            return Vec::new();
        }
        let is_listed = |name: &str| {
            self.pass_through
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(name))
                && !name.eq_ignore_ascii_case("X-Vault-Token")
        };
        let has_own_header = client.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("X-Vault-Token") && !value.trim().is_empty()
        });
        let mut out: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in client.headers.iter().filter(|(name, _)| is_listed(name)) {
            let canonical = canonical_header(name);
            let carries_token = name.eq_ignore_ascii_case("Authorization")
                && !has_own_header
                && value.strip_prefix("Bearer ").map(str::trim)
                    == client.token.as_deref().map(str::trim);
            let values = match out.iter_mut().find(|(known, _)| *known == canonical) {
                Some((_, values)) => values,
                None => {
                    out.push((canonical, Vec::new()));
                    let Some((_, values)) = out.last_mut() else {
                        continue;
                    };
                    values
                }
            };
            if !carries_token {
                values.push(value.clone());
            }
        }
        out
    }

    /// Whether the mount lets this header of an answer through.
    pub(crate) fn allows_response_header(&self, name: &str) -> bool {
        self.allowed_response
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// `x-custom-id` → `X-Custom-Id`, as Go spells header names.
fn canonical_header(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = true;
    for c in name.chars() {
        out.push(if upper {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        });
        upper = c == '-';
    }
    out
}

/// The path of a record in the whole server: auth mounts live below `auth/`.
pub(crate) fn full_path(record: &MountEntry) -> String {
    match record.table.as_str() {
        "auth" => format!("auth/{}", record.path),
        _ => record.path.clone(),
    }
}

impl Mount {
    /// A mount whose engine is `instance`. `leaving` is a token of its own, below the node's.
    pub(crate) fn new(
        record: MountEntry,
        facts: FactsCell,
        instance: Arc<Instance>,
        storage: Option<Arc<MountStorage>>,
        limits: GateLimits,
        leaving: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            facts,
            record: ArcSwap::from_pointee(record),
            gate: Gate::new(instance, limits),
            storage,
            counters: Arc::default(),
            lifecycle: tokio::sync::Mutex::new(()),
            reloads: ReloadLog::default(),
            leaving: Mutex::new(leaving),
        })
    }

    /// Cancelled when the mount is being removed or the node stops.
    pub(crate) fn leaving(&self) -> CancellationToken {
        self.leaving.lock().clone()
    }

    /// Whether it is being removed, or the node stops.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving.lock().is_cancelled()
    }

    /// It stays after all: lifecycle operations go on, under a fresh token.
    pub(crate) fn stay(&self, leaving: CancellationToken) {
        *self.leaving.lock() = leaving;
    }

    /// What is stored of it.
    #[must_use]
    pub(crate) fn record(&self) -> Arc<MountEntry> {
        self.record.load_full()
    }

    /// Its gate.
    #[must_use]
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What is counted of it.
    pub(crate) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// What requests need of it.
    pub(crate) fn facts(&self) -> Arc<MountFacts> {
        self.facts.load_full()
    }

    /// Where its facts are.
    pub(crate) fn facts_cell(&self) -> &FactsCell {
        &self.facts
    }

    /// Its storage; `None` for `sys/`.
    pub(crate) fn storage(&self) -> Option<&Arc<MountStorage>> {
        self.storage.as_ref()
    }

    /// Publishes a record that is stored already.
    pub(crate) fn publish(&self, record: MountEntry, settings: &Settings) {
        self.facts.store(MountFacts::of(&record, settings));
        self.record.store(Arc::new(record));
    }

    /// Whether `path` below it needs no token.
    pub(crate) fn is_unauthenticated(&self, path: &str) -> bool {
        self.gate
            .instance()
            .backend()
            .special_paths()
            .is_unauthenticated(path)
    }

    /// What its engine is told of it.
    pub(crate) fn info(record: &MountEntry) -> MountInfo {
        MountInfo {
            path: full_path(record),
            uuid: record.uuid.clone(),
            backend_uuid: record.backend_aware_uuid.clone(),
            accessor: record.accessor.clone(),
            mount_type: record.mount_type.clone(),
            plugin_type: plugin_type(record),
            options: record.options.clone().unwrap_or_default(),
            local: record.local,
        }
    }

    /// Whether it is one of the mounts that are always there and cannot be reloaded or removed.
    #[must_use]
    pub(crate) fn is_singleton(&self) -> bool {
        matches!(
            self.record().mount_type.as_str(),
            "system" | "cubbyhole" | "identity" | "token"
        )
    }
}

/// Secrets engine or auth method, by the table that the record is in.
pub(crate) fn plugin_type(record: &MountEntry) -> PluginType {
    if record.table == "auth" {
        PluginType::Auth
    } else {
        PluginType::Secret
    }
}

/// The version that is stored on the mount.
pub(crate) fn stored_version(record: &MountEntry) -> Option<PluginVersion> {
    record.plugin_version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(headers: &[&str]) -> Arc<MountFacts> {
        let mut record = MountEntry {
            path: "m/".into(),
            uuid: "u".into(),
            ..MountEntry::default()
        };
        record.config.passthrough_request_headers =
            headers.iter().map(|h| (*h).to_owned()).collect();
        MountFacts::of(&record, &Settings::default())
    }

    fn client(headers: &[(&str, &str)], token: &str) -> ClientRequest {
        ClientRequest {
            headers: headers
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            token: Some(token.to_owned()),
            ..ClientRequest::default()
        }
    }

    #[test]
    fn h24_only_listed_headers_pass_and_the_token_never_does() {
        let facts = facts(&["x-custom-id", "X-Vault-Token", "Authorization"]);
        let passed = facts.pass_through(&client(
            &[
                ("X-CUSTOM-ID", "1"),
                ("X-Other", "2"),
                ("X-Vault-Token", "t"),
            ],
            "t",
        ));
        assert_eq!(passed, [("X-Custom-Id".to_owned(), vec!["1".to_owned()])]);
        let passed = facts.pass_through(&client(&[("Authorization", "Bearer t")], "t"));
        assert_eq!(passed, [("Authorization".to_owned(), Vec::new())]);
        let passed = facts.pass_through(&client(&[("Authorization", "Basic x")], "t"));
        assert_eq!(
            passed,
            [("Authorization".to_owned(), vec!["Basic x".to_owned()])]
        );
    }

    #[test]
    fn h23_engines_see_a_hash_in_place_of_the_token() {
        // The rule of plugin-protocol §3.10: SHA-1 over the mount's UUID and the token.
        assert_eq!(
            facts(&[]).hash_token("t"),
            linchpin_crypto::sha1_hex(&[b"ut"])
        );
    }
}
