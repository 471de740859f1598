//! `cargo xtask fuzz`: builds the fuzz targets with what libFuzzer needs and runs one of them.
//!
//! The stable compiler is enough: the sanitizer coverage passes are part of it, and no sanitizer is used, since what is fuzzed has no
//! `unsafe` of its own. `cargo-fuzz` is not needed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::Run;
use crate::say;

/// The targets, with what each looks at.
const TARGETS: [(&str, &str); 8] = [
    (
        "handshake",
        "the line in which a plugin says where it listens",
    ),
    ("log_line", "what a plugin writes to stderr"),
    ("paths", "paths of requests, mounts, keys and engines"),
    (
        "versions",
        "versions of plugins: grammar, canonical form, order",
    ),
    (
        "plugin_answers",
        "what a plugin answers, up to the HTTP answer made of it",
    ),
    (
        "callbacks",
        "what a plugin asks of its storage and of the node",
    ),
    ("catalog_record", "stored catalog entries and pins"),
    ("json_body", "bodies of requests"),
];

/// Counters at every edge, a table of their places, and hooks at comparisons: what libFuzzer steers by. The last one keeps the optimiser
/// from folding branches together, whose edges would then not be told apart.
const FLAGS: [&str; 8] = [
    "--cfg",
    "fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// `fuzz` lists the targets, `fuzz TARGET [-- ARGS]` runs one, ten minutes unless the arguments of libFuzzer say otherwise.
pub(crate) fn run(rest: &[String]) -> Result<()> {
    let (target, arguments) = match rest {
        [] => {
            for (name, about) in TARGETS {
                say::text(&format!("{name:16}{about}\n"));
            }
            return Ok(());
        }
        [target] => (target, &[][..]),
        [target, dashes, arguments @ ..] if dashes == "--" => (target, arguments),
        [_, unknown, ..] => bail!("unknown argument {unknown:?}; libFuzzer's go behind `--`"),
    };
    if !TARGETS.iter().any(|(name, _)| name == target) {
        bail!("there is no fuzz target {target:?}; `cargo xtask fuzz` lists them");
    }
    let folder = crate::root().join("fuzz");
    let program = build(&folder, target)?;

    // What is found goes to a folder that is not kept; `README.md` tells how it gets into the corpus.
    let found = crate::target().join("fuzz/found").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for folder in [&found, &artifacts] {
        std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    let mut command = vec![
        format!("-artifact_prefix={}/", artifacts.display()),
        "-max_total_time=600".to_owned(),
        "-timeout=10".to_owned(),
        "-print_final_stats=1".to_owned(),
    ];
    command.extend(arguments.iter().cloned());
    // Files are run once each; libFuzzer does that only when nothing else is named.
    let files = |argument: &String| crate::root().join(argument).is_file();
    if !arguments.iter().any(files) {
        command.push(found.display().to_string());
        command.push(folder.join("corpus").join(target).display().to_string());
    }
    Run::new(&program, command).status()
}

/// Builds one target. Named by its triple, since then build scripts and macros are built without the coverage passes.
fn build(folder: &Path, target: &str) -> Result<PathBuf> {
    let triple = triple()?;
    let out = crate::target().join("fuzz");
    Run::cargo([
        "build",
        "--release",
        "--bin",
        target,
        "--target",
        triple.as_str(),
    ])
    .env("RUSTFLAGS", FLAGS.join(" "))
    .env("CARGO_TARGET_DIR", &out)
    .within(folder)
    .status()?;
    Ok(out.join(triple).join("release").join(target))
}

/// The triple of the machine that we run on.
fn triple() -> Result<String> {
    let said = Run::new("rustc", ["-vV"]).output()?;
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(ToOwned::to_owned)
        .context("`rustc -vV` names no host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_program_a_check_and_a_corpus() {
        let folder = crate::root().join("fuzz");
        for (target, _) in TARGETS {
            assert!(folder.join(format!("targets/{target}.rs")).is_file());
            assert!(folder.join(format!("checks/{target}.rs")).is_file());
            assert!(folder.join("corpus").join(target).is_dir(), "{target}");
        }
        let programs = std::fs::read_dir(folder.join("targets")).unwrap();
        assert_eq!(programs.count(), TARGETS.len());
    }

    #[test]
    fn an_unknown_target_or_argument_is_named() {
        let text = |rest: &[&str]| {
            let rest: Vec<String> = rest.iter().map(ToString::to_string).collect();
            run(&rest).unwrap_err().to_string()
        };
        assert!(text(&["nothing"]).contains("nothing"));
        assert!(text(&["paths", "-runs=1"]).contains("-runs=1"));
    }
}
