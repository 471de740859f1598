//! The environment of a plugin process, built in layers (plugin-protocol §1.2 and §2.2).
//!
//! Pure: what the server itself inherited comes in as an argument. Later layers win:
//! inherited < registered `env` < Vault's variables (each as `BAO_` and `VAULT_`) < go-plugin's.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The variables of a process, by name.
pub type Variables = BTreeMap<OsString, OsString>;

/// What a process must never find in its environment unless this host puts it there: each changes
/// the wire that we speak (yamux on the socket, another mode of the socket, a token of another
/// start, mlock that is not configured).
const NEVER_INHERITED: [&str; 6] = [
    "PLUGIN_MULTIPLEX_GRPC",
    "PLUGIN_UNIX_SOCKET_GROUP",
    "BAO_UNWRAP_TOKEN",
    "VAULT_UNWRAP_TOKEN",
    "BAO_PLUGIN_MLOCK_ENABLED",
    "VAULT_PLUGIN_MLOCK_ENABLED",
];

/// The layers above what is inherited.
#[derive(Debug, Clone, Copy)]
pub struct Layers<'a> {
    /// The entry's `KEY=value` words.
    pub registered: &'a [String],
    /// The version that the server reports.
    pub server_version: &'a str,
    /// Whether the process may only be asked for what it is.
    pub metadata_mode: bool,
    /// The magic cookie of the kind of plugin that is expected: variable and value.
    pub cookie: (&'a str, &'a str),
    /// App protocol versions, for example `5`.
    pub protocol_versions: &'a str,
    /// The host's certificate as PEM; `None` switches AutoMTLS off.
    pub client_certificate: Option<&'a str>,
    /// The private directory of the process.
    pub private_directory: &'a Path,
    /// `VAULT_PLUGIN_USE_LEGACY_ENV_LAYERING`: what is inherited wins over the entry and over
    /// Vault's variables.
    pub legacy_order: bool,
}

/// Puts the layers together. `inherited` is what [`inheritable`] let through.
#[must_use]
pub fn layered(inherited: &Variables, layers: &Layers<'_>) -> Variables {
    let mut registered = Variables::new();
    for word in layers.registered {
        if let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) {
            registered.insert(name.into(), value.into());
        }
    }
    let mut vault = Variables::new();
    let yes_no = |yes: bool| if yes { "true" } else { "false" };
    for prefix in ["BAO", "VAULT"] {
        let mut set = |suffix: &str, value: &str| {
            vault.insert(format!("{prefix}_{suffix}").into(), value.into());
        };
        set(
            "PLUGIN_AUTOMTLS_ENABLED",
            yes_no(layers.client_certificate.is_some()),
        );
        set("PLUGIN_METADATA_MODE", yes_no(layers.metadata_mode));
        set("VERSION", layers.server_version.trim_start_matches('v'));
    }
    let mut all = Variables::new();
    if layers.legacy_order {
        all.extend(registered);
        all.extend(vault);
        all.extend(inherited.clone());
    } else {
        all.extend(inherited.clone());
        all.extend(registered);
        all.extend(vault);
    }
    for name in NEVER_INHERITED {
        all.remove(OsStr::new(name));
    }
    let mut set = |name: &str, value: &OsStr| {
        all.insert(name.into(), value.into());
    };
    set(layers.cookie.0, layers.cookie.1.as_ref());
    set("PLUGIN_MIN_PORT", "10000".as_ref());
    set("PLUGIN_MAX_PORT", "25000".as_ref());
    set(
        "PLUGIN_PROTOCOL_VERSIONS",
        layers.protocol_versions.as_ref(),
    );
    set("PLUGIN_UNIX_SOCKET_DIR", layers.private_directory.as_ref());
    // go-plugin before 1.5 knows only the temporary directory (§1.2).
    set("TMPDIR", layers.private_directory.as_ref());
    match layers.client_certificate {
        Some(pem) => set("PLUGIN_CLIENT_CERT", pem.as_ref()),
        None => {
            all.remove(OsStr::new("PLUGIN_CLIENT_CERT"));
        }
    }
    all
}

/// The part of the server's environment that plugins may see: everything but its secrets.
/// `server_variables` names what its storage and seal configuration reads.
#[must_use]
pub fn inheritable(
    all: impl IntoIterator<Item = (OsString, OsString)>,
    server_variables: &[String],
) -> Variables {
    all.into_iter()
        .filter(|(name, _)| !is_secret(name, server_variables))
        .collect()
}

