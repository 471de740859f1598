//! Registration (plugin-lifecycle §2.5).

use crate::{AUTH, SECRET, entry};
use linchpin_catalog::{
    Containers, Facts, Registration, Shape, check_entry, check_overwrite, check_reported,
};
use linchpin_model::{Execution, PluginEntry, PluginType};

const SHA: &str = "4d199f0d5427a5b6ba10ac0622ff06bc22c499640263ab2a32eb35f4b565e966";

fn good() -> Registration {
    Registration {
        plugin_type: Some(SECRET),
        name: "tp".to_owned(),
        sha256: SHA.to_owned(),
        command: "tp1".to_owned(),
        ..Registration::default()
    }
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

fn register(edit: impl FnOnce(&mut Registration)) -> Result<PluginEntry, String> {
    let mut registration = good();
    edit(&mut registration);
    let draft = registration
        .check(&Facts::default())
        .map_err(|e| e.to_string())?;
    draft.complete(None, "").map_err(|e| e.to_string())
}

fn refuse(facts: &Facts<'_>, edit: impl FnOnce(&mut Registration), shape: Shape, expected: &str) {
    let mut registration = good();
    edit(&mut registration);
    let error = registration.check(facts).unwrap_err();
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.shape(), shape, "{expected}");
    assert_eq!(
        error.kind(),
        linchpin_model::ErrorKind::InvalidRequest,
        "{expected}"
    );
}

#[test]
fn every_row_has_its_text_and_shape() {
    let plain =
        |edit: fn(&mut Registration), text| refuse(&Facts::default(), edit, Shape::Plain, text);
    plain(|r| r.name.clear(), "missing plugin name");
    plain(
        |r| r.name = "team/v1.0.0".to_owned(),
        "plugin name \"team/v1.0.0\" cannot end in a version: it would be stored as version v1.0.0 of \"team\"",
    );
    plain(
        |r| r.version = "bad".to_owned(),
        "version \"bad\" is not a valid semantic version: malformed version: bad",
    );
    plain(
        |r| r.version = "1.0.0+a.builtin.b".to_owned(),
        "version \"v1.0.0+a.builtin.b\" is not allowed because 'builtin' is a reserved metadata identifier",
    );
    plain(|r| r.sha256.clear(), "missing SHA-256 value");
    plain(
        |r| r.command.clear(),
        "must provide at least one of command or oci_image",
    );
    plain(
        |r| {
            r.command = "tp1 a b".to_owned();
            r.args = strings(&["c"]);
        },
        "must not specify args in command and args field",
    );
    plain(
        |r| r.sha256 = "abcd".to_owned(),
        "Decoded SHA-256 value is not 32 bytes",
    );
    plain(
        |r| r.runtime = "box".to_owned(),
        "specified plugin runtime \"box\", but failed to retrieve config: plugin runtime not found",
    );
    plain(
        |r| r.execution = "fast".to_owned(),
        "\"fast\" is not an execution mode: use sealed, descriptor or path",
    );
    plain(
        |r| r.download = true,
        "download is not supported: place the plugin in the plugin directory and register it with sha256 and command",
    );
    plain(
        |r| r.oci_image = "registry.example/tp".to_owned(),
        "unable to run plugin: this server does not run container plugins: place the binary in the plugin directory and register it with sha256 and command",
    );
    plain(
        |r| r.args = strings(&["a\0b"]),
        "args cannot contain a NUL byte",
    );
    plain(
        |r| r.env = strings(&["A=1", "LD_PRELOAD=/tmp/x.so"]),
        "env variable \"LD_PRELOAD\" is not allowed, as it makes a process load other code than what was registered: the server's configuration file can allow it with plugin_env_allow",
    );
    let zz = good_with_sha("zz")
        .check(&Facts::default())
        .unwrap_err()
        .to_string();
    assert!(
        zz.starts_with("Could not decode SHA256 value from Hex zz: "),
        "{zz}"
    );

    let wrapped =
        |edit: fn(&mut Registration), text| refuse(&Facts::default(), edit, Shape::Wrapped, text);
    wrapped(
        |r| r.command = "../x".to_owned(),
        "path cannot contain parent references",
    );
    wrapped(
        |r| r.name = "a..b".to_owned(),
        "path cannot contain parent references",
    );

    let facts = |f: Facts<'static>| f;
    refuse(
        &facts(Facts {
            has_directory: false,
            ..Facts::default()
        }),
        |_| {},
        Shape::Wrapped,
        "could not set plugin, plugin directory is not configured",
    );
    refuse(
        &facts(Facts {
            containers: Containers::NotLinux,
            ..Facts::default()
        }),
        |r| r.oci_image = "x".to_owned(),
        Shape::Plain,
        "specifying oci_image is currently only supported on Linux",
    );
}

