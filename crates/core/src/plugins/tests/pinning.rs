//! Pins.

use super::*;

#[tokio::test]
async fn a_pin_is_set_moved_and_removed_durably() {
    let world = World::new().await;
    for version in ["1.0.0", "1.1.0"] {
        register(&world.plugins, tp(version)).await.unwrap();
    }
    for (version, canonical) in [("1.0.0", "v1.0.0"), ("v1.1", "v1.1.0"), ("1.1", "v1.1.0")] {
        pin(&world.plugins, "tp", version).await.unwrap();
        let expected = [format!("secret/tp {canonical}")];
        assert_eq!(pinned(&world.plugins), expected);
        assert_eq!(pinned(&world.reopened().await), expected);
        assert_eq!(
            world.stored("pinned/secret/tp").await.unwrap(),
            format!(r#"{{"name":"tp","type":3,"version":"{canonical}"}}"#)
        );
    }
    for _ in 0..2 {
        let ctx = ctx();
        let unpinned = world.plugins.unpin(&ctx, PluginType::Secret, "tp");
        unpinned.await.unwrap();
        assert!(pinned(&world.plugins).is_empty());
        assert_eq!(world.stored("pinned/secret/tp").await, None);
    }
}

#[tokio::test]
async fn what_cannot_be_pinned_is_not() {
    let world = World::new().await;
    register(&world.plugins, tp("1.0.0")).await.unwrap();
    register(&world.plugins, named("team/kv")).await.unwrap();
    for (name, version, text) in [
        (
            "tp",
            "3.0.0",
            "plugin not found in the catalog; secret plugin \"tp\" version v3.0.0 does not exist",
        ),
        (
            "tp",
            "1.0.0+builtin",
            "cannot pin a builtin plugin: \"v1.0.0+builtin\"",
        ),
        ("tp", "", "missing plugin version"),
        ("", "1.0.0", "missing plugin name"),
    ] {
        let (kind, texts) = refusal(pin(&world.plugins, name, version).await);
        assert_eq!(
            (kind, texts),
            (ErrorKind::InvalidRequest, vec![text.to_owned()])
        );
    }
    let versioned = Registration {
        version: "1.0.0".to_owned(),
        ..named("team/kv")
    };
    register(&world.plugins, versioned).await.unwrap();
    let (kind, _) = refusal(pin(&world.plugins, "team/kv", "1.0.0").await);
    assert_eq!(kind, ErrorKind::NotFound, "no route has such a name");
    assert!(pinned(&world.plugins).is_empty());
}

#[test]
fn there_is_no_such_pin_is_an_error_and_a_warning() {
    let error = refused(linchpin_catalog::Error::NoPin);
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = "no pinned version for this plugin";
    assert_eq!(
        error.rendered(),
        [format!("1 error occurred:\n\t* {text}\n\n")]
    );
    assert_eq!(error.warnings(), [text]);
    let other = refused(linchpin_catalog::Error::MissingVersion);
    assert_eq!(other.rendered(), ["missing plugin version"]);
    assert!(other.warnings().is_empty());
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let world = World::new().await;
    register(&world.plugins, tp("1.0.0")).await.unwrap();
    let entry = entry(&world.plugins, "v1.0.0").unwrap();
    assert_eq!(world.plugins.file_warning(&entry).await, None);
    world.files.digests.lock().clear();
    let warning = world.plugins.file_warning(&entry).await.unwrap();
    for part in [
        "secret plugin \"tp\" version v1.0.0",
        "\"tp1\"",
        "lstat /p/tp1",
    ] {
        assert!(warning.contains(part), "{warning}");
    }
    pin(&world.plugins, "tp", "1.0.0").await.unwrap();
}
