//! `GET sys/metrics`: counters and gauges per mount and per plugin, for Prometheus, or as the JSON
//! document that Vault answers by default.

use super::exposition::{Family, Kind, json, text};
use crate::System;
use crate::answer::{Answer, bare};
use linchpin_core::Core;
use linchpin_core::sight::{BOUNDS, MountSight};
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_model::{Operation, RawBody, Response, SERVER_VERSION};
use std::time::{SystemTime, UNIX_EPOCH};

/// The text format of Prometheus, as Vault names it.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("metrics", "The metrics of this node.")
            .describe(
                "Requests and reloads per mount, starts, crashes, memory and CPU time per plugin.",
            )
            .field(
                "format",
                FieldType::String,
                "`prometheus`, or empty for JSON.",
            )
            .on(Operation::Read, |sys, _ctx, call| {
                Box::pin(async move { sys.metrics(&call) })
            }),
    ]
}

impl System {
    fn metrics(&self, call: &Call) -> Answer {
        let core = self.core()?;
        match call.fields.text("format") {
            "" => bare(200, &json(&families(&core), SystemTime::now())),
            "prometheus" => raw(200, TEXT, text(&families(&core))),
            // As the reference says it, and as plain text.
            other => {
                let shown: String = other.chars().take(64).collect();
                let words = format!("metric response format {shown:?} unknown");
                raw(400, "text/plain", words)
            }
        }
    }
}

fn raw(status: u16, content_type: &str, body: String) -> Answer {
    Ok(Some(Response {
        raw: Some(RawBody {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
            cache_control: String::new(),
            pragma: String::new(),
            www_authenticate: String::new(),
        }),
        ..Response::default()
    }))
}

fn families(core: &Core) -> Vec<Family> {
    let mut all = vec![build_info(core)];
    mounts(&core.sight(), &mut all);
    processes(core, &mut all);
    totals(core, &mut all);
    all
}

fn build_info(core: &Core) -> Family {
    let mut info = Family::new(
        "linchpin.build.info",
        Kind::Gauge,
        "The version of this node; always 1.",
    );
    info.sample(
        &[
            ("version", SERVER_VERSION),
            ("node", &core.settings().node_name),
        ],
        1.0,
    );
    info
}

