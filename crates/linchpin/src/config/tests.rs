//! What a file says and what is said about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Config, Error, Profile};
use linchpin_catalog::InUse;
use linchpin_model::{Execution, PluginType};
use linchpin_telemetry::{Format, Level};

fn parse(text: &str) -> Result<(Config, Vec<String>), Error> {
    let (config, warnings) = Config::parse(Path::new("server.hcl"), text)?;
    Ok((config, warnings.iter().map(ToString::to_string).collect()))
}

fn good(text: &str) -> Config {
    let (config, warnings) = parse(text).unwrap_or_else(|e| panic!("{text}\n{e}"));
    assert_eq!(warnings, [""; 0], "{text}");
    config
}

/// The error and its sources, as the binary prints them.
fn bad(text: &str) -> String {
    let error = parse(text)
        .err()
        .unwrap_or_else(|| panic!("accepted: {text}"));
    let source = std::error::Error::source(&error).map(|s| format!(": {s}"));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn the_defaults_are_the_specifications() {
    let config = good("");
    assert_eq!(config, Config::default());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let plugins = &config.plugins;
    assert_eq!(plugins.max_surge, 2 * cores);
    assert_eq!(
        (plugins.execution, plugins.deregister_in_use),
        (Execution::Sealed, InUse::Warn)
    );
    let seconds = [
        (plugins.drain_timeout, 60),
        (plugins.start_timeout, 60),
        (plugins.initialize_timeout, 30),
        (plugins.cleanup_timeout, 30),
        (plugins.stop_timeout, 2),
        (plugins.gate_timeout, 5),
        (plugins.start_wait, 10),
        (config.limits.max_request_duration, 90),
    ];
    for (is, should) in seconds {
        assert_eq!(is, Duration::from_secs(should));
    }
    assert_eq!(
        (plugins.gate_queue, plugins.calls_in_flight),
        (1_000, 1_000)
    );
    let limits = config.limits;
    assert_eq!(
        (limits.max_request_size, limits.max_storage_value),
        (33_554_432, 33_554_432)
    );
    assert_eq!(
        (
            limits.max_header_size,
            limits.max_json_depth,
            limits.max_json_string
        ),
        (1_048_576, 300, 1_048_576)
    );
    assert_eq!(
        (limits.max_storage_key, limits.max_wrapped_response),
        (2_600, 524_288)
    );
}

const FULL_HCL: &str = r#"
plugin_directory = "/opt/plugins"
plugin_tmpdir = "/run/lp"
plugin_file_uid = 1000
plugin_file_permissions = 0755
plugin_execution = "path"
plugin_containment = "off"
plugin_env_allow = ["LD_LIBRARY_PATH"]
deregister_in_use = "refuse"
immutable_versions = true
pin_requires_sudo = "true"
max_surge = 3
drain_timeout = "1m30s"
plugin_start_timeout = 5
gate_timeout = "250ms"
gate_queue = "7"
breaker_threshold = 9
respawn_backoff_max = "2s"
max_request_size = "1MiB"
log_level = "notice"
log_format = "json"
api_addr = "http://127.0.0.1:8200"
cluster_name = "one"
default_lease_ttl = "1h"
listener "tcp" {
  address = "0.0.0.0:8200"
  tls_disable = 1
  max_request_duration = "10s"
}
plugin "secret" "my-kv" { writable = ["/var/lib/my-kv"] containment = "compat" }
plugin "auth" "jwt" { }
"#;

const FULL_JSON: &str = r#"{
"plugin_directory": "/opt/plugins", "plugin_tmpdir": "/run/lp", "plugin_file_uid": 1000,
"plugin_file_permissions": "0755", "plugin_execution": "path", "plugin_containment": "off",
"plugin_env_allow": "LD_LIBRARY_PATH", "deregister_in_use": "refuse", "max_surge": 3,
"immutable_versions": true, "pin_requires_sudo": 1,
"drain_timeout": "90s", "plugin_start_timeout": "5s", "gate_timeout": "250ms", "gate_queue": 7,
"breaker_threshold": "9", "respawn_backoff_max": "2s", "max_request_size": 1048576, "log_level": "info",
"log_format": "json", "api_addr": "http://127.0.0.1:8200", "cluster_name": "one", "default_lease_ttl": "60m",
"max_lease_ttl": null,
"listener": [{"tcp": {"address": "0.0.0.0:8200", "tls_disable": true, "max_request_duration": 10}}],
"plugin": {"secret": {"my-kv": {"writable": ["/var/lib/my-kv"], "containment": "compat"}}, "auth": {"jwt": {}}}
}"#;

