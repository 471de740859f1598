//! The binary: what was typed, then the parts, then run. The only crate that knows everything.

mod arguments;
mod banner;
mod config;
#[cfg(feature = "fault-injection")]
mod dump;
mod engines;
mod hardening;
mod nearest;
mod plugin_test;
mod server;
mod settings;
mod signals;
mod token_file;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use arguments::{Command, OWN};
use linchpin_cli::{completion, grammar, help};

/// How long the end of the process waits for those who read what it has written. They may have stalled.
const READERS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    linchpin_plugin_host::launch::main_if_requested();
    let words = std::env::args_os().skip(1);
    // A word that is no Unicode becomes one that names nothing, and is refused as such.
    let words = words.map(|word| word.to_string_lossy().into_owned());
    match arguments::parse(words) {
        Ok(Command::Server(flags)) => {
            let outcome = server::run(*flags);
            linchpin_telemetry::flush(READERS);
            match outcome {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&format!("Error: {error:#}")),
            }
        }
        Ok(Command::Version) => say(&format!("{}\n", banner::version())),
        Ok(Command::Help(name)) => say(&own(name).map(help::command).unwrap_or_default()),
        Ok(Command::Completion(shell)) => {
            let all: Vec<&grammar::Command> = linchpin_cli::commands().chain(&OWN).collect();
            say(&completion::script(shell, &all))
        }
        Ok(Command::PluginTest(typed)) => plugin_test::run(&typed),
        Ok(Command::Client(words)) => client(&words),
        Err(error) => fail(&format!(
            "Error: {error}\nHelp: linchpin help, linchpin server -help"
        )),
    }
}

fn own(name: &str) -> Option<&'static grammar::Command> {
    OWN.iter().find(|command| command.name == name)
}

/// Runs a command of the client with the process's own environment.
fn client(words: &[String]) -> ExitCode {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    let mut io = linchpin_cli::Io {
        out_is_terminal: out.is_terminal(),
        err_is_terminal: err.is_terminal(),
        out: &mut out.lock(),
        err: &mut err.lock(),
        input: &mut std::io::stdin().lock(),
        variable: &|name| std::env::var(name).ok(),
        ask_hidden: &linchpin_cli::ask_hidden,
    };
    let others: Vec<&'static grammar::Command> = OWN.iter().collect();
    ExitCode::from(linchpin_cli::run(words, &others, &mut io))
}

fn say(text: &str) -> ExitCode {
    // Whoever reads a help text through `head` is content with less.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(text: &str) -> ExitCode {
    let line = format!("{text}\n");
    let (done, written) = sync_channel(1);
    let write = move || {
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
        let _ = done.send(());
    };
    if thread::Builder::new().spawn(write).is_ok() {
        let _ = written.recv_timeout(READERS);
    }
    ExitCode::FAILURE
}