/// The labels that every sample of a mount has.
fn labels(sight: &MountSight) -> [(&'static str, &str); 3] {
    [
        ("mount", &sight.path),
        ("type", sight.plugin_type.as_str()),
        ("plugin", &sight.name),
    ]
}

fn mounts(sights: &[MountSight], all: &mut Vec<Family>) {
    let mut requests = Family::new(
        "linchpin.mount.requests",
        Kind::Counter,
        "Requests that reached the engine of a mount, by what became of them.",
    );
    let mut seconds = Family::new(
        "linchpin.mount.request.duration.seconds",
        Kind::Histogram,
        "How long the engine of a mount took for a request.",
    );
    let mut running = Family::new(
        "linchpin.mount.requests.running",
        Kind::Gauge,
        "Requests inside the engine of a mount.",
    );
    let mut waiting = Family::new(
        "linchpin.mount.requests.waiting",
        Kind::Gauge,
        "Requests that wait while a mount is switched.",
    );
    let mut reloads = Family::new(
        "linchpin.mount.reloads",
        Kind::Counter,
        "Reloads of a mount, by what became of them.",
    );
    let mut up = Family::new(
        "linchpin.mount.up",
        Kind::Gauge,
        "Whether something healthy serves a mount.",
    );
    let mut pending = Family::new(
        "linchpin.mount.reload.pending",
        Kind::Gauge,
        "Whether a reload would change what a mount runs.",
    );
    let mut runs = Family::new(
        "linchpin.mount.running.info",
        Kind::Gauge,
        "What a mount runs; always 1.",
    );
    for sight in sights {
        let base = labels(sight);
        for (outcome, count) in sight.counts.outcomes {
            let outcome = ("outcome", outcome.as_str());
            requests.sample(&with(&base, outcome), float(count));
        }
        let bounds = BOUNDS.iter().map(|micros| float(*micros) / 1e6);
        let buckets = bounds.zip(sight.counts.buckets.iter().copied()).collect();
        let count = sight.counts.buckets.iter().sum();
        seconds.histogram(&base, buckets, count, float(sight.counts.micros) / 1e6);
        running.sample(&base, float(sight.inside.0 as u64));
        waiting.sample(&base, float(sight.waiting as u64));
        let (done, failed) = (sight.counts.reloads, sight.counts.failed_reloads);
        reloads.sample(&with(&base, ("outcome", "reloaded")), float(done));
        reloads.sample(&with(&base, ("outcome", "failed")), float(failed));
        up.sample(&base, flag(sight.state.cause().is_empty()));
        pending.sample(&base, flag(sight.is_pending()));
        let digest = sight.running.sha256.map(|sha256| sha256.to_string());
        let version = with(&base, ("version", &sight.running.version));
        let version = with(&version, ("sha256", digest.as_deref().unwrap_or_default()));
        runs.sample(&version, 1.0);
    }
    all.extend([
        requests, seconds, running, waiting, reloads, up, pending, runs,
    ]);
}

fn processes(core: &Core, all: &mut Vec<Family>) {
    let mut memory = Family::new(
        "linchpin.plugin.process.memory.bytes",
        Kind::Gauge,
        "Resident memory of a plugin process.",
    );
    let mut cpu = Family::new(
        "linchpin.plugin.process.cpu.seconds",
        Kind::Counter,
        "CPU time of a plugin process.",
    );
    let mut started = Family::new(
        "linchpin.plugin.process.start.time.seconds",
        Kind::Gauge,
        "When a plugin process was started, in seconds since 1970.",
    );
    let mut mounts = Family::new(
        "linchpin.plugin.process.mounts",
        Kind::Gauge,
        "How many mounts live in a plugin process.",
    );
    let mut instances = core.fleet().instances();
    instances.sort_by_key(linchpin_engine::InstanceStatus::pid);
    for some in instances.chunk_by(|a, b| a.pid() == b.pid()) {
        let Some((first, process)) = some.first().and_then(|i| Some((i, i.process.as_ref()?)))
        else {
            continue;
        };
        let pid = process.pid.to_string();
        let labels = [
            ("type", first.entry.plugin_type.as_str()),
            ("plugin", first.entry.name.as_str()),
            ("version", first.entry.version_text()),
            ("pid", pid.as_str()),
        ];
        if let Some(bytes) = process.memory {
            memory.sample(&labels, float(bytes));
        }
        if let Some(used) = process.cpu {
            cpu.sample(&labels, used.as_secs_f64());
        }
        if let Ok(since) = process.started.duration_since(UNIX_EPOCH) {
            started.sample(&labels, since.as_secs_f64());
        }
        mounts.sample(&labels, float(some.len() as u64));
    }
    all.extend([memory, cpu, started, mounts]);
}

fn totals(core: &Core, all: &mut Vec<Family>) {
    type Value = fn(&linchpin_engine::PluginTotals) -> f64;
    let wanted: [(&'static str, Kind, &'static str, Value); 5] = [
        (
            "linchpin.plugin.starts",
            Kind::Counter,
            "Processes of a plugin that shook hands.",
            |t| float(t.starts),
        ),
        (
            "linchpin.plugin.failed.starts",
            Kind::Counter,
            "Starts of a plugin that failed.",
            |t| float(t.failed_starts),
        ),
        (
            "linchpin.plugin.crashes",
            Kind::Counter,
            "Processes of a plugin that ended unasked.",
            |t| float(t.crashes),
        ),
        (
            "linchpin.plugin.hangs",
            Kind::Counter,
            "Processes of a plugin that hung and were killed.",
            |t| float(t.hangs),
        ),
        (
            "linchpin.plugin.breaker.open",
            Kind::Gauge,
            "Whether a plugin keeps ending, so that it is not started at the moment.",
            |t| flag(t.breaker_open),
        ),
    ];
    let totals = core.fleet().totals();
    for (name, kind, help, value) in wanted {
        let mut family = Family::new(name, kind, help);
        for total in &totals {
            let labels = [
                ("type", total.plugin_type.as_str()),
                ("plugin", total.name.as_str()),
                ("version", total.version.as_str()),
            ];
            family.sample(&labels, value(total));
        }
        all.push(family);
    }
}

fn with<'l>(
    labels: &[(&'static str, &'l str)],
    more: (&'static str, &'l str),
) -> Vec<(&'static str, &'l str)> {
    labels.iter().copied().chain([more]).collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "both formats know floats only; a count above 2^53 is not in sight"
)]
fn float(count: u64) -> f64 {
    count as f64
}

fn flag(is_set: bool) -> f64 {
    f64::from(u8::from(is_set))
}
