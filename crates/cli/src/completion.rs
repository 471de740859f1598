//! Completion scripts, made from the tables. Each is to be loaded by the shell: `source <(linchpin completion bash)`.
//!
//! The scripts look for the longest command that the typed words begin with and offer what may follow: further words, the types
//! of plugins where the command takes one, flags after a dash.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::grammar::{Command, Takes};

/// A shell that there is completion for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// The shell of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }
}

/// The script for `shell`; `commands` are all that the program has.
pub fn script(shell: Shell, commands: &[&Command]) -> String {
    let places = places(commands);
    match shell {
        Shell::Bash => bash(&places),
        Shell::Zsh => zsh(&places),
        Shell::Fish => fish(&places, commands),
    }
}

/// What may follow some words.
#[derive(Default)]
struct Place {
    words: Vec<String>,
    flags: Vec<String>,
}

/// By the words before it, separated by spaces.
fn places(commands: &[&Command]) -> BTreeMap<String, Place> {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for command in commands {
        let mut before = String::new();
        for word in command.name.split(' ') {
            let place = places.entry(before.clone()).or_default();
            if !place.words.iter().any(|known| known == word) {
                place.words.push(word.to_owned());
            }
            if !before.is_empty() {
                before.push(' ');
            }
            before.push_str(word);
        }
        let place = places.entry(before).or_default();
        if command.arguments.contains("TYPE") && command.first_word() == "plugin" {
            place
                .words
                .extend(["auth", "database", "secret"].map(str::to_owned));
        }
        if command.name == "completion" {
            place
                .words
                .extend(["bash", "zsh", "fish"].map(str::to_owned));
        }
        if command.name == "help" {
            let mut first: Vec<String> = Vec::new();
            for command in commands {
                let word = command.first_word().to_owned();
                if !first.contains(&word) {
                    first.push(word);
                }
            }
            place.words.extend(first);
        }
        place
            .flags
            .extend(command.all_flags().map(|flag| match flag.takes {
                Takes::Nothing => format!("-{}", flag.name),
                Takes::Value(_) => format!("-{}=", flag.name),
            }));
    }
    places
}

/// The arms of a `case` over the typed words, the longest first.
fn arms(places: &BTreeMap<String, Place>, arm: impl Fn(&Place) -> String) -> String {
    let mut names: Vec<&String> = places.keys().collect();
    names.sort_by_key(|name| std::cmp::Reverse((name.split(' ').count(), name.len())));
    let mut text = String::new();
    for name in names {
        let Some(place) = places.get(name) else {
            continue;
        };
        let pattern = match name.as_str() {
            "" => "\"\"".to_owned(),
            name => format!("{name:?}|{:?}*", format!("{name} ")),
        };
        let _ = writeln!(text, "        {pattern}) {} ;;", arm(place));
    }
    text
}

