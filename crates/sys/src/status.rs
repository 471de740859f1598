//! The other bare endpoints: seal status, leader, initialization (core-api §2.2).
//!
//! A server of this release is a dev server: initialized with one key share and unsealed by itself.

use crate::System;
use crate::answer::{Answer, bare};
use linchpin_engine::Error;
use linchpin_engine::path::PathSpec;
use linchpin_model::{Operation, SERVER_VERSION};
use serde::Serialize;

/// When this build was made, RFC 3339; empty in a build that was not told.
const BUILD_DATE: &str = match option_env!("LINCHPIN_BUILD_DATE") {
    Some(date) => date,
    None => "",
};

#[derive(Serialize)]
struct SealStatus<'c> {
    r#type: &'static str,
    initialized: bool,
    sealed: bool,
    t: u8,
    n: u8,
    progress: u8,
    nonce: &'static str,
    recovery_seal: bool,
    version: &'static str,
    // OpenBao's name for it, and Vault's.
    commit_date: &'static str,
    build_date: &'static str,
    migration: bool,
    cluster_name: &'c str,
    cluster_id: &'c str,
    storage_type: &'c str,
}

/// Vault sends every key also where there is no HA.
#[derive(Serialize)]
struct Leader {
    ha_enabled: bool,
    is_self: bool,
    active_time: &'static str,
    leader_address: &'static str,
    leader_cluster_address: &'static str,
    performance_standby: bool,
    performance_standby_last_remote_wal: u64,
}

#[derive(Serialize)]
struct Initialized {
    initialized: bool,
}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("seal-status", "Whether the server is sealed.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.seal_status() })
            }),
        PathSpec::<System>::new("leader", "Which node of the cluster is active.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.leader() })
            }),
        PathSpec::<System>::new("init", "Whether the server is initialized.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.initialized() })
            })
            .on_write(|_sys, _ctx, _call| {
                Box::pin(async { Err(Error::refused("Vault is already initialized")) })
            }),
    ]
}

impl System {
    fn seal_status(&self) -> Answer {
        let core = self.core()?;
        bare(
            200,
            &SealStatus {
                r#type: "shamir",
                initialized: true,
                sealed: false,
                t: 1,
                n: 1,
                progress: 0,
                nonce: "",
                recovery_seal: false,
                version: SERVER_VERSION,
                commit_date: BUILD_DATE,
                build_date: BUILD_DATE,
                migration: false,
                cluster_name: &core.cluster().name,
                cluster_id: &core.cluster().id,
                storage_type: core.settings().storage_type,
            },
        )
    }

    fn leader(&self) -> Answer {
        self.core()?;
        bare(
            200,
            &Leader {
                ha_enabled: false,
                is_self: false,
                active_time: "0001-01-01T00:00:00Z",
                leader_address: "",
                leader_cluster_address: "",
                performance_standby: false,
                performance_standby_last_remote_wal: 0,
            },
        )
    }

    fn initialized(&self) -> Answer {
        self.core()?;
        bare(200, &Initialized { initialized: true })
    }
}
