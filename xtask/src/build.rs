//! Building with cargo, always the whole workspace: a narrower selection would unify features differently and compile the
//! dependencies a second time.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::Run;

/// Builds every binary and example in the profile `dev`.
pub(crate) fn everything() -> Result<()> {
    Run::cargo(["build", "--workspace", "--bins", "--examples"])
        .status()
        .context("build the workspace")
}

/// Builds the server once more with its faults compiled in, for the runs that must go red, and puts it aside.
pub(crate) fn mutant() -> Result<PathBuf> {
    Run::cargo([
        "build",
        "--workspace",
        "--bins",
        // Not for themselves: with them the features of dev-dependencies are on, as in every build that follows, and no
        // dependency is compiled a second time.
        "--examples",
        "--features",
        "linchpin/fault-injection",
    ])
    .status()
    .context("build the server with fault injection")?;
    let built = crate::target().join("debug/linchpin");
    let mutant = crate::target().join("debug/linchpin-mutant");
    std::fs::copy(&built, &mutant)
        .with_context(|| format!("copy {} to {}", built.display(), mutant.display()))?;
    Ok(mutant)
}

/// Builds the workspace in `profile` and runs an example of testkit with `arguments` and our terminal.
pub(crate) fn example(name: &str, profile: &str, arguments: &[String]) -> Result<()> {
    crate::say::step(&format!("building (profile {profile})"));
    // Of the profile that is shipped, every binary costs a link-time optimisation: only what runs is built.
    let wanted: &[&str] = match profile {
        "dev" => &["--bins", "--examples"],
        _ => &[
            "--bin",
            "linchpin",
            "--example",
            name,
            // What the bench mounts besides the Go plugin.
            "--example",
            "fault-v1",
        ],
    };
    let build = ["build", "-q", "--workspace", "--profile", profile];
    Run::cargo(build.into_iter().chain(wanted.iter().copied())).status()?;
    let folder = crate::target().join(if profile == "dev" { "debug" } else { profile });
    Run::new(folder.join("examples").join(name), arguments)
        .env("LINCHPIN_BIN", folder.join("linchpin"))
        .env("LINCHPIN_TEST_PLUGINS", folder.join("examples"))
        .status()
}
