//! Which version is stored and which one runs (plugin-lifecycle §4).

use crate::{AUTH, SECRET, catalog, entry, pinned, v};
use linchpin_catalog::{Catalog, Error, Resolved, Shape, without_alias};
use proptest::prelude::*;

const BUILTIN: &str = linchpin_model::BUILTIN_VERSION;

/// What a mount stores and runs: `stored|running`, or the error's text.
fn mount(catalog: &Catalog, name: &str, requested: &str) -> String {
    let outcome = catalog.choose(SECRET, name, requested).and_then(|stored| {
        let running = catalog.run(SECRET, name, stored.as_ref())?;
        let stored = stored.map_or_else(String::new, |s| s.to_string());
        Ok(format!("{stored}|{}", running.version_text()))
    });
    outcome.unwrap_or_else(|e: Error| {
        assert_eq!(e.shape(), Shape::Plain);
        e.to_string()
    })
}

/// Cases 39 to 45 and 52.
#[test]
fn a_new_mount_prefers_pin_request_unversioned_highest_builtin() {
    let versions = [
        "tp@1.0.0",
        "tp@1.1.0",
        "totp@9.0.0",
        "pre@1.9.0",
        "pre@2.0.0-rc1",
    ];
    let plain = catalog(&versions);
    for (name, requested, expected) in [
        ("tp", "", "v1.1.0|v1.1.0"),
        ("tp", "1.0.0", "v1.0.0|v1.0.0"),
        (
            "tp",
            "7.0.0",
            "plugin not found in the catalog: tp, version=v7.0.0",
        ),
        (
            "tp",
            "x",
            "version \"x\" is not a valid semantic version: malformed version: x",
        ),
        (
            "tp",
            "1.0.0+builtin",
            "plugin not found in the catalog: tp, version=v1.0.0+builtin",
        ),
        ("nope", "", "plugin not found in the catalog: nope"),
        ("totp", "", "v9.0.0|v9.0.0"),
        ("totp", BUILTIN, &format!("|{BUILTIN}")),
        (
            "totp",
            "v0.1.0+builtin",
            "plugin not found in the catalog: totp, version=v0.1.0+builtin",
        ),
        ("pre", "", "v2.0.0-rc1|v2.0.0-rc1"),
        ("kv", "", &format!("|{BUILTIN}")),
        ("kv-v2", "", &format!("|{BUILTIN}")),
        ("kv", BUILTIN, &format!("|{BUILTIN}")),
        (
            "kv",
            "v1.2.3",
            "cannot select non-builtin version of secrets plugin kv",
        ),
        (
            "kv-v1",
            "v1.2.3",
            "cannot select non-builtin version of secrets plugin kv",
        ),
        (
            "database",
            "v1.2.3",
            "cannot select non-builtin version of secrets plugin database",
        ),
    ] {
        assert_eq!(
            mount(&plain, name, requested),
            expected,
            "{name} {requested}"
        );
    }

    let shadowed = plain
        .with_entry(entry("tp", ""))
        .with_entry(entry("totp", ""));
    assert_eq!(mount(&shadowed, "tp", ""), "|");
    assert_eq!(mount(&shadowed, "totp", ""), "|");
    assert_eq!(
        mount(&shadowed, "totp", BUILTIN),
        format!(
            "secret plugin \"totp\", version {BUILTIN} not found, as it is overridden by an unversioned plugin of the same name. Omit `plugin_version` to use the unversioned plugin"
        )
    );

    let pinned = pinned(&versions, &["tp@1.0.0"]);
    assert_eq!(mount(&pinned, "tp", ""), "v1.0.0|v1.0.0");
    for requested in ["1.1.0", "1.0.0"] {
        assert_eq!(
            mount(&pinned, "tp", requested),
            "cannot specify plugin_version for secret plugin \"tp\", as it is pinned to version v1.0.0"
        );
    }
}

/// Case 53.
#[test]
fn auth_and_secret_are_separate() {
    let catalog = catalog(&["tp@1.0.0"]);
    let error = catalog
        .run(AUTH, "tp", catalog.choose(AUTH, "tp", "").unwrap().as_ref())
        .unwrap_err();
    assert_eq!(error.to_string(), "plugin not found in the catalog: tp");
}

/// Cases 49 to 51: the pin decides what runs, and the stored version comes back with its removal.
#[test]
fn a_pin_moves_what_runs_and_not_what_is_stored() {
    let catalog = pinned(&["tp@1.0.0", "tp@1.1.0"], &["tp@1.1.0"]);
    let stored = v("1.0.0");
    let running = |c: &Catalog| {
        c.run(SECRET, "tp", Some(&stored))
            .unwrap()
            .version_text()
            .to_owned()
    };
    assert_eq!(running(&catalog), "v1.1.0");
    assert_eq!(running(&catalog.without_pin(SECRET, "tp")), "v1.0.0");
}

