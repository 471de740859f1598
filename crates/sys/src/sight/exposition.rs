//! Metrics as text for Prometheus (its text format 0.0.4) and as the JSON document of Vault's
//! `sys/metrics`. Two small formats over one list; nothing is registered anywhere, since what is
//! shown is read at the moment of the request.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;

/// What a family measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

type Labels = Vec<(&'static str, String)>;

/// Samples of one name. The name has dots, as Vault writes it; Prometheus gets underscores.
#[derive(Debug)]
pub(super) struct Family {
    name: &'static str,
    kind: Kind,
    help: &'static str,
    samples: Vec<(Labels, f64)>,
    histograms: Vec<(Labels, Histogram)>,
}

#[derive(Debug)]
struct Histogram {
    /// Upper bounds with how many are in each bucket, not cumulated.
    buckets: Vec<(f64, u64)>,
    count: u64,
    sum: f64,
}

impl Family {
    pub(super) fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            kind,
            help,
            samples: Vec::new(),
            histograms: Vec::new(),
        }
    }

    pub(super) fn sample(&mut self, labels: &[(&'static str, &str)], value: f64) {
        self.samples.push((owned(labels), value));
    }

    pub(super) fn histogram(
        &mut self,
        labels: &[(&'static str, &str)],
        buckets: Vec<(f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        let histogram = Histogram {
            buckets,
            count,
            sum,
        };
        self.histograms.push((owned(labels), histogram));
    }
}

fn owned(labels: &[(&'static str, &str)]) -> Labels {
    let one = |(name, value): &(&'static str, &str)| (*name, (*value).to_owned());
    labels.iter().map(one).collect()
}

/// The text format. Families without samples are left out.
pub(super) fn text(families: &[Family]) -> String {
    let mut out = String::new();
    for family in families {
        if family.samples.is_empty() && family.histograms.is_empty() {
            continue;
        }
        let (kind, suffix) = match family.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        let name = format!("{}{suffix}", family.name.replace('.', "_"));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "# HELP {name} {}", family.help);
        let _ = writeln!(out, "# TYPE {name} {kind}");
        for (labels, value) in &family.samples {
            let _ = writeln!(out, "{name}{} {value}", braces(labels, None));
        }
        for (labels, histogram) in &family.histograms {
            let mut so_far = 0;
            for (bound, count) in &histogram.buckets {
                so_far += count;
                let labels = braces(labels, Some(&bound.to_string()));
                let _ = writeln!(out, "{name}_bucket{labels} {so_far}");
            }
            let infinite = braces(labels, Some("+Inf"));
            let _ = writeln!(out, "{name}_bucket{infinite} {}", histogram.count);
            let labels = braces(labels, None);
            let _ = writeln!(out, "{name}_sum{labels} {}", histogram.sum);
            let _ = writeln!(out, "{name}_count{labels} {}", histogram.count);
        }
    }
    out
}

fn braces(labels: &Labels, bound: Option<&str>) -> String {
    let mut parts: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    parts.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if parts.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", parts.join(","))
    }
}

/// A mount's path or a plugin's name may hold anything.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Vault's document. A histogram is a sample with its count, sum and mean.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Document<'f> {
    timestamp: String,
    gauges: Vec<Gauge<'f>>,
    points: [(); 0],
    counters: Vec<Count<'f>>,
    samples: Vec<Count<'f>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Gauge<'f> {
    name: &'f str,
    value: f64,
    labels: BTreeMap<&'static str, &'f str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Count<'f> {
    name: &'f str,
    count: u64,
    sum: f64,
    mean: f64,
    labels: BTreeMap<&'static str, &'f str>,
}

pub(super) fn json(families: &[Family], now: SystemTime) -> Document<'_> {
    let mut document = Document {
        timestamp: stamp(now),
        gauges: Vec::new(),
        points: [],
        counters: Vec::new(),
        samples: Vec::new(),
    };
    for family in families {
        for (labels, value) in &family.samples {
            let (name, labels) = (family.name, borrowed(labels));
            match family.kind {
                Kind::Counter => document.counters.push(Count {
                    name,
                    count: whole(*value),
                    sum: *value,
                    mean: if *value > 0.0 { 1.0 } else { 0.0 },
                    labels,
                }),
                _ => document.gauges.push(Gauge {
                    name,
                    value: *value,
                    labels,
                }),
            }
        }
        for (labels, histogram) in &family.histograms {
            #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
            let mean = if histogram.count == 0 {
                0.0
            } else {
                histogram.sum / histogram.count as f64
            };
            document.samples.push(Count {
                name: family.name,
                count: histogram.count,
                sum: histogram.sum,
                mean,
                labels: borrowed(labels),
            });
        }
    }
    document
}

fn borrowed(labels: &Labels) -> BTreeMap<&'static str, &str> {
    labels
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counters are not negative, and a cast saturates"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

/// As Vault writes it: `2026-01-02 15:04:05 +0000 UTC`.
fn stamp(now: SystemTime) -> String {
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |s| s.as_secs());
    let at = i64::try_from(seconds).ok();
    let at = at.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let text = at.and_then(|at| at.format(&format).ok());
    format!("{} +0000 UTC", text.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Vec<Family> {
        let mut requests = Family::new("a.requests", Kind::Counter, "Requests.");
        requests.sample(&[("mount", "m\"\\\n/"), ("outcome", "ok")], 3.0);
        let mut seconds = Family::new("a.seconds", Kind::Histogram, "Durations.");
        seconds.histogram(&[("mount", "m/")], vec![(0.001, 1), (0.5, 2)], 4, 2.5);
        let empty = Family::new("a.nothing", Kind::Gauge, "Nothing.");
        vec![requests, seconds, empty]
    }

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let expected = r#"# HELP a_requests_total Requests.
# TYPE a_requests_total counter
a_requests_total{mount="m\"\\\n/",outcome="ok"} 3
# HELP a_seconds Durations.
# TYPE a_seconds histogram
a_seconds_bucket{mount="m/",le="0.001"} 1
a_seconds_bucket{mount="m/",le="0.5"} 3
a_seconds_bucket{mount="m/",le="+Inf"} 4
a_seconds_sum{mount="m/"} 2.5
a_seconds_count{mount="m/"} 4
"#;
        assert_eq!(text(&families()), expected);
    }

    #[test]
    fn the_document_has_the_keys_of_vaults() {
        let families = families();
        let document = json(&families, UNIX_EPOCH);
        let document = serde_json::to_value(&document).unwrap();
        assert_eq!(document["Timestamp"], "1970-01-01 00:00:00 +0000 UTC");
        assert_eq!(document["Counters"][0]["Count"], 3);
        assert_eq!(document["Samples"][0]["Mean"], 0.625);
        assert_eq!(document["Gauges"], serde_json::json!([]));
        assert_eq!(document["Points"], serde_json::json!([]));
    }
}