fn is_secret(name: &OsStr, server_variables: &[String]) -> bool {
    let bytes = name.as_bytes();
    if name == "AWS_SESSION_TOKEN" {
        return false; // part of a credential chain that plugins use
    }
    bytes.ends_with(b"_TOKEN")
        || bytes.ends_with(b"_DEV_ROOT_TOKEN_ID")
        || bytes.windows(7).any(|w| w == b"_UNSEAL")
        || bytes.starts_with(b"PG")
        || bytes.starts_with(b"LINCHPIN_")
        || server_variables.iter().any(|v| name == v.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    fn layers(registered: &[String], legacy_order: bool) -> Layers<'_> {
        Layers {
            registered,
            server_version: "v1.21.0+linchpin.0.1.0",
            metadata_mode: false,
            cookie: linchpin_goplugin::names::BACKEND_COOKIE,
            protocol_versions: "5",
            client_certificate: Some("PEM\n"),
            private_directory: Path::new("/run/p"),
            legacy_order,
        }
    }

    #[test]
    fn h44_the_servers_secrets_are_not_inherited_and_the_rest_is() {
        let server = [
            ("PATH", true),
            ("HTTPS_PROXY", true),
            ("AWS_SESSION_TOKEN", true),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", true),
            ("VAULT_TOKEN", false),
            ("GITHUB_TOKEN", false),
            ("BAO_UNSEAL_KEY", false),
            ("PGPASSWORD", false),
            ("LINCHPIN_ANYTHING", false),
            ("VAULT_DEV_ROOT_TOKEN_ID", false),
            ("MY_SEAL_PIN", false),
        ];
        let all = server.iter().map(|(name, _)| ((*name).into(), "x".into()));
        let kept = inheritable(all, &["MY_SEAL_PIN".to_owned()]);
        for (name, inherited) in server {
            assert_eq!(kept.contains_key(OsStr::new(name)), inherited, "{name}");
        }
    }

    #[test]
    fn h44_later_layers_win() {
        let inherited = variables(&[
            ("A", "server"),
            ("B", "server"),
            ("VAULT_VERSION", "server"),
            ("PLUGIN_MULTIPLEX_GRPC", "true"),
        ]);
        let registered: Vec<String> = [
            "B=entry",
            "C=entry=with=equals",
            "BAO_VERSION=entry",
            "TMPDIR=/entry",
            "PGPASSWORD=entry",
            "broken",
        ]
        .map(str::to_owned)
        .to_vec();
        let env = layered(&inherited, &layers(&registered, false));
        let expected = variables(&[
            ("A", "server"),
            ("B", "entry"),
            ("C", "entry=with=equals"),
            ("PGPASSWORD", "entry"),
            ("BAO_PLUGIN_AUTOMTLS_ENABLED", "true"),
            ("BAO_PLUGIN_METADATA_MODE", "false"),
            ("BAO_VERSION", "1.21.0+linchpin.0.1.0"),
            ("VAULT_PLUGIN_AUTOMTLS_ENABLED", "true"),
            ("VAULT_PLUGIN_METADATA_MODE", "false"),
            ("VAULT_VERSION", "1.21.0+linchpin.0.1.0"),
            (
                "VAULT_BACKEND_PLUGIN",
                "6669da05-b1c8-4f49-97d9-c8e5bed98e20",
            ),
            ("PLUGIN_MIN_PORT", "10000"),
            ("PLUGIN_MAX_PORT", "25000"),
            ("PLUGIN_PROTOCOL_VERSIONS", "5"),
            ("PLUGIN_CLIENT_CERT", "PEM\n"),
            ("PLUGIN_UNIX_SOCKET_DIR", "/run/p"),
            ("TMPDIR", "/run/p"),
        ]);
        assert_eq!(env, expected);
    }

    #[test]
    fn the_legacy_order_lets_the_server_win_over_the_entry() {
        let inherited = variables(&[("B", "server"), ("VAULT_VERSION", "server")]);
        let registered = vec!["B=entry".to_owned()];
        let env = layered(&inherited, &layers(&registered, true));
        assert_eq!(env.get(OsStr::new("B")), Some(&"server".into()));
        assert_eq!(env.get(OsStr::new("VAULT_VERSION")), Some(&"server".into()));
        assert_eq!(env.get(OsStr::new("TMPDIR")), Some(&"/run/p".into()));
    }

    #[test]
    fn a_start_without_tls_has_no_certificate() {
        let inherited = variables(&[("PLUGIN_CLIENT_CERT", "stale")]);
        let mut layers = layers(&[], false);
        layers.client_certificate = None;
        layers.metadata_mode = true;
        let env = layered(&inherited, &layers);
        assert!(!env.contains_key(OsStr::new("PLUGIN_CLIENT_CERT")));
        let flag = |name: &str| env.get(OsStr::new(name)).cloned();
        assert_eq!(flag("VAULT_PLUGIN_AUTOMTLS_ENABLED"), Some("false".into()));
        assert_eq!(flag("VAULT_PLUGIN_METADATA_MODE"), Some("true".into()));
    }
}
