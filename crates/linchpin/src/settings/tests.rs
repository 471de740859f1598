//! Who wins, and where each setting goes.

use super::*;
use linchpin_catalog::InUse;
use linchpin_model::{Execution, PluginType};

/// A dev server's flags.
fn dev() -> ServerFlags {
    ServerFlags {
        dev: true,
        ..ServerFlags::default()
    }
}

fn with(flags: ServerFlags, variables: &[(&str, &str)]) -> Result<Start, Error> {
    resolve(flags, |name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

/// The same with a configuration file.
fn with_file(text: &str, flags: ServerFlags, variables: &[(&str, &str)]) -> Result<Start, Error> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("linchpin-{}-{number}.hcl", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let start = with(
        ServerFlags {
            config: Some(file.clone()),
            ..flags
        },
        variables,
    );
    std::fs::remove_file(&file).unwrap();
    start
}

#[test]
fn the_defaults_are_vaults_dev_server() {
    let start = with(dev(), &[]).unwrap();
    assert_eq!(start.listen, "127.0.0.1:8200");
    assert!(start.store_token && start.mount_secret && start.plugin_init);
    assert!(!start.core.has_plugin_directory);
    assert_eq!(start.plugins.plugin_directory, None);
    assert_eq!(
        (start.log_level, start.log_format),
        (Level::Info, Format::Standard)
    );
    assert_eq!(start.warnings, [""; 0]);
    let token = start.root_token.expose();
    assert!(token.starts_with("hvs.") && token.len() == 28, "{token}");
    assert_ne!(start.root_token, with(dev(), &[]).unwrap().root_token);
}

#[test]
fn without_dev_there_is_nothing_to_start() {
    let error = with(ServerFlags::default(), &[]).unwrap_err().to_string();
    assert!(error.contains("linchpin server -dev"), "{error}");
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let file = "listener \"tcp\" { address = \"127.0.0.1:3\" }\nlog_level = \"error\"\nplugin_directory = \"/file\"";
    let variables = [
        ("VAULT_DEV_LISTEN_ADDRESS", "127.0.0.1:2"),
        ("BAO_DEV_ROOT_TOKEN_ID", "from-bao"),
        ("LINCHPIN_LOG_LEVEL", "debug"),
        ("LINCHPIN_LOG_FORMAT", "json"),
    ];
    let flags = ServerFlags {
        listen_address: Some("127.0.0.1:1".to_owned()),
        root_token: Some("typed".to_owned().into()),
        log_level: Some(Level::Trace),
        log_format: Some(Format::Standard),
        plugin_dir: Some("/typed".into()),
        ..dev()
    };
    let start = with_file(file, flags, &variables).unwrap();
    assert_eq!(start.listen, "127.0.0.1:1");
    assert_eq!(start.root_token.expose(), "typed");
    assert_eq!(
        (start.log_level, start.log_format),
        (Level::Trace, Format::Standard)
    );
    assert_eq!(start.plugins.plugin_directory, Some("/typed".into()));

    let start = with_file(file, dev(), &variables).unwrap();
    assert_eq!(start.listen, "127.0.0.1:2");
    assert_eq!(start.root_token.expose(), "from-bao");
    assert_eq!(
        (start.log_level, start.log_format),
        (Level::Debug, Format::Json)
    );

    let start = with_file(file, dev(), &[]).unwrap();
    assert_eq!(start.listen, "127.0.0.1:3");
    assert_eq!(start.log_level, Level::Error);
    assert_eq!(start.plugins.plugin_directory, Some("/file".into()));
}

#[test]
fn the_prefixes_of_variables_have_an_order() {
    let mut variables = vec![
        ("VAULT_DEV_ROOT_TOKEN_ID", "vault"),
        ("BAO_DEV_ROOT_TOKEN_ID", "bao"),
        ("LINCHPIN_DEV_ROOT_TOKEN_ID", "linchpin"),
    ];
    for expected in ["linchpin", "bao", "vault"] {
        let start = with(dev(), &variables).unwrap();
        assert_eq!(start.root_token.expose(), expected);
        variables.pop();
    }
    // An empty one is as good as none.
    let start = with(dev(), &[("VAULT_DEV_ROOT_TOKEN_ID", "")]).unwrap();
    assert!(start.root_token.expose().starts_with("hvs."));
}

#[test]
fn every_setting_of_the_file_reaches_its_part() {
    let file = r#"
        plugin_directory = "/plugins"
        plugin_tmpdir = "/tmp/p"
        plugin_execution = "path"
        plugin_containment = "off"
        plugin_env_allow = ["LD_LIBRARY_PATH"]
        deregister_in_use = "refuse"
        immutable_versions = true
        pin_requires_sudo = true
        plugin_file_uid = 1000
        plugin_file_permissions = "0750"
        max_surge = 3
        drain_timeout = "4s"
        gate_timeout = "5s"
        gate_queue = 6
        plugin_start_timeout = "7s"
        plugin_setup_timeout = "8s"
        plugin_initialize_timeout = "9s"
        plugin_cleanup_timeout = "10s"
        plugin_stop_timeout = "11s"
        plugin_start_wait = "12s"
        retire_timeout = "13s"
        plugin_health_interval = "14s"
        plugin_calls_in_flight = 15
        respawn_backoff_min = "16s"
        respawn_backoff_max = "17s"
        respawn_stable_after = "18s"
        breaker_threshold = 19
        default_lease_ttl = "20s"
        max_lease_ttl = "21s"
        api_addr = "http://node:8200"
        cluster_name = "ours"
        max_request_size = 22
        max_request_duration = "23s"
        max_header_size = 24
        max_json_depth = 25
        max_json_string_value_length = 26
        plugin "secret" "kv" { writable = ["/data"] containment = "compat" }
    "#;
    let variables = [
        ("VAULT_PLUGIN_MULTIPLEXING_OPT_OUT", "a,b"),
        ("VAULT_PLUGIN_USE_LEGACY_ENV_LAYERING", "true"),
        ("BAO_ENABLE_FILE_PERMISSIONS_CHECK", "1"),
    ];
    let start = with_file(file, dev(), &variables).unwrap();
    assert_eq!(start.warnings, [""; 0]);
    assert_eq!(start.cluster_name, "ours");
    let seconds = Duration::from_secs;

    let core = start.core;
    assert_eq!((core.gate.attempt, core.gate.queue), (seconds(5), 6));
    assert_eq!(core.drain_timeout, seconds(4));
    assert_eq!(core.initialize_timeout, seconds(9));
    assert_eq!(core.cleanup_timeout, seconds(10));
    assert_eq!(core.retire_wait, seconds(13));
    assert_eq!(core.max_surge, 3);
    assert_eq!(core.deregister_in_use, InUse::Refuse);
    assert!(core.immutable_versions && core.pin_requires_sudo);
    assert_eq!(core.plugin_env_allow, ["LD_LIBRARY_PATH"]);
    assert!(core.has_plugin_directory);
    assert_eq!(
        (core.default_lease_ttl, core.max_lease_ttl),
        (seconds(20), seconds(21))
    );
    assert_eq!(core.api_addr, "http://node:8200");

    let plugins = start.plugins;
    assert_eq!(plugins.plugin_directory, Some("/plugins".into()));
    assert_eq!(plugins.socket_directory, PathBuf::from("/tmp/p"));
    assert_eq!(plugins.plugin_execution, Execution::Path);
    assert_eq!(plugins.containment, Containment::Off);
    assert_eq!(plugins.plugin_env_allow, ["LD_LIBRARY_PATH"]);
    assert_eq!(plugins.multiplexing_opt_out, ["a", "b"]);
    assert!(plugins.legacy_env_layering);
    let permissions = FilePermissions {
        uid: Some(1000),
        mode: Some(0o750),
    };
    assert_eq!(plugins.file_permissions, Some(permissions));
    assert_eq!(plugins.plugin_start_timeout, seconds(7));
    assert_eq!(plugins.plugin_setup_timeout, seconds(8));
    assert_eq!(plugins.plugin_initialize_timeout, seconds(9));
    assert_eq!(plugins.plugin_cleanup_timeout, seconds(10));
    assert_eq!(plugins.plugin_stop_timeout, seconds(11));
    assert_eq!(plugins.start_wait, seconds(12));
    assert_eq!(plugins.health_interval, seconds(14));
    assert_eq!(plugins.calls_in_flight, 15);
    let restart = RestartSettings {
        first_pause: seconds(16),
        longest_pause: seconds(17),
        stable_after: seconds(18),
        breaker_after: 19,
    };
    assert_eq!(plugins.restart, restart);
    let block = PluginBlock {
        writable: vec!["/data".into()],
        containment: Some(Containment::Compat),
    };
    let name = (PluginType::Secret, "kv".to_owned());
    assert_eq!(plugins.plugins.get(&name), Some(&block));

    let http = start.http;
    assert_eq!((http.body, http.headers), (22, 24));
    assert_eq!((http.json_depth, http.json_string), (25, 26));
    assert_eq!(http.request, seconds(23));
}

#[test]
fn a_file_that_says_nothing_changes_nothing() {
    let (said, usual) = (
        plugins(&PluginSettings::default()),
        linchpin_plugin_host::Settings::default(),
    );
    assert_eq!(format!("{said:?}"), format!("{usual:?}"));
    let (said, usual) = (core(&Config::default()), linchpin_core::Settings::default());
    assert_eq!(format!("{said:?}"), format!("{usual:?}"));
    let usual = linchpin_http::Limits {
        drain: DRAIN,
        abandon: ABANDON,
        ..linchpin_http::Limits::default()
    };
    assert_eq!(
        format!("{:?}", http(&Limits::default())),
        format!("{usual:?}")
    );
}

#[test]
fn addresses_are_checked_before_anything_is_started() {
    for (typed, listen) in [
        ("127.0.0.1:0", Some("127.0.0.1:0")),
        ("localhost:8200", Some("localhost:8200")),
        ("[::1]:8200", Some("[::1]:8200")),
        (":8300", Some("0.0.0.0:8300")),
        ("127.0.0.1", None),
        ("127.0.0.1:http", None),
        ("127.0.0.1:70000", None),
        ("::1", None),
    ] {
        let flags = ServerFlags {
            listen_address: Some(typed.to_owned()),
            ..dev()
        };
        let read = with(flags, &[]).map(|start| start.listen).ok();
        assert_eq!(read.as_deref(), listen, "{typed}");
    }
}

#[test]
fn what_cannot_be_done_is_refused_or_warned_of() {
    for (file, variables, text) in [
        (
            "",
            &[("BAO_DEV_ROOT_TOKEN_ID", "two words")][..],
            "must be printable ASCII",
        ),
        (
            "",
            &[("VAULT_ENABLE_FILE_PERMISSIONS_CHECK", "perhaps")],
            "VAULT_ENABLE_FILE_PERMISSIONS_CHECK must be true or false",
        ),
        ("max_lease_ttl = \"1h\"", &[], "default_lease_ttl is longer"),
        ("gate_queue = \"no\"", &[], "gate_queue must be"),
    ] {
        let error = with_file(file, dev(), variables).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let file = "max_storage_value_size = 7\ngate_que = 1\n\
                listener \"tcp\" {}\nlistener \"tcp\" { address = \"127.0.0.1:2\" }";
    let warnings = with_file(file, dev(), &[]).unwrap().warnings.join("\n");
    let owner = with_file("plugin_file_uid = 7", dev(), &[]).unwrap();
    assert!(
        owner
            .warnings
            .concat()
            .contains("VAULT_ENABLE_FILE_PERMISSIONS_CHECK=true switches it on"),
        "{:?}",
        owner.warnings
    );
    for text in [
        "max_storage_value_size is not enforced",
        "did you mean \"gate_queue\"?",
        "listens on one address",
    ] {
        assert!(warnings.contains(text), "{warnings}");
    }
}