fn good_with_sha(sha: &str) -> Registration {
    Registration {
        sha256: sha.to_owned(),
        ..good()
    }
}

/// A registration with everything wrong is told the first row; with that repaired, the next.
#[test]
fn the_first_row_answers() {
    let mut registration = Registration {
        name: String::new(),
        version: "bad".to_owned(),
        sha256: String::new(),
        command: String::new(),
        ..good()
    };
    let facts = Facts {
        has_directory: false,
        ..Facts::default()
    };
    type Repair = fn(&mut Registration);
    let repairs: [(&str, Repair); 9] = [
        ("missing plugin name", |r| r.name = "a/1".to_owned()),
        ("plugin name \"a/1\"", |r| r.name = "a..b".to_owned()),
        ("version \"bad\"", |r| r.version = "1+builtin".to_owned()),
        ("version \"v1.0.0+builtin\"", |r| r.version = "1".to_owned()),
        ("missing SHA-256", |r| r.sha256 = "zz".to_owned()),
        ("must provide", |r| {
            r.command = "../x a".to_owned();
            r.args = strings(&["b"]);
        }),
        ("must not specify args", |r| r.args.clear()),
        ("Could not decode", |r| r.sha256 = SHA.to_owned()),
        ("could not set plugin", |_| {}),
    ];
    for (expected, repair) in repairs {
        let text = registration.clone().check(&facts).unwrap_err().to_string();
        assert!(
            text.starts_with(expected),
            "expected {expected}, got {text}"
        );
        repair(&mut registration);
    }
    let text = registration
        .check(&Facts::default())
        .unwrap_err()
        .to_string();
    assert_eq!(text, "path cannot contain parent references");
}

#[test]
fn a_good_registration_becomes_its_entry() {
    let entry = register(|r| {
        r.version = "1.0".to_owned();
        r.command = "tp1 --x  y".to_owned();
        r.env = strings(&["A=secret"]);
        r.overlap = false;
        r.execution = "path".to_owned();
    })
    .unwrap();
    assert_eq!(entry.version_text(), "v1.0.0");
    assert_eq!(
        (entry.command.as_str(), entry.args.as_slice()),
        ("tp1", strings(&["--x", "", "y"]).as_slice())
    );
    assert_eq!(entry.sha256.to_string(), SHA);
    assert!(!entry.overlap);
    assert_eq!(entry.execution, Some(Execution::Path));
    assert!(!format!("{entry:?}").contains("A=secret"));

    assert!(register(|r| r.name = "team/kv".to_owned()).is_ok());
    assert!(register(|r| r.version = "1.0.0+builtinx".to_owned()).is_ok());
    assert!(register(|r| r.env = strings(&["NO_EQUALS_SIGN", "LD_PRELOADED=1"])).is_ok());
    assert!(register(|r| r.args = strings(&["a b"])).is_ok());
}

#[test]
fn code_loading_variables_need_the_configuration_file() {
    for variable in ["LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"] {
        let mut restored = entry("tp", "1.0.0");
        restored.env = vec![format!("{variable}=/x")];
        let error = check_entry(&restored, &Facts::default()).unwrap_err();
        assert!(error.to_string().contains(variable));
        assert!(!error.to_string().contains("/x"));
        let allowed = [variable.to_owned()];
        let facts = Facts {
            env_allow: &allowed,
            ..Facts::default()
        };
        assert_eq!(check_entry(&restored, &facts), Ok(()));
    }
}

