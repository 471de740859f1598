//! Completion scripts, made from the tables of commands and flags. Each is to be loaded by the shell:
//! `source <(linchpin completion bash)`.

use crate::arguments::{COMMANDS, FLAGS, Flag, Shell, Takes};

/// The script for `shell`.
pub(crate) fn script(shell: Shell) -> String {
    let commands = COMMANDS.join(" ");
    let typed = |flag: &Flag| match flag.takes {
        Takes::Nothing => format!("-{}", flag.name),
        Takes::Value(_) => format!("-{}=", flag.name),
    };
    let flags: Vec<String> = FLAGS.iter().map(typed).collect();
    let flags = flags.join(" ");
    match shell {
        Shell::Bash => format!(
            r#"_linchpin() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}"
    case "$COMP_CWORD:${{COMP_WORDS[1]}}" in
        1:*) COMPREPLY=($(compgen -W "{commands}" -- "$word")) ;;
        *:server)
            case "$word" in
                -*) COMPREPLY=($(compgen -W "{flags}" -- "$word")) ;;
                *) COMPREPLY=($(compgen -f -- "$word")) ;;
            esac ;;
        *:completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$word")) ;;
        *:help) COMPREPLY=($(compgen -W "server" -- "$word")) ;;
    esac
    [[ "${{COMPREPLY[*]}}" == *= ]] && compopt -o nospace
    return 0
}}
complete -F _linchpin linchpin
"#
        ),
        Shell::Zsh => format!(
            r#"#compdef linchpin
_linchpin() {{
    if (( CURRENT == 2 )); then
        compadd -- {commands}
        return
    fi
    case "${{words[2]}}" in
        server) compadd -S '' -- {flags}; _files ;;
        completion) compadd -- bash zsh fish ;;
        help) compadd -- server ;;
    esac
}}
compdef _linchpin linchpin
"#
        ),
        Shell::Fish => fish(&commands),
    }
}

fn fish(commands: &str) -> String {
    let mut script = format!(
        "complete -c linchpin -f -n __fish_use_subcommand -a '{commands}'\n\
         complete -c linchpin -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n\
         complete -c linchpin -f -n '__fish_seen_subcommand_from help' -a server\n"
    );
    for flag in FLAGS {
        let value = match flag.takes {
            Takes::Nothing => "",
            Takes::Value(_) => " -r",
        };
        script.push_str(&format!(
            "complete -c linchpin -n '__fish_seen_subcommand_from server' -o {}{value} -d '{}'\n",
            flag.name,
            flag.help.replace('\'', "")
        ));
    }
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_offers_every_command_and_flag() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            let words = COMMANDS.iter().copied();
            for word in words.chain(FLAGS.iter().map(|flag| flag.name)) {
                assert!(script.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
