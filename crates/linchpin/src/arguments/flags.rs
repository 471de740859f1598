//! The commands that the binary carries out itself, the flags of `linchpin server`, and the words that are somebody else's.

use linchpin_cli::grammar::{Command, Flag};

/// The commands that the binary carries out itself, in the order of the help. What each does is said in [`super::parse`].
pub(crate) static OWN: [Command; 5] = [
    crate::plugin_test::COMMAND,
    Command {
        name: "server",
        arguments: "",
        synopsis: "Start a server; try: linchpin server -dev",
        about: "Starts a server. This release has only the development mode: everything is in memory and is\n\
                    lost when the server ends. Ctrl-C or SIGTERM ends it after the requests that are under way;\n\
                    a second time ends it at once.",
        examples: &[(
            "Start one with a directory of plugins:",
            "server -dev -dev-plugin-dir=./plugins",
        )],
        flags: FLAGS,
        groups: &[],
    },
    Command {
        name: "version",
        arguments: "",
        synopsis: "Print the version",
        about: "Prints the version of this program and of the HTTP API that it speaks.",
        examples: &[],
        flags: &[],
        groups: &[],
    },
    Command {
        name: "help",
        arguments: "[COMMAND...]",
        synopsis: "Explain the commands, or one of them",
        about: "Prints the commands, or what one of them does and takes.",
        examples: &[
            ("The flags of the server:", "help server"),
            ("The commands for plugins:", "help plugin"),
        ],
        flags: &[],
        groups: &[],
    },
    Command {
        name: "completion",
        arguments: "[SHELL]",
        synopsis: "Print a completion script for bash, zsh or fish",
        about: "Prints a script that lets the shell complete commands and flags.",
        examples: &[(
            "Load it into this shell:",
            "completion bash > linchpin.bash && source linchpin.bash",
        )],
        flags: &[],
        groups: &[],
    },
];

/// The flags of the server, in the order of the help.
static FLAGS: &[Flag] = &[
    Flag::switch(
        "dev",
        "Start in development mode: in memory, unsealed, with a known root token. The only mode of this release.",
    ),
    Flag::value(
        "dev-root-token-id",
        "TOKEN",
        "The root token. Without it a random one is made and printed.",
    )
    .or("DEV_ROOT_TOKEN_ID"),
    Flag::value(
        "dev-listen-address",
        "HOST:PORT",
        "Where to listen; port 0 takes a free one. The default is 127.0.0.1:8200.",
    )
    .or("DEV_LISTEN_ADDRESS"),
    Flag::value(
        "dev-plugin-dir",
        "DIRECTORY",
        "The plugin directory. Wins over plugin_directory of the configuration file.",
    ),
    Flag::switch(
        "dev-plugin-init",
        "Register every file of the plugin directory under its own name. The default is true.",
    ),
    Flag::switch(
        "dev-kv-v1",
        "Mount secret/ as a key-value engine of version 1. It is the only version of this release.",
    ),
    Flag::switch("dev-no-kv", "Mount nothing at secret/."),
    Flag::switch(
        "dev-no-store-token",
        "Do not write the root token to ~/.vault-token, where the clients look for it.",
    ),
    Flag::value(
        "config",
        "FILE",
        "Configuration file, HCL or JSON: plugin settings and limits.",
    ),
    Flag::value(
        "log-level",
        "LEVEL",
        "trace, debug, info, warn or error. The default is info.",
    )
    .or("LOG_LEVEL"),
    Flag::value(
        "log-format",
        "FORMAT",
        "standard or json. The default is standard.",
    )
    .or("LOG_FORMAT"),
    Flag::switch("help", "Show this text."),
];

/// What Vault's and OpenBao's servers take and this one does not: a typing mistake it is not.
pub(super) const FLAGS_ELSEWHERE: [&str; 21] = [
    "dev-auto-seal",
    "dev-cluster-json",
    "dev-consul",
    "dev-four-cluster",
    "dev-ha",
    "dev-latency",
    "dev-latency-jitter",
    "dev-leased-kv",
    "dev-skip-init",
    "dev-three-node",
    "dev-tls",
    "dev-tls-cert-dir",
    "dev-tls-san",
    "dev-transactional",
    "exit-on-core-shutdown",
    "experiment",
    "log-file",
    "log-rotate-bytes",
    "log-rotate-duration",
    "log-rotate-max-files",
    "recovery",
];
