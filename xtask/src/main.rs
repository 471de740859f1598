//! Everything that a developer or CI runs and that is not plain cargo: `cargo xtask <command>`.
//!
//! It depends on next to nothing, so that the first command in a fresh clone starts in seconds. What needs the product's own
//! crates (demo, bench) is an example of `testkit`, built here and started.

mod build;
mod check;
mod fixtures;
mod fuzz;
#[cfg(feature = "generate")]
mod generate;
mod process;
mod say;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
usage: cargo xtask <command>

commands
  fixtures    find or fetch what the tests need beyond Rust: Go, OpenBao, Go plugins in two versions    [--long]
  test        fixtures, build, and every test of the workspace    [--long] [-- ARGS FOR cargo test]
  check       fmt, clippy, deny and tidy: run it before each commit    [--fix]
  demo        start a dev server, roll a plugin out and back under load, try a broken version    [--seconds N]
  bench       Linchpin beside OpenBao on the same plugin binary; prints the tables of docs/performance.md    [--quick]
  fuzz        one parser of hostile input under libFuzzer, ten minutes; lists the targets without one    [TARGET] [-- ARGS FOR libFuzzer]
  generate    protobuf files of crates/goplugin to Rust

environment
  LINCHPIN_TEST_GO, LINCHPIN_TEST_BAO    a Go 1.26 or newer, an OpenBao 2.7.2, in place of what would be found or fetched
  CI=true                                a fixture that is missing fails the command instead of skipping tests
  NO_COLOR                               no colours
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::failure(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    if rest
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "-h" || argument == "--help")
    {
        say::text(HELP);
        return Ok(());
    }
    match command {
        "fixtures" => {
            accept(rest, &["--long"])?;
            fixtures::resolve(rest.iter().any(|argument| argument == "--long"))?.report()
        }
        "test" => test::run(rest),
        "check" => {
            accept(rest, &["--fix"])?;
            check::run(rest.iter().any(|argument| argument == "--fix"))
        }
        "demo" => build::example("demo", "dev", rest),
        "bench" => test::bench(rest),
        "fuzz" => fuzz::run(rest),
        "generate" => run_generate(),
        "help" | "-h" | "--help" => {
            say::text(HELP);
            Ok(())
        }
        other => bail!("there is no command {other:?}; `cargo xtask help` lists them"),
    }
}

/// Refuses flags that a command does not have, so that a typing error is not taken for "run it without".
fn accept(rest: &[String], known: &[&str]) -> Result<()> {
    match rest
        .iter()
        .find(|argument| !known.contains(&argument.as_str()))
    {
        Some(unknown) => {
            bail!("unknown argument {unknown:?}; `cargo xtask help` lists what there is")
        }
        None => Ok(()),
    }
}

#[cfg(feature = "generate")]
fn run_generate() -> Result<()> {
    generate::run()
}

/// Without the feature there is no compiler in this binary: build the one that has it, and run that.
#[cfg(not(feature = "generate"))]
fn run_generate() -> Result<()> {
    process::Run::cargo([
        "run",
        "-q",
        "-p",
        "xtask",
        "--features",
        "generate",
        "--",
        "generate",
    ])
    .status()
}

/// The root of the work tree.
fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .map_or_else(|| manifest.clone(), PathBuf::from)
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Whether a missing fixture is a failure.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}
