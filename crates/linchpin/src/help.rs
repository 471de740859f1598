//! The texts that explain the commands, made from the table of flags.

use std::fmt::Write as _;

use crate::arguments::{FLAGS, Takes};

/// How wide a line is.
const WIDTH: usize = 100;

/// The commands.
pub(crate) const COMMANDS: &str = "\
Usage: linchpin <command> [flags]

Linchpin is a secrets server that speaks HashiCorp Vault's HTTP API and runs its plugins.

Commands:
    server        Start a server; try: linchpin server -dev
    version       Print the version
    help          Print this text, or with `server` the flags of the server
    completion    Print a completion script for bash, zsh or fish

The client commands (read, write, plugin, secrets …) come with a later release. Until then the
command line of Vault or OpenBao works: set VAULT_ADDR or BAO_ADDR to the server's address.
";

/// The flags of `linchpin server`.
pub(crate) fn server() -> String {
    let mut text = String::from(
        "Usage: linchpin server -dev [flags]\n\n\
         Starts a server. This release has only the development mode: everything is in memory and is\n\
         lost when the server ends. Ctrl-C or SIGTERM ends it after the requests that are under way;\n\
         a second time ends it at once.\n\nFlags:\n",
    );
    for flag in FLAGS {
        let value = match flag.takes {
            Takes::Nothing => String::new(),
            Takes::Value(placeholder) => format!("={placeholder}"),
        };
        let _ = writeln!(text, "\n    -{}{value}", flag.name);
        let mut help = flag.help.to_owned();
        if !flag.variable.is_empty() {
            let name = flag.variable;
            let _ = write!(
                help,
                " Also LINCHPIN_{name}, BAO_{name} or VAULT_{name} in the environment."
            );
        }
        for line in wrapped(&help, WIDTH - 8) {
            let _ = writeln!(text, "        {line}");
        }
    }
    text
}

/// Lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_of_the_server_names_every_flag_in_narrow_lines() {
        let text = server();
        for flag in FLAGS {
            assert!(
                text.contains(&format!("\n    -{}", flag.name)),
                "{}",
                flag.name
            );
        }
        assert!(text.contains("VAULT_DEV_ROOT_TOKEN_ID"));
        let longest = text.lines().map(str::len).max();
        assert!(longest <= Some(WIDTH), "{longest:?}\n{text}");
    }
}
