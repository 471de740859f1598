//! What is typed and what it means.

use super::*;
use linchpin_cli::grammar::Takes;

fn run(line: &str) -> Result<Command, Error> {
    parse(line.split_whitespace().map(str::to_owned))
}

fn flags(line: &str) -> ServerFlags {
    match run(&format!("server {line}")) {
        Ok(Command::Server(flags)) => *flags,
        other => panic!("{line}: {other:?}"),
    }
}

fn refusal(line: &str) -> String {
    match run(line) {
        Err(error) => error.to_string(),
        Ok(command) => panic!("{line}: accepted as {command:?}"),
    }
}

#[test]
fn every_way_to_write_a_value_is_the_same() {
    for line in [
        "-dev -dev-listen-address=127.0.0.1:1 -dev-root-token-id=root",
        "-dev -dev-listen-address 127.0.0.1:1 -dev-root-token-id root",
        "--dev --dev-listen-address=127.0.0.1:1 --dev-root-token-id root",
        "-dev=true -dev-root-token-id root -dev-listen-address 127.0.0.1:1",
        "-dev -dev-root-token-id other -dev-root-token-id=root -dev-listen-address=127.0.0.1:1",
    ] {
        let expected = ServerFlags {
            dev: true,
            root_token: Some(Secret::new("root".to_owned())),
            listen_address: Some("127.0.0.1:1".to_owned()),
            ..ServerFlags::default()
        };
        assert_eq!(flags(line), expected, "{line}");
    }
}

#[test]
fn values_may_hold_dashes_and_equals_signs() {
    let read = flags("-config -odd -dev-root-token-id=a=b=");
    assert_eq!(read.config, Some(PathBuf::from("-odd")));
    assert_eq!(read.root_token, Some(Secret::new("a=b=".to_owned())));
    assert_eq!(
        flags("-dev-listen-address=").listen_address,
        Some(String::new())
    );
}

#[test]
fn switches_are_on_unless_said_otherwise() {
    assert!(!flags("-dev=false").dev);
    assert!(!flags("-dev").no_plugin_init);
    assert!(!flags("-dev-plugin-init").no_plugin_init);
    for off in ["0", "f", "F", "false", "FALSE", "False"] {
        assert!(
            flags(&format!("-dev-plugin-init={off}")).no_plugin_init,
            "{off}"
        );
    }
    let read = flags("-dev-no-kv -dev-no-store-token=1 -dev-kv-v1");
    assert!(read.no_kv && read.no_store_token);
}

#[test]
fn levels_and_formats_are_words() {
    let read = flags("-log-level=WARNING -log-format json");
    assert_eq!(read.log_level, Some(Level::Warn));
    assert_eq!(read.log_format, Some(Format::Json));
}

#[test]
fn every_flag_of_the_table_is_read() {
    let server = OWN.iter().find(|command| command.name == "server");
    for flag in server.unwrap().flags {
        let values: &[&str] = match flag.takes {
            Takes::Nothing => &["", "=true"],
            Takes::Value(_) => &["=info", "=json"],
        };
        let accepted = values
            .iter()
            .any(|value| run(&format!("server -{}{value}", flag.name)).is_ok());
        assert!(accepted, "-{}", flag.name);
        assert!(!FLAGS_ELSEWHERE.contains(&flag.name), "-{}", flag.name);
    }
}

#[test]
fn help_and_version_are_found_wherever_they_are_looked_for() {
    for (line, name) in [
        ("server -h", "server"),
        ("server -dev --help", "server"),
        ("server -help", "server"),
        ("help server", "server"),
        ("completion -h", "completion"),
        ("help -h", "help"),
    ] {
        assert_eq!(run(line), Ok(Command::Help(name)), "{line}");
    }
    for line in ["version", "-v", "-version", "--version"] {
        assert_eq!(run(line), Ok(Command::Version), "{line}");
    }
    assert_eq!(run("completion fish"), Ok(Command::Completion(Shell::Fish)));
}

#[test]
fn everything_else_is_the_clients() {
    for (line, words) in [
        ("", ""),
        ("-h", "-h"),
        ("help", "-h"),
        ("help plugin list", "plugin list -h"),
        ("plugin list -detailed", "plugin list -detailed"),
        ("sever -dev", "sever -dev"),
    ] {
        let words = words.split_whitespace().map(str::to_owned).collect();
        assert_eq!(run(line), Ok(Command::Client(words)), "{line}");
    }
}

#[test]
fn a_mistake_is_answered_with_what_to_type() {
    for (line, text) in [
        (
            "server -dev-root-token=x",
            "unknown flag -dev-root-token; did you mean -dev-root-token-id?",
        ),
        ("server --frobnicate", "unknown flag -frobnicate"),
        (
            "server -dev-tls",
            "-dev-tls is a flag of Vault that this server does not have yet",
        ),
        (
            "server -dev-listen-address",
            "-dev-listen-address needs a value: -dev-listen-address=HOST:PORT",
        ),
        (
            "server -dev=maybe",
            "-dev: must be true or false, found \"maybe\"",
        ),
        (
            "server -dev-kv-v1=false",
            "-dev-kv-v1: key-value engines of version 2 come with a later release",
        ),
        (
            "server -log-level=loud",
            "-log-level: \"loud\" is not a log level: use trace, debug, info, warn or error",
        ),
        (
            "server -dev-plugin-init false",
            "unexpected word \"false\"; the value of a switch follows an equals sign: -dev-plugin-init=false",
        ),
        ("server -dev prod", "unexpected word \"prod\""),
        ("server -dev -", "unexpected word \"-\""),
        (
            "completion tcsh",
            "completion needs the name of a shell: bash, zsh or fish",
        ),
    ] {
        assert_eq!(refusal(line), text, "{line}");
    }
}