#[test]
fn a_restored_entry_is_checked_like_a_new_one() {
    let restored = PluginEntry {
        command: "../../bin/sh".to_owned(),
        ..entry("tp", "1.0.0")
    };
    let text = check_entry(&restored, &Facts::default())
        .unwrap_err()
        .to_string();
    assert_eq!(text, "path cannot contain parent references");
    let restored = PluginEntry {
        oci_image: "registry.example/tp".to_owned(),
        ..entry("tp", "1.0.0")
    };
    let text = check_entry(&restored, &Facts::default())
        .unwrap_err()
        .to_string();
    assert!(text.starts_with("unable to run plugin: "), "{text}");
    // Without an image a runtime means nothing, and keeps nothing from running.
    let file = PluginEntry {
        runtime: "box".to_owned(),
        ..entry("tp", "1.0.0")
    };
    assert_eq!(check_entry(&file, &Facts::default()), Ok(()));
    assert_eq!(check_entry(&entry("tp", ""), &Facts::default()), Ok(()));
}

/// Item 17 of §11.
#[test]
fn better_17_a_version_that_must_not_change_keeps_its_digest_and_command() {
    let refused = |version: &str, edit: fn(&mut PluginEntry)| {
        let before = entry("tp", version);
        let mut after = before.clone();
        edit(&mut after);
        check_overwrite(&before, &after).map_or_else(|error| error.to_string(), |()| String::new())
    };
    let text = |field: &str| {
        format!(
            "secret plugin \"tp\" version v1.0.0 is registered with another {field}, and versions do not change here (immutable_versions): register the new one under a version of its own, or deregister this one first"
        )
    };
    let other_sha: fn(&mut PluginEntry) = |e| e.sha256.0 = [9; 32];
    assert_eq!(refused("1.0.0", other_sha), text("sha256"));
    assert_eq!(
        refused("1.0.0", |e| e.command = "x".to_owned()),
        text("command")
    );
    assert_eq!(
        refused("1.0.0", |e| e.oci_image = "x".to_owned()),
        text("oci_image")
    );
    assert_eq!(refused("1.0.0", |e| e.args = strings(&["--new"])), "");
    assert_eq!(refused("1.0.0", |_| {}), "");
    // Without a version it names nothing for good.
    assert_eq!(refused("", other_sha), "");
}

/// Cases 18 and 19.
#[test]
fn the_reported_version_is_adopted_or_must_agree() {
    let complete = |version: &str, reported: &str| {
        let registration = Registration {
            version: version.to_owned(),
            ..good()
        };
        let draft = registration.check(&Facts::default()).unwrap();
        draft
            .complete(None, reported)
            .map(|e| e.version_text().to_owned())
            .map_err(|e| (e.shape(), e.to_string()))
    };
    assert_eq!(complete("", ""), Ok(String::new()));
    assert_eq!(complete("", "1.1"), Ok("v1.1.0".to_owned()));
    assert_eq!(complete("1.1.0", "v1.1.0"), Ok("v1.1.0".to_owned()));
    assert_eq!(complete("1.1.0", ""), Ok("v1.1.0".to_owned()));
    let mismatch = |reported: &str| {
        let text = format!(
            "plugin version mismatch: tp reported version ({reported}) did not match requested version (v9.1.0)"
        );
        Err((Shape::Plain, text))
    };
    assert_eq!(complete("9.1", "v1.1.0"), mismatch("v1.1.0"));
    assert_eq!(complete("9.1", "nightly"), mismatch("nightly"));
    let text = "plugin self-reported version \"nightly\" is not a valid semantic version: malformed version: nightly";
    assert_eq!(
        complete("", "nightly"),
        Err((Shape::Wrapped, text.to_owned()))
    );
    assert!(complete("", "1.0.0+builtin").is_err());
    assert_eq!(check_reported(&entry("tp", ""), "anything"), Ok(()));
}

#[test]
fn the_typeless_path_takes_the_detected_type() {
    let typeless = Registration {
        plugin_type: None,
        ..good()
    };
    let draft = typeless.check(&Facts::default()).unwrap();
    assert_eq!(draft.to_probe(None), None);
    let probe = draft.to_probe(Some(PluginType::Database)).unwrap();
    assert_eq!(probe.plugin_type, PluginType::Database);
    assert_eq!(
        draft.clone().complete(Some(AUTH), "").unwrap().plugin_type,
        AUTH
    );
    let error = draft.complete(None, "").unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not detect the type of plugin \"tp\": register it under its type, at sys/plugins/catalog/auth, /database or /secret"
    );
    assert_eq!(error.shape(), Shape::Wrapped);
}