#[test]
fn hcl_and_json_say_the_same() {
    let config = good(FULL_HCL);
    assert_eq!(config, good(FULL_JSON));
    let plugins = &config.plugins;
    assert_eq!(plugins.directory, Some(PathBuf::from("/opt/plugins")));
    assert_eq!(plugins.tmpdir, Some(PathBuf::from("/run/lp")));
    assert_eq!(
        (plugins.file_uid, plugins.file_permissions),
        (1000, Some(0o755))
    );
    assert_eq!(
        (plugins.execution, plugins.containment),
        (Execution::Path, Profile::Off)
    );
    assert_eq!(plugins.env_allow, ["LD_LIBRARY_PATH"]);
    assert!(plugins.immutable_versions && plugins.pin_requires_sudo);
    assert_eq!(
        (
            plugins.deregister_in_use,
            plugins.max_surge,
            plugins.gate_queue
        ),
        (InUse::Refuse, 3, 7)
    );
    assert_eq!(plugins.drain_timeout, Duration::from_secs(90));
    assert_eq!(plugins.start_timeout, Duration::from_secs(5));
    assert_eq!(plugins.gate_timeout, Duration::from_millis(250));
    assert_eq!(
        (plugins.breaker_threshold, plugins.respawn_backoff_max),
        (9, Duration::from_secs(2))
    );
    assert_eq!(config.limits.max_request_size, 1_048_576);
    assert_eq!(config.limits.max_request_duration, Duration::from_secs(10));
    assert_eq!(
        (config.log_level, config.log_format),
        (Some(Level::Info), Some(Format::Json))
    );
    assert_eq!(config.default_lease_ttl, Duration::from_secs(3600));
    let listeners: Vec<&str> = config
        .listeners
        .iter()
        .map(|l| l.address.as_str())
        .collect();
    assert_eq!(listeners, ["0.0.0.0:8200"]);
    let block = &plugins.blocks[&(PluginType::Secret, "my-kv".to_owned())];
    assert_eq!(block.writable, [PathBuf::from("/var/lib/my-kv")]);
    assert_eq!(block.containment, Some(Profile::Compat));
    assert!(
        plugins.blocks[&(PluginType::Auth, "jwt".to_owned())]
            .writable
            .is_empty()
    );
}

#[test]
fn an_unknown_key_is_a_warning_with_the_nearest_word() {
    let text = "max_surg = 1\n\nplugin_directry = \"x\"\nwhatever_this_is = 1\nui = true\nlistener \"tcp\" {\n  adress = \"x\"\n  tls_min_version = \"tls12\"\n}\n";
    assert_eq!(
        parse(text).unwrap().1,
        [
            "server.hcl:1: unknown setting \"max_surg\" is ignored; did you mean \"max_surge\"?",
            "server.hcl:3: unknown setting \"plugin_directry\" is ignored; did you mean \"plugin_directory\"?",
            "server.hcl:4: unknown setting \"whatever_this_is\" is ignored",
            "server.hcl:5: \"ui\" is ignored: this server does not have this setting of Vault yet",
            "server.hcl:7: unknown setting \"adress\" is ignored; did you mean \"address\"?",
            "server.hcl:8: \"tls_min_version\" is ignored: this server does not have this setting of Vault yet",
        ]
    );
    let json = "{\n\"max_surge\": 1,\n\"gate_que\": 1}";
    assert_eq!(
        parse(json).unwrap().1,
        ["server.hcl:3: unknown setting \"gate_que\" is ignored; did you mean \"gate_queue\"?"]
    );
}

