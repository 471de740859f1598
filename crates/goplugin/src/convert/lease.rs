//! Times, leases, secrets and logins.

use std::time::{Duration, SystemTime};

use linchpin_model::{Auth, Lease, Secret, WrapRequest};
use prost_types::Timestamp;

use super::{ConvertError, json_from_wire, json_to_wire, non_empty};
use crate::proto::{logical, pb};

/// Go's zero time, the year 1: what stands for "no time" on the wire.
const ZERO_TIME: Timestamp = Timestamp {
    seconds: -62_135_596_800,
    nanos: 0,
};

pub(crate) fn duration_to_wire(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A negative duration counts as none.
pub(crate) fn duration_from_wire(nanoseconds: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or_default())
}

fn time_to_wire(time: Option<SystemTime>) -> Timestamp {
    time.map_or(ZERO_TIME, Timestamp::from)
}

fn time_from_wire(time: Option<Timestamp>) -> Option<SystemTime> {
    time.filter(|time| *time != ZERO_TIME)
        .and_then(|time| SystemTime::try_from(time).ok())
}

fn lease_to_wire(lease: &Lease) -> pb::LeaseOptions {
    pb::LeaseOptions {
        ttl: duration_to_wire(lease.ttl),
        renewable: lease.renewable,
        increment: duration_to_wire(lease.increment),
        issue_time: Some(time_to_wire(lease.issue_time)),
        max_ttl: duration_to_wire(lease.max_ttl),
    }
}

fn lease_from_wire(lease: Option<pb::LeaseOptions>) -> Lease {
    let Some(lease) = lease else {
        return Lease::default();
    };
    Lease {
        ttl: duration_from_wire(lease.ttl),
        max_ttl: duration_from_wire(lease.max_ttl),
        renewable: lease.renewable,
        increment: duration_from_wire(lease.increment),
        issue_time: time_from_wire(lease.issue_time),
    }
}

/// The lease id stays empty: plugins must not look at it, and ours never do (plugin-protocol §3.3).
pub(super) fn secret_to_wire(secret: &Secret) -> pb::Secret {
    pb::Secret {
        lease_options: Some(lease_to_wire(&secret.lease)),
        internal_data: json_to_wire(secret.internal_data.as_ref()),
        lease_id: String::new(),
    }
}

pub(super) fn secret_from_wire(secret: pb::Secret) -> Result<Secret, ConvertError> {
    Ok(Secret {
        lease: lease_from_wire(secret.lease_options),
        internal_data: json_from_wire("secret.internal_data", secret.internal_data)?,
    })
}

pub(super) fn auth_to_wire(auth: &Auth) -> pb::Auth {
    pb::Auth {
        lease_options: Some(lease_to_wire(&auth.lease)),
        internal_data: json_to_wire(auth.internal_data.as_ref()),
        display_name: auth.display_name.clone(),
        policies: auth.policies.clone(),
        metadata: auth.metadata.clone(),
        period: duration_to_wire(auth.period),
        num_uses: auth.num_uses,
        alias: non_empty(auth.alias_name.clone()).map(|name| logical::Alias {
            name,
            ..logical::Alias::default()
        }),
        explicit_max_ttl: duration_to_wire(auth.explicit_max_ttl),
        ..pb::Auth::default()
    }
}

pub(super) fn auth_from_wire(auth: pb::Auth) -> Result<Auth, ConvertError> {
    Ok(Auth {
        lease: lease_from_wire(auth.lease_options),
        internal_data: json_from_wire("auth.internal_data", auth.internal_data)?,
        display_name: auth.display_name,
        policies: auth.policies,
        metadata: auth.metadata,
        alias_name: auth.alias.map(|alias| alias.name).unwrap_or_default(),
        period: duration_from_wire(auth.period),
        num_uses: auth.num_uses,
        explicit_max_ttl: duration_from_wire(auth.explicit_max_ttl),
    })
}

pub(super) fn wrap_request_to_wire(wrap: &WrapRequest) -> pb::RequestWrapInfo {
    pb::RequestWrapInfo {
        ttl: duration_to_wire(wrap.ttl),
        format: wrap.format.clone(),
        seal_wrap: false,
    }
}

pub(super) fn wrap_request_from_wire(wrap: pb::RequestWrapInfo) -> WrapRequest {
    WrapRequest {
        ttl: duration_from_wire(wrap.ttl),
        format: wrap.format,
    }
}

/// A response can only ask for wrapping; what looks like a token in it is never set and never read.
pub(super) fn wrap_response_to_wire(wrap: &WrapRequest) -> pb::ResponseWrapInfo {
    pb::ResponseWrapInfo {
        ttl: duration_to_wire(wrap.ttl),
        format: wrap.format.clone(),
        creation_time: Some(ZERO_TIME),
        ..pb::ResponseWrapInfo::default()
    }
}

pub(super) fn wrap_response_from_wire(wrap: pb::ResponseWrapInfo) -> WrapRequest {
    WrapRequest {
        ttl: duration_from_wire(wrap.ttl),
        format: wrap.format,
    }
}
