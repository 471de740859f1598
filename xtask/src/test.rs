//! `cargo xtask test` and `cargo xtask bench`: the fixtures and the builds, then the run with the fixtures in its environment.

use anyhow::{Result, anyhow, bail};

use crate::process::Run;
use crate::{build, fixtures, say};

/// Everything: fixtures, binaries, examples, the mutant, and `cargo test --workspace`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (ours, theirs) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (
            arguments.get(..at).unwrap_or_default(),
            arguments.get(at + 1..).unwrap_or_default(),
        ),
        None => (arguments, [].as_slice()),
    };
    crate::accept(ours, &["--long"])?;
    let long = ours.iter().any(|argument| argument == "--long");
    // Go's builds and cargo's have long stretches in which one core idles; together they fill each other's.
    let (fixtures, mutant) = std::thread::scope(|scope| -> Result<_> {
        let fixtures = scope.spawn(|| fixtures::resolve(long));
        say::step("building the server with fault injection, for the runs that must go red");
        let mutant = match build::mutant() {
            Ok(mutant) => Some(mutant),
            // The tests that need it name it again, and fail with CI=true; the others are still worth running.
            Err(error) => {
                say::failure(&format!("{error:#}"));
                None
            }
        };
        say::step("building everything");
        build::everything()?;
        let fixtures = fixtures
            .join()
            .map_err(|_| anyhow!("the search for fixtures panicked"))??;
        Ok((fixtures, mutant))
    })?;
    fixtures.report()?;
    say::step("testing");
    let mut test = Run::cargo(
        ["test", "--workspace"]
            .into_iter()
            // The protobuf compiler takes a minute to build.
            .chain(
                long.then_some(["--features", "xtask/generate"])
                    .into_iter()
                    .flatten(),
            )
            .chain(theirs.iter().map(String::as_str)),
    );
    for (name, value) in fixtures.variables() {
        test = test.env(name, value);
    }
    if let Some(mutant) = mutant {
        test = test.env("LINCHPIN_TEST_MUTANT", mutant);
    }
    if long {
        test = test.env("LINCHPIN_TEST_LONG", "1");
    }
    test.status()?;
    for missing in fixtures.missing() {
        say::skipped(&format!("tests that need {missing}"));
    }
    Ok(())
}

/// The server as it is shipped, beside OpenBao.
pub(crate) fn bench(arguments: &[String]) -> Result<()> {
    let fixtures = fixtures::resolve(false)?;
    fixtures.report()?;
    if let Some(missing) = fixtures.missing().first() {
        bail!("a comparison needs both servers and the Go plugin: {missing}");
    }
    build::example("bench", "dist", arguments)
}
