//! Reads and listings (plugin-lifecycle §§2.2-2.4, 2.7).

use crate::{AUTH, SECRET, builtin, catalog, entry, v};
use linchpin_catalog::{Catalog, Resolved};
use linchpin_model::{PluginType, Sha256};
use proptest::prelude::*;

/// What a read says: `builtin`, a version, `unversioned`, `nothing`, or the error's text; a warning
/// follows after `!`.
fn read(catalog: &Catalog, name: &str, version: &str) -> String {
    match catalog.read(SECRET, name, version) {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(read)) => {
            let found = match read.found {
                Resolved::Builtin(_) => "builtin".to_owned(),
                Resolved::External(e) if e.version.is_none() => "unversioned".to_owned(),
                Resolved::External(e) => e.version_text().to_owned(),
            };
            read.warning
                .map_or(found.clone(), |w| format!("{found} ! {w}"))
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn reads_are_exact_and_helpful_where_nothing_was_asked_for() {
    let catalog = catalog(&[
        "tp@1.0.0",
        "tp@1.1.0",
        "one@2.0.0",
        "plain",
        "both",
        "both@1.0.0",
        "kv@9.0.0",
    ]);
    let builtin_version = linchpin_model::BUILTIN_VERSION;
    for (name, version, expected) in [
        ("tp", "v1.0.0", "v1.0.0"),
        ("tp", "1", "v1.0.0"),
        ("tp", "2.0.0", "nothing"),
        (
            "tp",
            "",
            "plugin \"tp\" has several versions and none was given: choose one with -version. Available versions: v1.0.0, v1.1.0",
        ),
        (
            "one",
            "",
            "v2.0.0 ! no version was given; this is secret plugin \"one\" version v2.0.0, the only one registered",
        ),
        ("plain", "", "unversioned"),
        ("both", "", "unversioned"),
        ("both", "1.0.0", "v1.0.0"),
        ("kv", "", "builtin"),
        ("kv", "9.0.0", "v9.0.0"),
        ("kv", builtin_version, "builtin"),
        ("kv", "v0.0.1+builtin", "nothing"),
        ("nope", "", "nothing"),
        ("", "", "missing plugin name"),
        (
            "tp",
            "bad",
            "version \"bad\" is not a valid semantic version: malformed version: bad",
        ),
    ] {
        assert_eq!(read(&catalog, name, version), expected, "{name} {version}");
    }
}

/// Case 26.
#[test]
fn an_unversioned_plugin_hides_the_builtin_until_it_is_gone() {
    let version = linchpin_model::BUILTIN_VERSION;
    let rows = |c: &Catalog| {
        c.detailed()
            .iter()
            .filter(|d| d.name == "totp" && d.builtin)
            .count()
    };
    let before = catalog(&[]);
    let hidden = before.with_entry(entry("totp", ""));
    assert_eq!(read(&hidden, "totp", ""), "unversioned");
    assert_eq!(read(&hidden, "totp", version), "nothing");
    assert_eq!(rows(&hidden), 0);
    let id = linchpin_catalog::EntryId::of(&entry("totp", ""));
    let after = hidden.without_entry(&id);
    assert_eq!(read(&after, "totp", version), "builtin");
    assert_eq!(rows(&after), 1);
}

/// Cases 21 and 22.
#[test]
fn listings_are_sorted_and_complete() {
    let mut boxed = entry("boxed", "2.0.0");
    boxed.oci_image = "registry.example/boxed".to_owned();
    boxed.runtime = "sandbox".to_owned();
    let mut auth = entry("tp", "1.0.0");
    auth.plugin_type = AUTH;
    let catalog = catalog(&[
        "tp@1.10.0",
        "tp@1.9.0",
        "tp@1.9.0-rc1",
        "totp@0.1.0",
        "totp@9.0.0",
        "plain",
    ])
    .with_entry(boxed)
    .with_entry(auth);
    assert_eq!(
        catalog.names(SECRET),
        ["boxed", "kv", "plain", "totp", "tp"]
    );
    assert_eq!(catalog.names(AUTH), ["approle", "tp"]);
    assert!(catalog.names(PluginType::Database).is_empty());

    let rows: Vec<String> = catalog
        .detailed()
        .iter()
        .map(|d| {
            format!(
                "{} {} {}{}",
                d.plugin_type,
                d.name,
                d.version,
                if d.builtin { " builtin" } else { "" }
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "auth approle v1.21.0+builtin.linchpin builtin",
            "auth tp v1.0.0",
            "secret boxed v2.0.0",
            "secret kv v1.21.0+builtin.linchpin builtin",
            "secret plain ",
            "secret totp v0.1.0",
            "secret totp v1.21.0+builtin.linchpin builtin",
            "secret totp v9.0.0",
            "secret tp v1.9.0-rc1",
            "secret tp v1.9.0",
            "secret tp v1.10.0",
        ]
    );
    let detailed = catalog.detailed();
    let boxed = detailed.iter().find(|d| d.name == "boxed").unwrap();
    assert_eq!(
        (boxed.oci_image, boxed.runtime),
        ("registry.example/boxed", "sandbox")
    );
    assert_eq!(boxed.sha256, Some(Sha256([7; 32])));
    assert_eq!(boxed.deprecation_status, None);
    let kv = detailed.iter().find(|d| d.name == "kv").unwrap();
    assert_eq!(kv.sha256, None);
    assert!(kv.deprecation_status.is_some());
}

#[test]
fn without_a_directory_files_are_listed_and_never_found() {
    let mut boxed = entry("boxed", "");
    boxed.oci_image = "registry.example/boxed".to_owned();
    let catalog = Catalog::new([builtin(SECRET, "totp")], false)
        .with_entry(entry("tp", "1.0.0"))
        .with_entry(entry("totp", ""))
        .with_entry(boxed);
    assert_eq!(read(&catalog, "tp", "1.0.0"), "nothing");
    assert_eq!(read(&catalog, "tp", ""), "nothing");
    assert_eq!(read(&catalog, "totp", ""), "builtin");
    assert_eq!(read(&catalog, "boxed", ""), "unversioned");
    assert_eq!(catalog.names(SECRET), ["boxed", "totp", "tp"]);
}

#[test]
fn names_that_begin_alike_do_not_mix() {
    let catalog = catalog(&[
        "a@1.0.0",
        "a-b@2.0.0",
        "a/b@3.0.0",
        "ab@4.0.0",
        "a\u{1}@5.0.0",
    ]);
    assert_eq!(read(&catalog, "a", "").split(' ').next(), Some("v1.0.0"));
    assert_eq!(read(&catalog, "ab", "").split(' ').next(), Some("v4.0.0"));
}

proptest! {
    /// A lookup agrees with reading down the list of plugin-lifecycle §2.7.
    #[test]
    fn lookup_agrees_with_a_naive_reading(
        registered in proptest::collection::btree_set((0..3_usize, 0..4_usize), 0..8),
        name in 0..3_usize,
        version in 0..5_usize,
    ) {
        let names = ["totp", "kv", "tp"];
        let versions = ["", "v1.0.0", "v1.1.0-rc1", "v2.0.0", linchpin_model::BUILTIN_VERSION];
        let catalog = registered
            .iter()
            .fold(catalog(&[]), |c, (n, ver)| c.with_entry(entry(names[*n], versions[*ver])));
        let has = |n: usize, ver: usize| registered.contains(&(n, ver));
        let is_builtin = name < 2;
        let expected = match version {
            0 if has(name, 0) => Some(""),
            0 if is_builtin => Some(versions[4]),
            0 => None,
            4 if is_builtin && !has(name, 0) => Some(versions[4]),
            ver if has(name, ver) => Some(versions[ver]),
            _ => None,
        };
        let wanted = (version > 0).then(|| v(versions[version]));
        let found = catalog.lookup(SECRET, names[name], wanted.as_ref());
        prop_assert_eq!(found.as_ref().map(|f| f.version_text().to_owned()), expected.map(str::to_owned));
    }
}
