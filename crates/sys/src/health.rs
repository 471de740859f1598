//! `GET|HEAD sys/health`: the state of this node as a status code, for load balancers (core-api
//! §2.1).

use crate::System;
use crate::answer::{Answer, bare};
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_engine::{Error, Shape};
use linchpin_model::{ErrorKind, Operation, SERVER_VERSION};
use serde::Serialize;
use std::time::{SystemTime, UNIX_EPOCH};

/// The parameters that choose the status of a state. A node has one state in this release: active.
const CODES: [(&str, &str); 8] = [
    ("activecode", "Status of the active node. Default: 200."),
    ("standbycode", "Status of a standby node. Default: 429."),
    ("sealedcode", "Status of a sealed node. Default: 503."),
    (
        "uninitcode",
        "Status of a node that is not initialized. Default: 501.",
    ),
    (
        "drsecondarycode",
        "Status of a disaster-recovery secondary. Default: 472.",
    ),
    (
        "performancestandbycode",
        "Status of a performance standby. Default: 473.",
    ),
    (
        "haunhealthycode",
        "Status of a standby that does not hear the active node. Default: 474.",
    ),
    (
        "removedcode",
        "Status of a node that was removed from its cluster. Default: 530.",
    ),
];
const FLAGS: [(&str, &str); 2] = [
    (
        "standbyok",
        "Whether a standby answers like the active node.",
    ),
    (
        "perfstandbyok",
        "Whether a performance standby answers like the active node.",
    ),
];

/// The body, with the keys that Vault has and in its order.
#[derive(Serialize)]
struct Health<'c> {
    initialized: bool,
    sealed: bool,
    standby: bool,
    performance_standby: bool,
    replication_performance_mode: &'static str,
    replication_dr_mode: &'static str,
    server_time_utc: u64,
    version: &'static str,
    enterprise: bool,
    cluster_name: &'c str,
    cluster_id: &'c str,
    echo_duration_ms: u64,
    clock_skew_ms: u64,
    replication_primary_canary_age_ms: u64,
    removed_from_cluster: bool,
}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    let row = PathSpec::<System>::new("health", "Whether this node serves, as a status code.")
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.health(&call) })
        })
        .on(Operation::Header, |sys, _ctx, call| {
            Box::pin(async move { sys.health(&call) })
        });
    let parameters = CODES.iter().chain(&FLAGS);
    vec![parameters.fold(row, |row, (name, description)| {
        row.field(name, FieldType::String, description)
    })]
}

impl System {
    fn health(&self, call: &Call) -> Answer {
        let status = active_code(|name| call.fields.optional_text(name))?;
        let core = self.core()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        bare(
            status,
            &Health {
                initialized: true,
                sealed: false,
                standby: false,
                performance_standby: false,
                replication_performance_mode: "disabled",
                replication_dr_mode: "disabled",
                server_time_utc: now.map_or(0, |since| since.as_secs()),
                version: SERVER_VERSION,
                enterprise: false,
                cluster_name: &core.cluster().name,
                cluster_id: &core.cluster().id,
                echo_duration_ms: 0,
                clock_skew_ms: 0,
                replication_primary_canary_age_ms: 0,
                removed_from_cluster: false,
            },
        )
    }
}

/// The status of an active node. Every parameter is checked, also one of a state that this node is
/// not in: a load balancer's mistake shows at once, not in the night of the failover.
fn active_code<'f>(parameter: impl Fn(&'static str) -> Option<&'f str>) -> Result<u16, Error> {
    let mut active = 200;
    for (name, _) in CODES {
        let Some(text) = parameter(name) else {
            continue;
        };
        let code = text.parse().ok().filter(|code| (100..=999).contains(code));
        let code = code.ok_or_else(unreadable)?;
        if name == "activecode" {
            active = code;
        }
    }
    for (name, _) in FLAGS {
        let is_boolean = |text: &str| {
            // As Go reads booleans; a parameter without a value counts as given.
            let words = ["", "1", "t", "T", "TRUE", "true", "True"];
            let others = ["0", "f", "F", "FALSE", "false", "False"];
            words.contains(&text) || others.contains(&text)
        };
        if parameter(name).is_some_and(|text| !is_boolean(text)) {
            return Err(unreadable());
        }
    }
    Ok(active)
}

fn unreadable() -> Error {
    Error::new(ErrorKind::InvalidRequest, Shape::Plain, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(parameters: &[(&str, &'static str)]) -> Option<u16> {
        let find = |name: &str| parameters.iter().find(|(n, _)| *n == name).map(|(_, v)| *v);
        active_code(find).ok()
    }

    #[test]
    fn the_active_code_can_be_chosen() {
        assert_eq!(code(&[]), Some(200));
        assert_eq!(code(&[("activecode", "418")]), Some(418));
        assert_eq!(code(&[("activecode", "600")]), Some(600));
        assert_eq!(code(&[("sealedcode", "299")]), Some(200));
        assert_eq!(
            code(&[("standbyok", "true"), ("activecode", "222")]),
            Some(222)
        );
        assert_eq!(code(&[("standbyok", "")]), Some(200));
    }

    #[test]
    fn what_is_no_status_and_no_boolean_is_refused() {
        for bad in ["", "abc", "99", "1000", "-200", " 300", "2e2"] {
            assert_eq!(code(&[("activecode", bad)]), None, "{bad}");
            assert_eq!(code(&[("sealedcode", bad)]), None, "{bad}");
        }
        assert_eq!(code(&[("standbyok", "xx")]), None);
        assert!(unreadable().rendered().is_empty());
    }
}
