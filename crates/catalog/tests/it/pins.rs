//! Pins (plugin-lifecycle §3).

use crate::{AUTH, SECRET, catalog, entry, pinned};
use linchpin_catalog::{Pin, Shape};
use linchpin_model::ErrorKind;

/// Cases 28 to 30.
#[test]
fn only_a_registered_version_can_be_pinned() {
    let catalog = catalog(&["tp@1.0.0", "plain"]);
    let pin = |name: &str, version: &str| {
        catalog
            .check_pin(SECRET, name, version)
            .map(|p| format!("{} {} {}", p.plugin_type, p.name, p.version))
            .unwrap_or_else(|e| {
                assert_eq!(e.shape(), Shape::Plain);
                e.to_string()
            })
    };
    for (name, version, expected) in [
        ("tp", "1", "secret tp v1.0.0"),
        ("", "1", "missing plugin name"),
        (
            "tp",
            "bad",
            "version \"bad\" is not a valid semantic version: malformed version: bad",
        ),
        ("tp", "", "missing plugin version"),
        (
            "tp",
            "1.0.0+builtin",
            "cannot pin a builtin plugin: \"v1.0.0+builtin\"",
        ),
        (
            "tp",
            "3.0.0",
            "plugin not found in the catalog; secret plugin \"tp\" version v3.0.0 does not exist",
        ),
        (
            "plain",
            "1.0.0",
            "plugin not found in the catalog; secret plugin \"plain\" version v1.0.0 does not exist",
        ),
    ] {
        assert_eq!(pin(name, version), expected, "{name} {version}");
    }
}

/// Cases 32, 33, 34 and 38.
#[test]
fn a_pin_is_one_per_type_and_name() {
    let mut auth = entry("tp", "1.0.0");
    auth.plugin_type = AUTH;
    let catalog = pinned(
        &["tp@1.0.0", "tp@1.1.0", "a@1.0.0"],
        &["tp@1.0.0", "tp@1.1.0", "a@1.0.0"],
    )
    .with_entry(auth);
    let catalog = catalog.with_pin(catalog.check_pin(AUTH, "tp", "1.0.0").unwrap());
    let listed: Vec<String> = catalog
        .pins()
        .map(|p| format!("{} {} {}", p.plugin_type, p.name, p.version))
        .collect();
    assert_eq!(
        listed,
        ["auth tp v1.0.0", "secret a v1.0.0", "secret tp v1.1.0"]
    );
    assert_eq!(
        catalog.read_pin(SECRET, "tp"),
        Ok(Pin {
            plugin_type: SECRET,
            name: "tp".to_owned(),
            version: crate::v("1.1.0")
        })
    );

    let without = catalog.without_pin(SECRET, "tp").without_pin(SECRET, "tp");
    let error = without.read_pin(SECRET, "tp").unwrap_err();
    assert_eq!(error.to_string(), "no pinned version for this plugin");
    assert_eq!(
        (error.shape(), error.kind()),
        (Shape::Wrapped, ErrorKind::NotFound)
    );
    assert!(without.read_pin(AUTH, "tp").is_ok());
}
