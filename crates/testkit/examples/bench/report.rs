//! What was measured, as lines, as the table of `docs/performance.md`, and as its plot.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::contestant::Turn;
use crate::plot;

/// Between these two lines of the document everything is written by the bench.
const BEGIN: &str = "<!-- measured: begin -->";
const END: &str = "<!-- measured: end -->";

/// One load with one number of connections, on both servers.
pub(crate) struct Row {
    pub(crate) load: &'static str,
    pub(crate) connections: usize,
    pub(crate) ours: Turn,
    pub(crate) theirs: Turn,
}

/// What was measured of mounts, reloads and memory on one server. Times in milliseconds, memory in MiB.
pub(crate) struct Operations {
    pub(crate) first_mount: f64,
    pub(crate) next_mount: f64,
    pub(crate) reload: f64,
    pub(crate) many: usize,
    pub(crate) many_mounts: f64,
    pub(crate) reload_of_many: f64,
    pub(crate) processes: usize,
    pub(crate) idle_mib: f64,
    pub(crate) many_mib: f64,
    pub(crate) plugins_mib: f64,
}

/// Everything.
#[derive(Default)]
pub(crate) struct Results {
    pub(crate) rows: Vec<Row>,
    pub(crate) operations: Vec<Operations>,
}

impl Row {
    /// How many times as many requests as the other.
    pub(crate) fn ratio(&self) -> f64 {
        self.ours.per_second / self.theirs.per_second
    }

    /// For the terminal.
    pub(crate) fn line(&self) -> String {
        let side = |turn: &Turn| {
            format!(
                "{:>7.0} req/s p50 {:>6.2} p99 {:>6.2} ms, CPU {:>4.0} + {:>4.0} µs",
                turn.per_second,
                turn.median.as_secs_f64() * 1e3,
                turn.high.as_secs_f64() * 1e3,
                turn.server_cpu,
                turn.plugin_cpu
            )
        };
        format!(
            "{:<42} {:>2} conn | {} | OpenBao {} | {:.1}x, CPU {:.2}x",
            self.load,
            self.connections,
            side(&self.ours),
            side(&self.theirs),
            self.ratio(),
            self.ours.server_cpu / self.theirs.server_cpu
        )
    }
}

impl Operations {
    /// For the terminal.
    pub(crate) fn line(&self, name: &str) -> String {
        format!(
            "{name:<9} first mount {:.0} ms, next {:.1} ms, reload {:.0} ms; {} mounts in {:.0} ms, all reloaded in {:.0} ms, {} plugin \
             processes; memory {:.1} MiB idle, {:.1} MiB then, plugins {:.1} MiB",
            self.first_mount,
            self.next_mount,
            self.reload,
            self.many,
            self.many_mounts,
            self.reload_of_many,
            self.processes,
            self.idle_mib,
            self.many_mib,
            self.plugins_mib
        )
    }
}

impl Results {
    /// Writes the measured part of the document, and the plot beside it.
    pub(crate) fn write(&self) -> Result<()> {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let file = docs.join("performance.md");
        let text = fs::read_to_string(&file).context("read it")?;
        let (before, rest) = text.split_once(BEGIN).context("its begin mark is gone")?;
        let (_, after) = rest.split_once(END).context("its end mark is gone")?;
        fs::write(
            &file,
            format!("{before}{BEGIN}\n{}{END}{after}", self.markdown()),
        )?;
        fs::write(docs.join("performance.svg"), plot::bars(&self.rows))?;
        Ok(())
    }

    /// Writing to a string cannot fail.
    fn markdown(&self) -> String {
        let mut out = String::from(
            "| load | connections | OpenBao req/s | Linchpin req/s | ratio | p50 / p99 OpenBao | p50 / p99 Linchpin | server CPU OpenBao | server CPU Linchpin | plugin CPU O / L |\n\
             |---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let times = |turn: &Turn| {
                let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
                format!("{:.2} / {:.2} ms", ms(turn.median), ms(turn.high))
            };
            let _ = writeln!(
                out,
                "| {} | {} | {:.0} | {:.0} | {:.1}× | {} | {} | {:.0} µs | {:.0} µs ({:.2}×) | {:.0} / {:.0} µs |",
                row.load,
                row.connections,
                row.theirs.per_second,
                row.ours.per_second,
                row.ratio(),
                times(&row.theirs),
                times(&row.ours),
                row.theirs.server_cpu,
                row.ours.server_cpu,
                row.ours.server_cpu / row.theirs.server_cpu,
                row.theirs.plugin_cpu,
                row.ours.plugin_cpu
            );
        }
        out.push_str("\n![Requests per second](performance.svg)\n\n| operation | OpenBao | Linchpin | ratio |\n|---|---|---|---|\n");
        let [ours, theirs] = self.operations.as_slice() else {
            return out;
        };
        let many = ours.many;
        for (name, theirs, ours, unit) in [
            (
                "first mount of a Go plugin",
                theirs.first_mount,
                ours.first_mount,
                "ms",
            ),
            (
                "further mounts, multiplexed",
                theirs.next_mount,
                ours.next_mount,
                "ms",
            ),
            ("reload of one mount", theirs.reload, ours.reload, "ms"),
            (
                "mounting up to 200",
                theirs.many_mounts,
                ours.many_mounts,
                "ms",
            ),
            (
                "reload of all by one call",
                theirs.reload_of_many,
                ours.reload_of_many,
                "ms",
            ),
            (
                "memory of an empty server",
                theirs.idle_mib,
                ours.idle_mib,
                "MiB",
            ),
            (
                "memory with all mounts",
                theirs.many_mib,
                ours.many_mib,
                "MiB",
            ),
            (
                "memory of the plugin processes then",
                theirs.plugins_mib,
                ours.plugins_mib,
                "MiB",
            ),
        ] {
            let _ = writeln!(
                out,
                "| {name} | {theirs:.1} {unit} | {ours:.1} {unit} | {:.2}× |",
                ours / theirs
            );
        }
        let _ = writeln!(
            out,
            "| plugin processes for {many} mounts and one of another plugin | {} | {} | |",
            theirs.processes, ours.processes
        );
        out
    }
}
