//! `cargo xtask bench`: Linchpin beside OpenBao 2.7.2, in turns on the same machine in the same run, on the same plugin binaries. Writes the
//! measured part of `docs/performance.md` and its plot.
//!
//! What counts is the ratio and the CPU: absolute numbers depend on the machine, and the load generator shares it.

mod contestant;
mod plot;
mod raw;
mod report;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use linchpin_testkit::Product;

use contestant::{Contestant, Turn};
use report::{Results, Row};

/// How many connections ask at the same time.
const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Times that both servers take turns; the median of a server's turns is shown.
const TURNS: usize = 3;
/// What is asked: its name, and its path below both servers.
const LOADS: [(&str, &str); 3] = [
    ("kv v1 read, built in", "things/key"),
    ("plugin request, one storage read (Go kv)", "plugin0/key"),
    ("plugin request, no storage (Rust)", "fault0/info"),
];

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .context("start a runtime")
        .and_then(|runtime| runtime.block_on(bench()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the bench failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn bench() -> Result<()> {
    let (mut turn, mut writes) = (Duration::from_secs(4), false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => turn = Duration::from_secs(1),
            "--write" => writes = true,
            other => bail!(
                "unknown argument {other:?}: there are --quick, and --write for docs/performance.md"
            ),
        }
    }
    let mut contestants = Vec::new();
    for product in [Product::Linchpin, Product::OpenBao] {
        contestants.push(Contestant::prepare(product).await?);
    }
    let mut results = Results::default();
    for (name, path) in LOADS {
        for connections in CONNECTIONS {
            let [ours, theirs] = turns(&contestants, path, connections, turn).await?;
            let row = Row {
                load: name,
                connections,
                ours,
                theirs,
            };
            say(&row.line());
            results.rows.push(row);
        }
    }
    for contestant in &contestants {
        let operations = contestant.operations().await?;
        say(&operations.line(contestant.name()));
        results.operations.push(operations);
    }
    if writes {
        results.write().context("write docs/performance.md")?;
        say("docs/performance.md and docs/performance.svg are written");
    }
    Ok(())
}

/// The median turn of each server, which take turns.
async fn turns(
    contestants: &[Contestant],
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<[Turn; 2]> {
    let mut turns = [Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        for (contestant, turns) in contestants.iter().zip(&mut turns) {
            turns.push(contestant.drive(path, connections, time).await?);
        }
    }
    let middle = |mut turns: Vec<Turn>| {
        turns.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        turns
            .into_iter()
            .nth(TURNS / 2)
            .context("no turn was measured")
    };
    let [ours, theirs] = turns;
    Ok([middle(ours)?, middle(theirs)?])
}

/// Prints a line; nobody is left to tell when standard output is closed.
fn say(line: &str) {
    drop(writeln!(std::io::stdout(), "{line}"));
}
