//! The binary: what was typed, then the parts, then run. The only crate that knows everything.

mod arguments;
mod banner;
mod completion;
mod config;
#[cfg(feature = "fault-injection")]
mod dump;
mod engines;
mod hardening;
mod help;
mod nearest;
mod server;
mod settings;
mod signals;
mod token_file;

use std::io::Write as _;
use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    linchpin_plugin_host::launch::main_if_requested();
    let words = std::env::args_os().skip(1);
    // A word that is no Unicode becomes one that names nothing, and is refused as such.
    let words = words.map(|word| word.to_string_lossy().into_owned());
    match arguments::parse(words) {
        Ok(Command::Server(flags)) => match server::run(*flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&format!("Error: {error:#}")),
        },
        Ok(Command::Version) => say(&format!("{}\n", banner::version())),
        Ok(Command::Help) => say(help::COMMANDS),
        Ok(Command::ServerHelp) => say(&help::server()),
        Ok(Command::Completion(shell)) => say(&completion::script(shell)),
        Err(arguments::Error::NoCommand) => fail(help::COMMANDS.trim_end()),
        Err(error) => fail(&format!(
            "Error: {error}\nHelp: linchpin help, linchpin server -help"
        )),
    }
}

fn say(text: &str) -> ExitCode {
    // Whoever reads a help text through `head` is content with less.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn fail(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
    ExitCode::FAILURE
}