#[test]
fn a_stored_builtin_version_counts_as_none() {
    let old_build = v("v1.20.0+builtin.linchpin");
    let catalog = catalog(&[]);
    let found = catalog.run(SECRET, "totp", Some(&old_build)).unwrap();
    assert!(matches!(found, Resolved::Builtin(_)));
}

/// Cases 46 to 48.
#[test]
fn tuning_stores_only_what_could_run() {
    let catalog = pinned(&["tp@1.0.0", "tp@1.1.0", "p@1.0.0"], &["p@1.0.0"]);
    let tune = |name: &str, requested: &str| {
        let stored = catalog.tune(SECRET, name, requested);
        stored.map_or_else(
            |e| e.to_string(),
            |s| s.map_or_else(String::new, |s| s.to_string()),
        )
    };
    for (name, requested, expected) in [
        ("tp", "1.0.0", "v1.0.0"),
        (
            "tp",
            "",
            "version \"\" is not a valid semantic version: malformed version: ",
        ),
        (
            "tp",
            "x",
            "version \"x\" is not a valid semantic version: malformed version: x",
        ),
        (
            "tp",
            "8.8.8",
            "plugin not found in the catalog: tp, version=v8.8.8",
        ),
        ("totp", BUILTIN, ""),
        ("kv", BUILTIN, ""),
        (
            "kv",
            "1.0.0",
            "cannot select non-builtin version of secrets plugin kv",
        ),
        (
            "kv",
            "",
            "version \"\" is not a valid semantic version: malformed version: ",
        ),
    ] {
        assert_eq!(tune(name, requested), expected, "{name} {requested}");
    }
    for requested in ["1.0.0", "2.0.0", "", "x"] {
        assert_eq!(
            tune("p", requested),
            "plugin_version cannot be set for secret plugin \"p\" as a pinned version v1.0.0 is in effect"
        );
    }
}

#[test]
fn reads_of_a_mount_say_what_differs() {
    use linchpin_catalog::warnings::{pin_overrides, running_differs};
    let (one, two) = (v("1.0.0"), v("1.1.0"));
    assert_eq!(running_differs(Some(&one), "v1.0.0", None), None);
    assert_eq!(running_differs(None, "v1.0.0", Some(&one)), None);
    assert_eq!(
        running_differs(Some(&two), "v1.0.0", None).unwrap(),
        "Plugin version is configured as \"v1.1.0\", but running \"v1.0.0\" either due to a pinned version or because the plugin was upgraded and not yet reloaded"
    );
    assert_eq!(
        running_differs(Some(&one), "v1.1.0", Some(&two)).unwrap(),
        "Plugin version is configured as \"v1.0.0\", but running \"v1.1.0\" because that version is pinned"
    );
    assert_eq!(pin_overrides(Some(&one), Some(&one)), None);
    assert_eq!(pin_overrides(Some(&one), None), None);
    assert_eq!(
        pin_overrides(Some(&one), Some(&two)).unwrap(),
        "plugin_version is configured as v1.0.0 but a version pin for v1.1.0 is in effect"
    );
    assert!(pin_overrides(None, Some(&two)).is_some());
}

#[test]
fn only_kv_has_aliases() {
    assert_eq!(without_alias(SECRET, "kv-v1"), "kv");
    assert_eq!(without_alias(SECRET, "kv-v2"), "kv");
    assert_eq!(without_alias(AUTH, "kv-v2"), "kv-v2");
    assert_eq!(without_alias(SECRET, "tp"), "tp");
}

proptest! {
    /// What a new mount runs is always the first of: pin, request, unversioned, highest, built-in.
    #[test]
    fn precedence_holds_in_every_catalog(
        registered in proptest::collection::btree_set(0..4_usize, 0..4),
        pin in proptest::option::of(1..4_usize),
        requested in 0..4_usize,
        name in prop_oneof![Just("totp"), Just("tp")],
    ) {
        let versions = ["", "v1.0.0-rc1", "v1.0.0", "v1.0.1"];
        let mut catalog = registered.iter().fold(catalog(&[]), |c, i| c.with_entry(entry(name, versions[*i])));
        let pin = pin.filter(|p| registered.contains(p));
        if let Some(pin) = pin {
            catalog = catalog.with_pin(catalog.check_pin(SECRET, name, versions[pin]).unwrap());
        }
        let highest = registered.iter().copied().filter(|i| *i > 0).max();
        let expected = match (pin, requested) {
            (Some(_), 1..) => None,
            (Some(pin), _) => Some(versions[pin]),
            (None, 1..) => registered.contains(&requested).then(|| versions[requested]),
            (None, _) if registered.contains(&0) => Some(""),
            (None, _) => highest.map(|h| versions[h]).or((name == "totp").then_some(BUILTIN)),
        };
        let runs = catalog
            .choose(SECRET, name, versions[requested])
            .and_then(|stored| Ok(catalog.run(SECRET, name, stored.as_ref())?.version_text().to_owned()));
        prop_assert_eq!(runs.ok(), expected.map(str::to_owned));
    }
}
