//! The client's commands: one table, a module for each family. A new command is a row in its family's list.

mod auth;
mod catalog;
mod data;
mod login;
mod mounts;
mod pairs;
mod pins;
mod reload;
mod runtime;
mod secrets;
mod sight;
mod status;
mod upgrade;

use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag, Group};
use crate::tree::Tree;

/// What a command does.
pub(crate) type Run = fn(&mut Call<'_, '_>) -> Result<(), Failure>;

/// A command and what it does.
pub(crate) struct Entry {
    pub(crate) command: Command,
    pub(crate) run: Run,
}

/// Every command, in the order of the help.
pub(crate) fn entries() -> impl Iterator<Item = &'static Entry> {
    let families: [&'static [Entry]; 11] = [
        data::ENTRIES,
        login::ENTRIES,
        status::ENTRIES,
        catalog::ENTRIES,
        pins::ENTRIES,
        reload::ENTRIES,
        upgrade::ENTRIES,
        sight::ENTRIES,
        runtime::ENTRIES,
        secrets::ENTRIES,
        auth::ENTRIES,
    ];
    families.into_iter().flatten()
}

/// Commands of Vault's client that this one does not have: whoever types one made no mistake.
pub(crate) const ELSEWHERE: [&str; 22] = [
    "agent",
    "audit",
    "debug",
    "events",
    "kv",
    "lease",
    "monitor",
    "namespace",
    "operator",
    "patch",
    "path-help",
    "pki",
    "policy",
    "print",
    "proxy",
    "scan",
    "ssh",
    "token",
    "transit",
    "unwrap",
    "version-history",
    "hcp",
];

/// Words that stand for several commands, and what these are about.
pub(crate) const FAMILIES: [(&str, &str); 4] = [
    (
        "plugin",
        "Plugins: the catalog, pins, reloads, upgrades, what runs",
    ),
    ("plugin runtime", "Container runtimes in the catalog"),
    ("secrets", "Secrets engines: the mount table"),
    ("auth", "Auth methods: the mount table"),
];

/// The flags of every command that talks to a server.
pub(crate) static HTTP: Group = Group {
    title: "HTTP Options",
    flags: &[
        Flag::value(
            "address",
            "URL",
            "Address of the server: http://…, https://… or unix:///SOCKET. The default is http://127.0.0.1:8200.",
        )
        .or("ADDR"),
        Flag::value(
            "namespace",
            "NAME",
            "The namespace to work in. -ns is the same.",
        )
        .or("NAMESPACE"),
        Flag::value("ns", "NAME", "The namespace to work in."),
        Flag::value(
            "header",
            "KEY=VALUE",
            "A header to send with every request. May be given several times.",
        ),
        Flag::value(
            "wrap-ttl",
            "DURATION",
            "Wraps the answer in a token that lives this long.",
        )
        .or("WRAP_TTL"),
        Flag::switch(
            "output-curl-string",
            "Print the request as a command line of curl, and do not send it.",
        ),
        Flag::value(
            "ca-cert",
            "FILE",
            "PEM file of the authorities that may vouch for the server. It wins over -ca-path. The default is the system's.",
        )
        .or("CACERT"),
        Flag::value(
            "ca-path",
            "DIRECTORY",
            "Directory of such PEM files.",
        )
        .or("CAPATH"),
        Flag::value(
            "client-cert",
            "FILE",
            "PEM file of the certificate to show to the server. It needs -client-key.",
        )
        .or("CLIENT_CERT"),
        Flag::value(
            "client-key",
            "FILE",
            "PEM file of the key to -client-cert, not encrypted.",
        )
        .or("CLIENT_KEY"),
        Flag::value(
            "tls-server-name",
            "NAME",
            "The name that the server's certificate must have. The default is the host of the address.",
        )
        .or("TLS_SERVER_NAME"),
        Flag::switch(
            "tls-skip-verify",
            "Do not check the server's certificate: whoever is in between can read everything.",
        )
        .or("SKIP_VERIFY"),
        Flag::switch("non-interactive", "Never ask for anything on the terminal."),
    ],
};

/// The flag of every command that prints more than a line.
pub(crate) static FORMAT: Group = Group {
    title: "Output Options",
    flags: &[Flag::value(
        "format",
        "FORMAT",
        "How to print: table, json or yaml; for read also raw. The default is table.",
    )
    .or("FORMAT")],
};

/// The flag of every command that prints named values.
pub(crate) static FIELD: Group = Group {
    title: "Output Options",
    flags: &[Flag::value(
        "field",
        "NAME",
        "Print this field alone, without a line end where the output is no terminal.",
    )],
};

/// The types of plugins.
const TYPES: [&str; 3] = ["auth", "database", "secret"];

/// Checks a word that names a plugin's type.
fn plugin_type(word: &str) -> Result<&str, Failure> {
    if TYPES.contains(&word) {
        Ok(word)
    } else {
        Err(Failure::refused(format!(
            "{word:?} is not a supported plugin type"
        )))
    }
}

/// A path as the API takes it: without slashes at its ends.
fn trimmed(path: &str) -> &str {
    path.trim().trim_matches('/')
}

/// A member of an object under another name in a table; absent and empty print as `n/a`.
fn cell(tree: &Tree, name: &str) -> String {
    match tree.get(name) {
        Tree::Null => String::new(),
        value => value.plain(),
    }
}
