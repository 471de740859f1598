//! Deregistration (plugin-lifecycle §2.6, terraform.md §4).

use crate::{SECRET, catalog, entry, pinned};
use linchpin_catalog::{Catalog, EntryId, InUse, Shape, check_in_use};

/// What goes: `name@version`, `nothing`, or the error's text.
fn delete(catalog: &Catalog, name: &str, version: Option<&str>) -> String {
    match catalog.deregister(SECRET, name, version) {
        Ok(delete) => match delete.entry {
            None => "nothing".to_owned(),
            Some(entry) => format!("{}@{}", entry.name, entry.version_text()),
        },
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_delete_removes_what_it_names() {
    let catalog = pinned(
        &[
            "tp@1.0.0",
            "tp@1.1.0",
            "one@1.0.0",
            "both",
            "both@1.0.0",
            "totp@1.0.0",
        ],
        &["tp@1.0.0"],
    );
    for (name, version, expected) in [
        ("tp", Some("v1.1.0"), "tp@v1.1.0"),
        ("tp", Some("1.1"), "tp@v1.1.0"),
        ("tp", Some("7.0.0"), "nothing"),
        ("tp", Some(""), "nothing"),
        ("tp", None, "nothing"),
        ("nope", Some(""), "nothing"),
        ("nope", None, "nothing"),
        // Case 94: the unversioned entry goes before any version.
        ("both", Some(""), "both@"),
        ("both", None, "both@"),
        // What a client that was given no version cleans up, and case 25.
        ("one", Some(""), "one@v1.0.0"),
        ("one", None, "nothing"),
        // A read of `totp` without a version is the built-in, so its delete is of that.
        ("totp", Some(""), "nothing"),
        ("kv", None, "nothing"),
        ("", None, "missing plugin name"),
        (
            "tp",
            Some("bad"),
            "version \"bad\" is not a valid semantic version: malformed version: bad",
        ),
        (
            "kv",
            Some("2.7.2+builtin.bao"),
            "version \"v2.7.2+builtin.bao\" cannot be deleted",
        ),
    ] {
        assert_eq!(
            delete(&catalog, name, version),
            expected,
            "{name} {version:?}"
        );
    }
}

/// Item 13 of §11; that a name is not there at all is no news (case 24).
#[test]
fn better_13_a_delete_that_may_be_meant_otherwise_says_so() {
    let catalog = catalog(&["tp@1.0.0", "tp@1.1.0", "both", "one@1.0.0", "totp@1.0.0"]);
    for (name, version, expected) in [
        (
            "tp",
            Some("7.0.0"),
            "nothing was removed: secret plugin \"tp\" version v7.0.0 is not registered; name one in the query parameter version (-version on the command line). Available versions: v1.0.0, v1.1.0",
        ),
        (
            "tp",
            None,
            "nothing was removed: there is no secret plugin \"tp\" without a version; name one in the query parameter version (-version on the command line). Available versions: v1.0.0, v1.1.0",
        ),
        (
            "both",
            Some("1.0.0"),
            "nothing was removed: secret plugin \"both\" version v1.0.0 is not registered; name one in the query parameter version (-version on the command line). Available versions: no version",
        ),
        (
            "one",
            Some(""),
            "no version was given; secret plugin \"one\" version v1.0.0, the only one registered, was removed",
        ),
        ("tp", Some("1.0.0"), ""),
        ("both", None, ""),
        ("nope", None, ""),
        ("nope", Some("1.0.0"), ""),
        ("kv", None, ""),
    ] {
        let delete = catalog.deregister(SECRET, name, version).unwrap();
        assert_eq!(
            delete.note.unwrap_or_default(),
            expected,
            "{name} {version:?}"
        );
    }
    let totp = catalog.deregister(SECRET, "totp", Some("")).unwrap();
    assert!(totp.note.unwrap().starts_with("nothing was removed"));
}

/// Case 35.
#[test]
fn a_pinned_version_stays() {
    let catalog = pinned(&["tp@1.0.0", "one@1.0.0"], &["tp@1.0.0", "one@1.0.0"]);
    for (name, version) in [("tp", "1.0.0"), ("one", "")] {
        let error = catalog.deregister(SECRET, name, Some(version)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot delete a pinned version"),
            "{error}"
        );
        assert_eq!(error.shape(), Shape::Wrapped);
    }
    let unpinned = catalog.without_pin(SECRET, "tp");
    assert_eq!(delete(&unpinned, "tp", Some("1.0.0")), "tp@v1.0.0");
}

/// Cases 67 and 96.
#[test]
fn an_entry_in_use_goes_with_a_warning_or_stays() {
    let id = EntryId::of(&entry("tp", "1.0.0"));
    let mounts = ["m/".to_owned(), "n/".to_owned()];
    assert_eq!(check_in_use(&id, &[], InUse::Refuse), Ok(None));
    let warning = check_in_use(&id, &mounts, InUse::Warn).unwrap().unwrap();
    assert_eq!(
        warning,
        "secret plugin \"tp\" version v1.0.0 is in use by m/, n/: they keep running it, but cannot be reloaded until they are given another version (tune plugin_version, or set a pin)"
    );
    let error = check_in_use(&id, &mounts, InUse::Refuse).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot delete secret plugin \"tp\" version v1.0.0: it is in use by m/, n/: disable them or move them to another version first (deregister_in_use is \"refuse\")"
    );
    assert_eq!(error.shape(), Shape::Plain);
}

#[test]
fn a_text_names_twenty_mounts_and_counts_the_rest() {
    let mounts: Vec<String> = (0..200).map(|i| format!("m{i}/")).collect();
    let text = linchpin_catalog::warnings::list(&mounts);
    assert!(
        text.starts_with("m0/, m1/, ") && text.ends_with("m19/ and 180 more"),
        "{text}"
    );
}

#[test]
fn deleting_leaves_the_rest() {
    let before = catalog(&["tp@1.0.0", "tp@1.1.0"]);
    let gone = before.deregister(SECRET, "tp", Some("1.0.0")).unwrap();
    let gone = gone.entry.unwrap();
    let after = before.without_entry(&EntryId::of(gone));
    assert_eq!(
        after
            .entries()
            .map(|e| e.version_text())
            .collect::<Vec<_>>(),
        ["v1.1.0"]
    );
    assert_eq!(before.entries().count(), 2);
}
