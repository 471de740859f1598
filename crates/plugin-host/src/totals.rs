//! What has happened to the processes of each entry since the server started: counted, for metrics.

use linchpin_engine::PluginTotals;
use linchpin_model::{PluginEntry, PluginType};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// The most entries that are counted; what happens to further ones is not.
const ENTRIES: usize = 4_096;

/// Type, name and version.
type Key = (PluginType, String, String);

/// All counters.
#[derive(Debug, Default)]
pub(crate) struct Totals(Mutex<BTreeMap<Key, Counts>>);

/// The counters of one entry.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) starts: u64,
    pub(crate) failed_starts: u64,
    pub(crate) crashes: u64,
    pub(crate) hangs: u64,
    /// Processes whose breaker is open at the moment.
    pub(crate) open_breakers: u64,
}

impl Totals {
    /// Counts something.
    pub(crate) fn count(&self, entry: &PluginEntry, change: impl FnOnce(&mut Counts)) {
        let key = (
            entry.plugin_type,
            entry.name.clone(),
            entry.version_text().to_owned(),
        );
        let mut all = self.0.lock();
        if all.len() < ENTRIES || all.contains_key(&key) {
            change(all.entry(key).or_default());
        }
    }

    /// What was counted, by type, name and version.
    pub(crate) fn read(&self) -> Vec<PluginTotals> {
        let all = self.0.lock();
        let row = |((plugin_type, name, version), counts): (&Key, &Counts)| PluginTotals {
            plugin_type: *plugin_type,
            name: name.clone(),
            version: version.clone(),
            starts: counts.starts,
            failed_starts: counts.failed_starts,
            crashes: counts.crashes,
            hangs: counts.hangs,
            breaker_open: counts.open_breakers > 0,
        };
        all.iter().map(row).collect()
    }
}
