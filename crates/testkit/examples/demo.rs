//! `cargo xtask demo`: a plugin is rolled out and rolled back while requests flow, then a broken version is tried. In a screenful, with a real
//! server and real plugin processes; it needs neither Go nor OpenBao.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use linchpin_testkit::client::{Method, Reply, Request};
use linchpin_testkit::{Info, Load, LoadReport, Product, Settings, Target, switch};
use serde_json::{Value, json};

const CONNECTIONS: usize = 8;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .context("start a runtime")
        .and_then(|runtime| runtime.block_on(demo()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("the demo failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> Result<()> {
    let each = seconds()?;
    let began = Instant::now();
    let t = Target::with(
        Product::Linchpin,
        Settings::default().set("plugin_start_timeout", "5s"),
    )
    .await;
    say(&format!(
        "server      dev mode on {}, ready after {} ms",
        t.server().address(),
        began.elapsed().as_millis()
    ));

    for (version, command) in [("v1.0.0", "tp1"), ("v1.1.0", "tp2")] {
        good(t.register("sample", version, command, json!({})).await)?;
        say(&format!(
            "register    sample {version}  sha256 {}…",
            t.digest(command).get(..12).unwrap_or_default()
        ));
    }
    let began = Instant::now();
    for mount in ["app", "shop"] {
        good(
            t.mount(
                mount,
                "sample",
                json!({"config": {"plugin_version": "v1.0.0"}}),
            )
            .await,
        )?;
        good(
            t.post(&format!("{mount}/kv/greeting"), json!({"value": "hello"}))
                .await,
        )?;
    }
    let first = t.info("app").await;
    let took = began.elapsed().as_millis();
    say(&format!(
        "mount       app/ and shop/ run {} in one process, {}, after {took} ms",
        first.version, first.pid
    ));

    say(&format!(
        "load        {CONNECTIONS} connections read and write on both mounts from here on"
    ));
    let load = start_load(&t);
    load.advance(200, Duration::from_secs(30)).await;
    roll(&t, &load, "roll out", "v1.1.0", each).await?;
    roll(&t, &load, "roll back", "v1.0.0", each).await?;
    roll(&t, &load, "roll out", "v1.1.0", each).await?;

    let before = t.info("app").await;
    for (what, version, fault) in [
        ("one that exits at start", "v1.2.0", switch::EXITS_AT_START),
        (
            "one whose Initialize fails after three writes",
            "v1.3.0",
            switch::INITIALIZE_WRITES_AND_FAILS,
        ),
    ] {
        let broken = json!({"env": [fault, switch::NO_VERSION]});
        good(t.register("sample", version, "tp2", broken).await)?;
        pin(&t, version).await?;
        let reply = t.post("sys/plugins/reload/secret/sample", json!({})).await;
        ensure!(
            reply.status() == 400,
            "a broken version was accepted: {}",
            reply.status()
        );
        let cause = reply
            .errors()
            .join(" ")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        say(&format!("broken      {version}, {what}: 400"));
        say(&format!(
            "            {}",
            cause.chars().take(150).collect::<String>()
        ));
        ensure!(
            t.info("app").await == before,
            "the old instance does not serve any more"
        );
    }
    say(&format!(
        "            {} still serves from process {}",
        before.version, before.pid
    ));
    pin(&t, "v1.1.0").await?;
    load.advance(200, Duration::from_secs(30)).await;

    let report = load.stop().await;
    verdict(&report, &first, &before)
}

/// Pins a version and reloads the fleet to it, while the load goes on.
async fn roll(t: &Target, load: &Load, what: &str, version: &str, each: Duration) -> Result<()> {
    pin(t, version).await?;
    let began = Instant::now();
    let reply = good(t.post("sys/plugins/reload/secret/sample", json!({})).await)?;
    let took = began.elapsed().as_millis();
    for mount in ["app", "shop"] {
        let running = t.info(mount).await.version;
        ensure!(
            running == version,
            "{mount}/ runs {running} after a reload to {version}"
        );
    }
    let mounts = reply.at("/data/count");
    let mounts = if mounts.is_null() {
        Value::from(2)
    } else {
        mounts
    };
    say(&format!(
        "{what:<11} pin {version}, reload of {mounts} mounts in {took} ms, {} requests so far",
        grouped(load.answered())
    ));
    let until = Instant::now() + each;
    while Instant::now() < until {
        load.advance(50, Duration::from_secs(30)).await;
    }
    Ok(())
}

async fn pin(t: &Target, version: &str) -> Result<()> {
    good(
        t.post(
            "sys/plugins/pins/secret/sample",
            json!({"version": version}),
        )
        .await,
    )
    .map(drop)
}

fn start_load(t: &Target) -> Load {
    let request = |connection: usize, number: u64| {
        let mount = if connection.is_multiple_of(2) {
            "app"
        } else {
            "shop"
        };
        if number % 8 == 7 {
            let body = json!({"value": format!("{number}")});
            return Request::new(Method::POST, &format!("{mount}/kv/own-{connection}")).json(&body);
        }
        Request::new(Method::GET, &format!("{mount}/kv/greeting"))
    };
    Load::start(t.client(), CONNECTIONS, request, |_| String::new())
}

fn verdict(report: &LoadReport, first: &Info, last: &Info) -> Result<()> {
    let failures = report.failures();
    let slowest = report
        .answers
        .iter()
        .map(|answer| answer.took)
        .max()
        .unwrap_or_default();
    let (median, high) = (report.percentile(0.5), report.percentile(0.99));
    say(&format!(
        "latency     p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
        ms(median),
        ms(high),
        ms(slowest)
    ));
    for failure in failures.iter().take(3) {
        say(&format!("failed      {} {}", failure.status, failure.note));
    }
    let served = grouped(report.answers.len().try_into().unwrap_or(u64::MAX));
    say(&format!(
        "served {served}, failed {}, {} → {}",
        failures.len(),
        first.version,
        last.version
    ));
    ensure!(failures.is_empty(), "requests failed");
    Ok(())
}

fn good(reply: Reply) -> Result<Reply> {
    if !reply.is_success() {
        bail!("{} {}", reply.status(), reply.errors().join(" "));
    }
    Ok(reply)
}

/// How long the load goes on after each roll-out: two seconds, or `--seconds N`.
fn seconds() -> Result<Duration> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [] => Ok(Duration::from_secs(2)),
        ["--seconds", number] => number
            .parse()
            .map(Duration::from_secs)
            .context("--seconds takes a whole number"),
        _ => bail!("usage: cargo xtask demo [--seconds N]"),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn say(line: &str) {
    // Nobody is left to tell when standard output is closed.
    drop(writeln!(std::io::stdout(), "{line}"));
}
