//! What a reload says of each mount (plugin-lifecycle §11 item 6).

use linchpin_model::Sha256;

/// The outcome for one mount: before, after, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MountResult {
    /// The mount's path.
    pub mount: String,
    /// The version before.
    pub from_version: String,
    /// The version after; the same when it failed.
    pub to_version: String,
    /// The digest before.
    pub from_sha256: Option<Sha256>,
    /// The digest after.
    pub to_sha256: Option<Sha256>,
    /// Why it failed; `None` = it did not.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// Requests that `force` cancelled.
    pub cancelled: usize,
    /// The old instance was still being cleaned up when the call answered.
    pub retiring: bool,
    /// Initialize wrote more than an overlay holds: not all of it can be taken back.
    pub irreversible: bool,
}
