//! Tidy: crates depend on each other only as the table of `docs/architecture.md` says. A new arrow is a decision: it is made there
//! and here in the same change.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::Run;

/// Crate and what it may use besides `model` and `telemetry`.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("telemetry", &[]),
    ("crypto", &[]),
    ("storage", &[]),
    ("formats", &[]),
    ("hcl", &[]),
    ("engine", &[]),
    ("catalog", &[]),
    ("policy", &["hcl"]),
    ("barrier", &["storage", "crypto", "formats"]),
    ("audit", &["crypto"]),
    ("client", &["crypto"]),
    ("goplugin", &["engine", "crypto"]),
    ("grants", &["engine", "barrier", "formats", "crypto"]),
    ("identity", &["engine", "barrier", "formats", "crypto"]),
    ("plugin-sdk", &["goplugin", "engine"]),
    ("database-postgresql", &["plugin-sdk"]),
    ("plugin-host", &["goplugin", "engine", "catalog", "crypto"]),
    ("builtins", &["engine", "formats", "crypto"]),
    (
        "core",
        &[
            "grants", "identity", "audit", "engine", "barrier", "policy", "catalog", "formats",
            "crypto",
        ],
    ),
    (
        "cluster",
        &["core", "engine", "storage", "catalog", "formats", "crypto"],
    ),
    (
        "sys",
        &[
            "core", "grants", "identity", "audit", "engine", "policy", "catalog",
        ],
    ),
    ("http", &["core", "engine", "crypto"]),
    ("ui", &["core", "engine", "crypto"]),
    (
        "cli",
        &["client", "crypto", "barrier", "storage", "formats"],
    ),
    ("testkit", &["client"]),
];

/// Compares what cargo knows with the table. `linchpin` may use every crate but `testkit`; dev-dependencies are free.
pub(crate) fn check() -> Result<()> {
    let metadata = Run::cargo([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ])
    .output()?;
    let metadata: Value = serde_json::from_str(&metadata).context("read `cargo metadata`")?;
    let wrong = violations(&uses(&metadata));
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

/// For each of our crates, by folder name, those of our crates that it depends on when it is built.
fn uses(metadata: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    packages
        .filter_map(|package| {
            let name = folder(package.get("name")?.as_str()?)?;
            let dependencies = package
                .get("dependencies")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            let ours = dependencies
                .filter(|dependency| {
                    dependency
                        .get("kind")
                        .is_none_or(|kind| kind.as_str() != Some("dev"))
                })
                .filter_map(|dependency| folder(dependency.get("name")?.as_str()?))
                .collect();
            Some((name, ours))
        })
        .collect()
}

fn folder(package: &str) -> Option<String> {
    if package == "linchpin" {
        return Some(package.to_owned());
    }
    package.strip_prefix("linchpin-").map(str::to_owned)
}

fn violations(uses: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, used) in uses {
        if name == "linchpin" {
            if used.contains("testkit") {
                wrong.push("linchpin uses testkit outside of tests".to_owned());
            }
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| from == name) else {
            wrong.push(format!("{name} is not in the table of arrows"));
            continue;
        };
        for to in used {
            let vocabulary = to == "model" || (to == "telemetry" && name != "model");
            if !vocabulary && !allowed.contains(&to.as_str()) {
                wrong.push(format!("{name} may not depend on {to}"));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, used: &[&str]) -> Vec<String> {
        violations(&BTreeMap::from([(
            name.to_owned(),
            used.iter().map(ToString::to_string).collect(),
        )]))
    }

    #[test]
    fn arrows_of_the_table_and_the_vocabulary_are_allowed() {
        assert_eq!(
            found("barrier", &["model", "telemetry", "storage"]),
            Vec::<String>::new()
        );
        assert_eq!(
            found("linchpin", &["core", "http", "plugin-host"]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn any_other_arrow_is_named() {
        assert_eq!(
            found("core", &["plugin-host"]),
            ["core may not depend on plugin-host"]
        );
        assert_eq!(
            found("model", &["telemetry"]),
            ["model may not depend on telemetry"]
        );
        assert_eq!(
            found("linchpin", &["testkit"]),
            ["linchpin uses testkit outside of tests"]
        );
        assert_eq!(found("new", &[]), ["new is not in the table of arrows"]);
    }
}
