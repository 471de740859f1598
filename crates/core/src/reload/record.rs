//! What became of past reloads, for `GET sys/plugins/reload/backend/status` (plugin-lifecycle §5).
//!
//! A record is written when its reload has ended, below this product's own prefix, and kept for a
//! day; of more than ten thousand the oldest go first.

use super::Report;
use crate::Core;
use crate::view::Change;
use linchpin_engine::Context;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How long a record is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How many are kept.
const MOST: usize = 10_000;
/// How many old ones one write removes at most: the work of a call stays bounded.
const PRUNED: usize = 100;

/// One node's result of a reload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadRecord {
    /// The id of the request that asked for it.
    pub reload_id: String,
    /// The node.
    pub node: String,
    /// When it ended, RFC 3339.
    pub timestamp: String,
    /// What went wrong; empty = nothing.
    pub error: String,
}

/// A record that is stored.
pub(crate) struct Recorded {
    id: String,
    at: SystemTime,
}

impl Core {
    /// Stores the result of a reload. That it cannot be stored does not undo the reload: it is
    /// logged.
    pub(super) async fn record_reload(&self, report: &Report) {
        let now = self.clock();
        let record = ReloadRecord {
            reload_id: report.reload_id.clone(),
            node: self.settings.node_name.clone(),
            timestamp: rfc3339(now),
            error: joined(&report.errors),
        };
        let mut recorded = self.reloads.recorded.lock().await;
        let old = too_old(&recorded, now);
        let value = match serde_json::to_vec(&record) {
            Ok(value) => value,
            Err(error) => {
                tracing::error!(%error, "encode the record of a reload");
                return;
            }
        };
        let mut changes = vec![(key(&record.reload_id), Change::Put(value.into()))];
        let removed = recorded.iter().take(old);
        changes.extend(removed.map(|r| (key(&r.id), Change::Delete)));
        match self.store.commit_changes(&[], changes).await {
            Ok(()) => {
                recorded.drain(..old);
                recorded.push_back(Recorded {
                    id: record.reload_id,
                    at: now,
                });
            }
            Err(error) => {
                tracing::error!(reload_id = %record.reload_id, %error, "store the record of a reload");
            }
        }
    }

    /// The record of a reload; `None` when it is unknown or older than a day.
    pub async fn reload_record(&self, _ctx: &Context, id: &str) -> Option<ReloadRecord> {
        if id.is_empty() || id.contains('/') || id.contains("..") {
            return None;
        }
        let stored = self.store.get(&key(id)).await.ok()??;
        let record: ReloadRecord = serde_json::from_slice(&stored.value).ok()?;
        let ended = OffsetDateTime::parse(&record.timestamp, &Rfc3339).ok()?;
        let is_kept = SystemTime::from(ended) + KEPT > self.clock();
        is_kept.then_some(record)
    }
}

/// The errors as one text, of bounded length: there may be one for every mount.
fn joined(errors: &[String]) -> String {
    const MOST: usize = 4096;
    let mut text = String::new();
    for (n, error) in errors.iter().enumerate() {
        if text.len() + error.len() > MOST && n > 0 {
            text.push_str(&format!("; and {} more", errors.len() - n));
            break;
        }
        if n > 0 {
            text.push_str("; ");
        }
        text.extend(error.chars().take(MOST));
    }
    text
}

/// How many records at the front must go to make room for one more.
fn too_old(recorded: &VecDeque<Recorded>, now: SystemTime) -> usize {
    let expired = recorded.iter().take_while(|r| r.at + KEPT <= now).count();
    let surplus = (recorded.len() + 1).saturating_sub(MOST);
    expired.max(surplus).min(PRUNED)
}

fn key(id: &str) -> String {
    format!("core/linchpin/reloads/{id}")
}

fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0);
    at.ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_go_after_a_day_and_when_there_are_too_many() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let recorded = |times: &[u64]| -> VecDeque<Recorded> {
            let one = |s: &u64| Recorded {
                id: s.to_string(),
                at: at(*s),
            };
            times.iter().map(one).collect()
        };
        let day = 24 * 3600;
        assert_eq!(too_old(&recorded(&[0, 10, 20]), at(day + 10)), 2);
        assert_eq!(too_old(&recorded(&[0, 10, 20]), at(30)), 0);
        assert_eq!(too_old(&recorded(&vec![0; MOST]), at(30)), 1);
        assert_eq!(rfc3339(at(0)), "1970-01-01T00:00:00Z");
    }
}