fn bash(places: &BTreeMap<String, Place>) -> String {
    let arms = arms(places, |place| {
        format!(
            "words={:?}; flags={:?}",
            place.words.join(" "),
            place.flags.join(" ")
        )
    });
    format!(
        r#"_linchpin() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" typed="" words="" flags="" i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ "${{COMP_WORDS[i]}}" == -* ]] || typed+="${{typed:+ }}${{COMP_WORDS[i]}}"
    done
    case "$typed" in
{arms}    esac
    if [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$word"))
    elif [[ -n "$words" ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$word"))
    else
        COMPREPLY=($(compgen -f -- "$word"))
    fi
    [[ "${{COMPREPLY[*]}}" == *= ]] && compopt -o nospace
    return 0
}}
complete -F _linchpin linchpin
"#
    )
}

fn zsh(places: &BTreeMap<String, Place>) -> String {
    let arms = arms(places, |place| {
        format!(
            "next=({}); flags=({})",
            place.words.join(" "),
            place.flags.join(" ")
        )
    });
    format!(
        r#"#compdef linchpin
_linchpin() {{
    local typed="${{(j: :)${{(@)${{(@)words[2,CURRENT-1]}}:#-*}}}}"
    local -a next flags
    case "$typed" in
{arms}    esac
    if [[ "${{words[CURRENT]}}" == -* ]]; then
        compadd -S '' -- $flags
    elif (( $#next )); then
        compadd -- $next
    else
        _files
    fi
}}
compdef _linchpin linchpin
"#
    )
}

fn fish(places: &BTreeMap<String, Place>, commands: &[&Command]) -> String {
    let mut script = String::from(
        "function __linchpin_at\n    \
             set -l typed (string match -v -- '-*' (commandline -opc)[2..])\n    \
             string match -q -- \"$argv[1]\" \"$typed\"; or string match -q -- \"$argv[1] *\" \"$typed\"\n\
         end\n\
         function __linchpin_exactly\n    \
             set -l typed (string match -v -- '-*' (commandline -opc)[2..])\n    \
             test \"$typed\" = \"$argv[1]\"\n\
         end\n",
    );
    for (name, place) in places {
        if !place.words.is_empty() {
            let words = place.words.join(" ");
            let _ = writeln!(
                script,
                "complete -c linchpin -f -n '__linchpin_exactly {name:?}' -a '{words}'"
            );
        }
    }
    for command in commands {
        for flag in command.all_flags() {
            let value = match flag.takes {
                Takes::Nothing => "",
                Takes::Value(_) => " -r",
            };
            let _ = writeln!(
                script,
                "complete -c linchpin -n '__linchpin_at {:?}' -o {}{value} -d '{}'",
                command.name,
                flag.name,
                flag.help.replace('\'', "")
            );
        }
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_offers_every_word_and_flag() {
        let commands: Vec<&Command> = crate::commands().collect();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell, &commands);
            for command in &commands {
                assert!(script.contains(command.name), "{shell:?}: {}", command.name);
                for flag in command.all_flags() {
                    assert!(script.contains(flag.name), "{shell:?}: {}", flag.name);
                }
            }
        }
    }

    #[test]
    fn what_may_follow_is_found_by_the_words_before() {
        let commands: Vec<&Command> = crate::commands().collect();
        let places = places(&commands);
        let at = |typed: &str| places.get(typed).unwrap();
        assert!(at("").words.contains(&"plugin".to_owned()));
        assert!(at("plugin").words.contains(&"runtime".to_owned()));
        assert!(at("plugin runtime").words.contains(&"register".to_owned()));
        assert_eq!(at("plugin pin").words, ["auth", "database", "secret"]);
        assert!(at("plugin pin").flags.contains(&"-version=".to_owned()));
        assert!(at("plugin pin").flags.contains(&"-reload".to_owned()));
    }

    /// A shell that is there runs the script: it must offer what the table says.
    #[test]
    fn bash_completes() {
        let commands: Vec<&Command> = crate::commands().collect();
        let script = script(Shell::Bash, &commands);
        let ask = |line: &[&str]| {
            let words = line.join(" ");
            let last = line.len() - 1;
            let program = format!(
                "{script}\nCOMP_WORDS=({words}); [ ${{#COMP_WORDS[@]}} -eq {last} ] && COMP_WORDS+=('')\n\
                 COMP_CWORD={last}\n_linchpin 2>/dev/null; echo \"${{COMPREPLY[*]}}\""
            );
            let output = std::process::Command::new("bash")
                .args(["--norc", "-c", &program])
                .output();
            output
                .ok()
                .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let Some(found) = ask(&["linchpin", "plu"]) else {
            return;
        };
        assert_eq!(found, "plugin");
        assert_eq!(ask(&["linchpin", "plugin", "up"]).unwrap(), "upgrade");
        assert_eq!(
            ask(&["linchpin", "plugin", "pin", "sec"]).unwrap(),
            "secret"
        );
        assert_eq!(
            ask(&["linchpin", "plugin", "upgrade", "secret", "tp", "-dereg"]).unwrap(),
            "-deregister-on-failure"
        );
        assert_eq!(
            ask(&["linchpin", "plugin", "runtime", "reg"]).unwrap(),
            "register"
        );
    }
}