#[test]
fn a_wrong_value_is_an_error_with_file_and_line() {
    let duration = "must be a duration above zero, such as 5s, 1m30s or 90";
    for (text, expected) in [
        ("\ndrain_timeout = [1]", format!("server.hcl:2: drain_timeout {duration}, found a list")),
        ("drain_timeout = \"soon\"", format!("server.hcl:1: drain_timeout {duration}, found \"soon\"")),
        ("gate_timeout = 0", format!("server.hcl:1: gate_timeout {duration}, found \"0\"")),
        ("gate_timeout = \"\"", format!("server.hcl:1: gate_timeout {duration}, found \"\"")),
        ("max_surge = 0", "server.hcl:1: max_surge must be a number above zero, found \"0\"".to_owned()),
        ("max_surge = 1.5", "server.hcl:1: max_surge must be a number above zero, found \"1.5\"".to_owned()),
        ("plugin_file_uid = -1", "server.hcl:1: plugin_file_uid must be a number from zero up, found \"-1\"".to_owned()),
        ("plugin_file_permissions = \"0788\"", "server.hcl:1: plugin_file_permissions must be octal permissions, such as \"0755\", found \"0788\"".to_owned()),
        ("plugin_directory = 7", "server.hcl:1: plugin_directory must be a path, found \"7\"".to_owned()),
        ("max_request_size = \"lots\"", "server.hcl:1: max_request_size must be a size above zero, such as 1048576 or 32MiB, found \"lots\"".to_owned()),
        ("plugin_env_allow = [1]", "server.hcl:1: plugin_env_allow must be a list of strings, found a list".to_owned()),
        ("plugin_execution = \"fast\"", "server.hcl:1: plugin_execution is wrong: \"fast\" is not an execution mode: use sealed, descriptor or path".to_owned()),
        ("deregister_in_use = \"maybe\"", "server.hcl:1: deregister_in_use is wrong: cannot be \"maybe\": use warn or refuse".to_owned()),
        ("log_level = 3", "server.hcl:1: log_level must be a string, found a number".to_owned()),
        ("log_level = \"loud\"", "server.hcl:1: log_level is wrong: \"loud\" is not a log level: use trace, debug, info, warn or error".to_owned()),
        ("listener \"unix\" {}", "server.hcl:1: listener of type \"unix\" is not supported: use \"tcp\"".to_owned()),
        ("listener \"tcp\" {\n tls_cert_file = \"x\" }", "server.hcl:2: tls_cert_file is not supported: this server has no TLS listener yet".to_owned()),
        ("listener \"tcp\" { tls_disable = false }", "server.hcl:1: tls_disable cannot be false: this server has no TLS listener yet".to_owned()),
        ("plugin \"secrets\" \"x\" {}", "server.hcl:1: plugin type \"secrets\" is not auth, database or secret".to_owned()),
        ("plugin \"secret\" \"x\" { writable = [\"tmp\"] }", "server.hcl:1: writable must be absolute paths, found \"tmp\"".to_owned()),
        ("plugin \"secret\" \"x\" {}\nplugin \"secret\" \"x\" {}", "server.hcl:2: plugin secret \"x\" has a block already".to_owned()),
        ("plugin \"x\" { writable = [\"/x\"] }", "parse configuration file server.hcl: 1:1: \"plugin\" must be a block with 2 label(s)".to_owned()),
        ("max_surge = ", "parse configuration file server.hcl: 1:13: expected a value, found the end of the text".to_owned()),
    ] {
        assert_eq!(bad(text), expected, "{text}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::read(Path::new("/nonexistent/server.hcl")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "read configuration file /nonexistent/server.hcl"
    );
}

#[test]
fn the_environment_wins_over_the_file() {
    let mut config = good("plugin_tmpdir = \"/file\"\nlog_level = \"error\"");
    let table = [
        ("VAULT_PLUGIN_TMPDIR", "/vault"),
        ("BAO_PLUGIN_TMPDIR", "/bao"),
        ("LINCHPIN_PLUGIN_TMPDIR", ""),
        ("VAULT_ENABLE_FILE_PERMISSIONS_CHECK", "true"),
        ("VAULT_PLUGIN_MULTIPLEXING_OPT_OUT", "a, b,"),
        ("VAULT_LOG_LEVEL", "debug"),
    ];
    let look = |name: &str| {
        table
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    };
    config.apply_environment(look).unwrap();
    assert_eq!(config.plugins.tmpdir, Some(PathBuf::from("/bao")));
    assert!(config.plugins.check_file_permissions);
    assert_eq!(config.plugins.multiplexing_opt_out, ["a", "b"]);
    assert_eq!(config.log_level, Some(Level::Debug));
    assert!(!config.plugins.legacy_env_layering);

    let look = |name: &str| (name == "VAULT_LOG_LEVEL").then(|| "loud".to_owned());
    let error = config.apply_environment(look).unwrap_err().to_string();
    assert!(
        error.starts_with("environment variable VAULT_LOG_LEVEL is wrong: "),
        "{error}"
    );
}
