//! What operators see of the plugins: `sys/plugins/instances`, `sys/plugins/status`,
//! `sys/plugins/logs/:type/:name`, and `sys/metrics` (plugin-lifecycle §11 item 16, design §4).
//!
//! All of it is read-only and of this node.

mod exposition;
mod instances;
mod logs;
mod metrics;
mod status;

use crate::System;
use linchpin_engine::path::PathSpec;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    [
        instances::rows(),
        status::rows(),
        logs::rows(),
        metrics::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A time as text, in microseconds.
fn rfc3339(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let micros = Duration::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
    OffsetDateTime::from(UNIX_EPOCH + micros)
        .format(&Rfc3339)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_microseconds() {
        let at = UNIX_EPOCH + Duration::from_nanos(1_500_000_123_456_789);
        assert_eq!(rfc3339(at), "1970-01-18T08:40:00.123456Z");
    }
}
