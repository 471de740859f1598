//! `GET sys/plugins/instances`: every running instance with the process that it lives in.

use super::rfc3339;
use crate::System;
use crate::answer::{Answer, answer};
use linchpin_core::sight::{MountSight, MountState};
use linchpin_engine::path::PathSpec;
use linchpin_engine::{InstanceState, InstanceStatus};
use linchpin_model::Operation;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::SystemTime;

#[derive(Serialize)]
struct Listing<'s> {
    node: &'s str,
    instances: Vec<Row<'s>>,
}

/// One instance. What no process is there to say is `null`.
#[derive(Serialize)]
struct Row<'s> {
    mount: &'s str,
    namespace: &'static str,
    r#type: &'static str,
    name: &'s str,
    version: &'s str,
    sha256: String,
    generation: u64,
    state: &'static str,
    cause: &'s str,
    pid: Option<u32>,
    started: String,
    uptime_seconds: u64,
    restarts: u64,
    last_error: &'s str,
    multiplexed: Option<bool>,
    verified: &'static str,
    containment: &'s str,
    handshake_ms: Option<u64>,
    memory_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
    node: &'s str,
}

pub(super) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new(
            "plugins/instances",
            "The running plugin instances of this node.",
        )
        .describe(
            "One entry per mount that runs an external plugin: its state, the process that it \
             lives in, and how often that was started again.",
        )
        .on(Operation::Read, |sys, _ctx, _call| {
            Box::pin(async move { sys.instances() })
        }),
    ]
}

impl System {
    fn instances(&self) -> Answer {
        let core = self.core()?;
        let (sights, instances) = (core.sight(), core.fleet().instances());
        let sights: BTreeMap<&str, &MountSight> =
            sights.iter().map(|s| (s.path.as_str(), s)).collect();
        let now = SystemTime::now();
        let node = core.settings().node_name.as_str();
        let mut rows: Vec<Row<'_>> = instances
            .iter()
            // While a mount is switched it has two; what serves is the one that the mount names.
            .map(|i| row(i, sights.get(i.mount.as_str()).copied(), now, node))
            .collect();
        rows.sort_by(|a, b| (a.mount, a.generation).cmp(&(b.mount, b.generation)));
        answer(&Listing {
            node,
            instances: rows,
        })
    }
}

fn row<'s>(
    instance: &'s InstanceStatus,
    mount: Option<&'s MountSight>,
    now: SystemTime,
    node: &'s str,
) -> Row<'s> {
    let (entry, process) = (&instance.entry, instance.process.as_ref());
    let (mut state, mut cause) = match &instance.state {
        InstanceState::Starting => ("starting", ""),
        InstanceState::Running => ("running", ""),
        InstanceState::Degraded(cause) => ("degraded", cause.as_str()),
    };
    let serves = mount.filter(|m| m.running.generation == Some(instance.generation));
    match serves.map(|m| &m.state) {
        Some(MountState::Draining) if state == "running" => state = "draining",
        Some(MountState::Degraded(why)) => (state, cause) = ("degraded", why),
        _ => {}
    }
    let uptime = process.and_then(|p| now.duration_since(p.started).ok());
    Row {
        mount: &instance.mount,
        namespace: "",
        r#type: entry.plugin_type.as_str(),
        name: &entry.name,
        version: entry.version_text(),
        sha256: entry.sha256.to_string(),
        generation: instance.generation,
        state,
        cause,
        pid: process.map(|p| p.pid),
        started: process.map_or_else(String::new, |p| rfc3339(p.started)),
        uptime_seconds: uptime.map_or(0, |u| u.as_secs()),
        restarts: instance.restarts,
        last_error: instance.last_error.as_deref().unwrap_or_default(),
        multiplexed: process.map(|p| p.multiplexed),
        verified: process.map_or("", |p| p.verified),
        containment: process.map_or("", |p| &p.containment),
        handshake_ms: process.map(|p| u64::try_from(p.handshake.as_millis()).unwrap_or(u64::MAX)),
        memory_bytes: process.and_then(|p| p.memory),
        cpu_seconds: process.and_then(|p| p.cpu).map(|cpu| cpu.as_secs_f64()),
        node,
    }
}
