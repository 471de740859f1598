//! `cargo xtask check`: what must hold before each commit. Everything is run, and everything that failed is named at the end.

mod arrows;
mod goldens;
mod sizes;

use anyhow::{Result, bail};

use crate::process::Run;
use crate::say;

/// Runs the checks; `fix` lets rustfmt rewrite instead of complain.
pub(crate) fn run(fix: bool) -> Result<()> {
    let fmt: &[&str] = if fix {
        &["fmt", "--all"]
    } else {
        &["fmt", "--all", "--check"]
    };
    let mut failed = Vec::new();
    let mut check = |name: &str, outcome: Result<()>| match outcome {
        Ok(()) => say::good(name),
        Err(error) => {
            say::failure(&format!("{name}: {error:#}"));
            failed.push(name.to_owned());
        }
    };
    check("fmt", Run::cargo(fmt).status());
    check(
        "clippy",
        Run::cargo([
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ])
        .status(),
    );
    check(
        "generated code",
        Run::cargo(["test", "--quiet", "-p", "xtask", "--features", "generate"]).status(),
    );
    let has_deny = Run::cargo(["deny", "--version"]).output().is_ok();
    if has_deny {
        // Advisories need a database from elsewhere; CI with one runs them.
        check(
            "deny",
            Run::cargo(["deny", "--offline", "check", "bans", "licenses", "sources"]).status(),
        );
    }
    check("arrows", arrows::check());
    check("sizes", sizes::check());
    check("goldens and error pages", goldens::check());
    if !has_deny {
        say::skipped("deny: cargo-deny is not installed (`cargo install cargo-deny` installs it)");
    }
    if !failed.is_empty() {
        bail!("{} failed", failed.join(", "));
    }
    Ok(())
}
