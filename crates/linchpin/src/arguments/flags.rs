//! The flags of `linchpin server`, and the words that are somebody else's.

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// Its name, without dashes.
    pub(crate) name: &'static str,
    /// What follows it.
    pub(crate) takes: Takes,
    /// What it does, as the help says it.
    pub(crate) help: &'static str,
    /// The name of the variable that says the same, without its prefix; empty = none.
    pub(crate) variable: &'static str,
}

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Nothing, or `=true`, `=false`.
    Nothing,
    /// A value, which the help calls so.
    Value(&'static str),
}

const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag {
        name,
        takes: Takes::Nothing,
        help,
        variable: "",
    }
}

const fn value(
    name: &'static str,
    placeholder: &'static str,
    variable: &'static str,
    help: &'static str,
) -> Flag {
    Flag {
        name,
        takes: Takes::Value(placeholder),
        help,
        variable,
    }
}

/// Every flag, in the order of the help.
pub(crate) const FLAGS: [Flag; 12] = [
    switch(
        "dev",
        "Start in development mode: in memory, unsealed, with a known root token. The only mode of this release.",
    ),
    value(
        "dev-root-token-id",
        "TOKEN",
        "DEV_ROOT_TOKEN_ID",
        "The root token. Without it a random one is made and printed.",
    ),
    value(
        "dev-listen-address",
        "HOST:PORT",
        "DEV_LISTEN_ADDRESS",
        "Where to listen; port 0 takes a free one. The default is 127.0.0.1:8200.",
    ),
    value(
        "dev-plugin-dir",
        "DIRECTORY",
        "",
        "The plugin directory. Wins over plugin_directory of the configuration file.",
    ),
    switch(
        "dev-plugin-init",
        "Register every file of the plugin directory under its own name. The default is true.",
    ),
    switch(
        "dev-kv-v1",
        "Mount secret/ as a key-value engine of version 1. It is the only version of this release.",
    ),
    switch("dev-no-kv", "Mount nothing at secret/."),
    switch(
        "dev-no-store-token",
        "Do not write the root token to ~/.vault-token, where the clients look for it.",
    ),
    value(
        "config",
        "FILE",
        "",
        "Configuration file, HCL or JSON: plugin settings and limits.",
    ),
    value(
        "log-level",
        "LEVEL",
        "LOG_LEVEL",
        "trace, debug, info, warn or error. The default is info.",
    ),
    value(
        "log-format",
        "FORMAT",
        "LOG_FORMAT",
        "standard or json. The default is standard.",
    ),
    switch("help", "Show this text."),
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

/// The commands of Vault's client.
pub(super) const COMMANDS_ELSEWHERE: [&str; 27] = [
    "agent",
    "audit",
    "auth",
    "debug",
    "delete",
    "events",
    "kv",
    "lease",
    "list",
    "login",
    "namespace",
    "operator",
    "patch",
    "path-help",
    "pki",
    "plugin",
    "policy",
    "print",
    "proxy",
    "read",
    "secrets",
    "ssh",
    "status",
    "token",
    "transit",
    "unwrap",
    "write",
];
