//! `GET sys/plugins/status`: per plugin what is pinned and registered, and per mount what it should
//! run, what it runs, and whether a reload would change anything.

use crate::System;
use crate::answer::{Answer, answer};
use crate::mount_entry::hex;
use linchpin_core::sight::MountSight;
use linchpin_engine::PluginTotals;
use linchpin_engine::path::PathSpec;
use linchpin_model::{Operation, PluginType};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Listing<'s> {
    node: &'s str,
    plugins: Vec<Plugin<'s>>,
}

#[derive(Serialize, Default)]
struct Plugin<'s> {
    r#type: &'static str,
    name: &'s str,
    pinned_version: String,
    versions: Vec<String>,
    mounts: Vec<Row<'s>>,
    totals: Vec<Totals<'s>>,
}

#[derive(Serialize)]
struct Row<'s> {
    mount: &'s str,
    namespace: &'static str,
    configured_version: &'s str,
    /// What a reload would run; empty when it could run nothing, and `cause` says why.
    desired_version: &'s str,
    desired_sha256: String,
    running_version: &'s str,
    running_sha256: String,
    generation: Option<u64>,
    state: &'static str,
    cause: &'s str,
    pending: bool,
    requests_running: usize,
    requests_waiting: usize,
}

#[derive(Serialize)]
struct Totals<'s> {
    version: &'s str,
    starts: u64,
    failed_starts: u64,
    crashes: u64,
    hangs: u64,
    breaker_open: bool,
}

pub(super) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new(
            "plugins/status",
            "What every plugin should run, and what it runs on this node.",
        )
        .describe(
            "One entry per plugin that is registered, pinned, mounted or was started: its versions, \
             its pin, and for each of its mounts the desired and the running version. `pending` says \
             that a reload would change the mount.",
        )
        .on(Operation::Read, |sys, _ctx, _call| {
            Box::pin(async move { sys.plugin_status() })
        }),
    ]
}

impl System {
    fn plugin_status(&self) -> Answer {
        let core = self.core()?;
        let (catalog, sights, totals) = (core.catalog(), core.sight(), core.fleet().totals());
        let mut plugins: BTreeMap<(PluginType, &str), Plugin<'_>> = BTreeMap::new();
        fn plugin<'p, 's>(
            plugins: &'p mut BTreeMap<(PluginType, &'s str), Plugin<'s>>,
            kind: PluginType,
            name: &'s str,
        ) -> &'p mut Plugin<'s> {
            plugins.entry((kind, name)).or_insert_with(|| Plugin {
                r#type: kind.as_str(),
                name,
                ..Plugin::default()
            })
        }
        for entry in catalog.entries() {
            let version = entry.version_text().to_owned();
            plugin(&mut plugins, entry.plugin_type, &entry.name)
                .versions
                .push(version);
        }
        let pins: Vec<_> = catalog.pins().collect();
        for pin in &pins {
            plugin(&mut plugins, pin.plugin_type, &pin.name).pinned_version =
                pin.version.to_string();
        }
        for sight in &sights {
            plugin(&mut plugins, sight.plugin_type, &sight.name)
                .mounts
                .push(row(sight));
        }
        for total in &totals {
            plugin(&mut plugins, total.plugin_type, &total.name)
                .totals
                .push(Totals::from(total));
        }
        answer(&Listing {
            node: &core.settings().node_name,
            plugins: plugins.into_values().collect(),
        })
    }
}

fn row(sight: &MountSight) -> Row<'_> {
    let desired = sight.desired.as_ref();
    let why_not = sight.desired.as_ref().err().map_or("", String::as_str);
    let cause = match sight.state.cause() {
        "" => why_not,
        cause => cause,
    };
    Row {
        mount: &sight.path,
        namespace: "",
        configured_version: &sight.configured_version,
        desired_version: desired.map_or("", |d| d.version.as_str()),
        desired_sha256: hex(desired.ok().and_then(|d| d.sha256.as_ref())),
        running_version: &sight.running.version,
        running_sha256: hex(sight.running.sha256.as_ref()),
        generation: sight.running.generation,
        state: sight.state.as_str(),
        cause,
        pending: sight.is_pending(),
        requests_running: sight.inside.0,
        requests_waiting: sight.waiting,
    }
}

impl<'s> From<&'s PluginTotals> for Totals<'s> {
    fn from(totals: &'s PluginTotals) -> Self {
        Self {
            version: &totals.version,
            starts: totals.starts,
            failed_starts: totals.failed_starts,
            crashes: totals.crashes,
            hangs: totals.hangs,
            breaker_open: totals.breaker_open,
        }
    }
}
