//! `linchpin plugin test FILE`: starts a plugin's binary alone, as a server would, and says what its
//! author needs: what it is, what it costs, which checks hold, what is wrong and how to mend it.

mod checks;
mod report;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use linchpin_cli::grammar::{Command, Flag, Typed};
use linchpin_engine::Fleet as _;
use linchpin_model::{PluginEntry, PluginType, Sha256};
use linchpin_plugin_host::launch::Launcher;
use linchpin_plugin_host::{PluginHost, Settings};

use report::{Outcome, Report};

/// A check failed, or the plugin could not be examined.
const FAILED: u8 = 2;

/// The command, as the help, the completion and the reader know it.
pub(crate) const COMMAND: Command = Command {
    name: "plugin test",
    arguments: "FILE",
    synopsis: "Start a plugin's binary alone and check it",
    about: "Starts the binary as a server would, without a server: its type, version, protocol, multiplexing, special paths, time to \
            the handshake and memory are printed, then which checks hold, and for each that does not, how to mend it. Nothing is registered.",
    examples: &[
        (
            "Check a plugin that was just built:",
            "plugin test ./target/release/my-plugin",
        ),
        ("For a script:", "plugin test -json ./my-plugin"),
        (
            "One that needs a variable:",
            "plugin test -env=REGION=eu ./my-plugin",
        ),
    ],
    flags: &[
        Flag::value(
            "type",
            "TYPE",
            "auth or secret. Default: what it says itself.",
        ),
        Flag::value(
            "args",
            "ARGUMENT",
            "An argument for the process; may be given several times.",
        ),
        Flag::value(
            "env",
            "KEY=VALUE",
            "A variable for the process; may be given several times.",
        ),
        Flag::switch("json", "Print one JSON document; the same as -format=json."),
        Flag::value("format", "FORMAT", "table or json. Default: table.").or("FORMAT"),
    ],
    groups: &[],
};

/// Runs it: 0 when every check holds, 2 when one does not or the file cannot be examined.
pub(crate) fn run(typed: &Typed) -> ExitCode {
    match examine(typed) {
        Ok(report) => {
            let is_json = typed.on("json") || typed.value("format") == Some("json");
            print(&report, is_json);
            match report.count(Outcome::Failed) {
                0 => ExitCode::SUCCESS,
                _ => ExitCode::from(FAILED),
            }
        }
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn print(report: &Report, is_json: bool) {
    let mut out = std::io::stdout().lock();
    let text = if is_json {
        serde_json::to_string_pretty(report).map_or_else(|e| e.to_string(), |text| text + "\n")
    } else {
        let no_colour = std::env::var_os("NO_COLOR");
        let colour =
            linchpin_telemetry::wants_colour(no_colour.as_deref(), std::io::stdout().is_terminal());
        report.text(colour)
    };
    // Whoever reads it through `head` is content with less.
    let _ = out.write_all(text.as_bytes());
}

fn examine(typed: &Typed) -> Result<Report> {
    let file = Path::new(typed.argument(0));
    let known_type: Option<PluginType> = match typed.value("type") {
        None => None,
        Some(word) => match word.parse() {
            Ok(PluginType::Database) => bail!("database plugins cannot be tested yet"),
            Ok(known) => Some(known),
            Err(error) => bail!("{error}"),
        },
    };
    let metadata =
        std::fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?;
    if !metadata.is_file() {
        bail!("{} is no regular file", file.display());
    }
    let file = file
        .canonicalize()
        .with_context(|| format!("resolve {}", file.display()))?;
    let (directory, command) = parts(&file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(async {
        let settings = Settings {
            plugin_directory: Some(directory),
            ..Settings::default()
        };
        let launcher = Launcher::of_this_executable().context("prepare to start the plugin")?;
        let host = PluginHost::start(settings, launcher).context("start the plugin host")?;
        let outcome = report(&host, &file, &command, known_type, metadata.len(), typed).await;
        host.shutdown().await;
        outcome
    })
}

async fn report(
    host: &PluginHost,
    file: &Path,
    command: &str,
    known_type: Option<PluginType>,
    size_bytes: u64,
    typed: &Typed,
) -> Result<Report> {
    let sha256 = checks::digest(host, command).await?;
    let mut report = Report {
        file: file.display().to_string(),
        size_bytes,
        sha256: sha256.clone(),
        ..Report::default()
    };
    let digest: Sha256 = sha256.parse().context("the digest of the file")?;
    let owned = |name| typed.values(name).map(str::to_owned).collect();
    let entry = PluginEntry {
        plugin_type: known_type.unwrap_or(PluginType::Secret),
        name: command.to_owned(),
        version: None,
        command: command.to_owned(),
        args: owned("args"),
        env: owned("env"),
        sha256: digest,
        oci_image: String::new(),
        runtime: String::new(),
        overlap: true,
        execution: None,
    };
    checks::run(host, file, entry, known_type, &mut report).await?;
    Ok(report)
}

/// The directory of a file, and its name in it.
fn parts(file: &Path) -> Result<(PathBuf, String)> {
    let directory = file.parent().context("the file is in no directory")?;
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.context("the file's name is no text")?;
    if name.contains(' ') {
        bail!("a plugin's file name has no spaces: what follows one would be its arguments");
    }
    Ok((directory.to_owned(), name.to_owned()))
}
