//! The texts that explain the commands, made from the tables.

use std::fmt::Write as _;

use crate::commands::FAMILIES;
use crate::grammar::{Command, Flag, Takes};

/// How wide a line is.
const WIDTH: usize = 100;

/// Every command, the families of several in one line.
pub fn overview(commands: &[&Command]) -> String {
    let mut text = String::from(
        "Usage: linchpin <command> [options] [arguments]\n\n\
         Linchpin is a secrets server that speaks HashiCorp Vault's HTTP API and runs its plugins. This is the\n\
         server and its client. The client finds the server by VAULT_ADDR and the token by VAULT_TOKEN or in\n\
         ~/.vault-token; BAO_ and LINCHPIN_ in place of VAULT_ work too.\n\nCommands:\n",
    );
    let single = commands
        .iter()
        .filter(|command| !command.name.contains(' '));
    let rows: Vec<(&str, &str)> = single
        .map(|command| (command.name, command.synopsis))
        .collect();
    list(&rows, &mut text);
    text.push_str("\nFamilies of commands:\n");
    let families: Vec<(&str, &str)> = FAMILIES
        .iter()
        .copied()
        .filter(|(family, _)| !family.contains(' '))
        .collect();
    list(&families, &mut text);
    text.push_str("\nMore: linchpin <command> -h\n");
    text
}

/// The commands of one family.
pub fn family(family: &str, commands: &[&Command]) -> String {
    let about = FAMILIES.iter().find(|(name, _)| *name == family);
    let about = about.map_or("", |(_, about)| about);
    let mut text = format!(
        "Usage: linchpin {family} <command> [options] [arguments]\n\n{about}.\n\nCommands:\n"
    );
    let prefix = format!("{family} ");
    let rows: Vec<(&str, &str)> = commands
        .iter()
        .filter_map(|command| Some((command.name.strip_prefix(&prefix)?, command.synopsis)))
        .collect();
    list(&rows, &mut text);
    let _ = write!(text, "\nMore: linchpin {family} <command> -h\n");
    text
}

fn list(rows: &[(&str, &str)], text: &mut String) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, synopsis) in rows {
        let _ = writeln!(text, "    {name:width$}    {synopsis}");
    }
}

/// One command: what it does, examples, flags.
pub fn command(command: &Command) -> String {
    let mut text = format!("Usage: linchpin {} [options]", command.name);
    if !command.arguments.is_empty() {
        let _ = write!(text, " {}", command.arguments);
    }
    text.push_str("\n\n");
    for line in command.about.lines() {
        let _ = writeln!(text, "{}", line.trim());
    }
    for (what, line) in command.examples {
        let _ = write!(text, "\n{what}\n\n    $ linchpin {line}\n");
    }
    flags("Options", command.flags, &mut text);
    let mut before = "";
    for group in command.groups {
        // Groups of the same title are one to the reader.
        let title = if group.title == before {
            ""
        } else {
            group.title
        };
        flags(title, group.flags, &mut text);
        before = group.title;
    }
    text
}

fn flags(title: &str, flags: &[Flag], text: &mut String) {
    if flags.is_empty() {
        return;
    }
    if !title.is_empty() {
        let _ = write!(text, "\n{title}:\n");
    }
    for flag in flags {
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
    use crate::commands;

    #[test]
    fn the_help_of_a_command_names_every_flag_in_lines_that_fit() {
        for of in commands() {
            let text = command(of);
            for flag in of.all_flags() {
                let named = format!("\n    -{}", flag.name);
                assert!(text.contains(&named), "{}: -{}", of.name, flag.name);
                assert!(!flag.help.is_empty(), "{}: -{}", of.name, flag.name);
            }
            assert!(!of.examples.is_empty(), "{}", of.name);
            let examples = of.examples.iter().map(|(_, line)| *line);
            assert!(
                examples.into_iter().all(|line| line.starts_with(of.name)),
                "{}",
                of.name
            );
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(125), "{}: {longest:?}\n{text}", of.name);
        }
    }

    #[test]
    fn overview_and_families_name_every_command() {
        let all: Vec<&Command> = commands().collect();
        let overview = overview(&all);
        for command in &all {
            match command.name.rsplit_once(' ') {
                None => assert!(overview.contains(command.synopsis), "{}", command.name),
                Some((above, _)) => {
                    let text = family(above, &all);
                    assert!(text.contains(command.synopsis), "{}", command.name);
                }
            }
        }
        assert!(overview.contains("\n    plugin"));
    }
}
