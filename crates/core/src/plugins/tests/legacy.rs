//! Plugins from before there were types.

use super::*;

/// `tp` as a server without types stored it, from the file `command`.
fn untyped(command: &str) -> String {
    format!(
        r#"{{"name":"{command}","command":"{command}","args":["--a"],"sha256":"ERERERERERERERERERERERERERERERERERERERERERE=","builtin":false,"future":[1.50]}}"#
    )
}

#[tokio::test]
async fn they_become_what_running_them_tells() {
    let world = World::new().await;
    // It reports a version, and stays unversioned all the same: its mounts ask for no version.
    world
        .files
        .add("old", Run::Reports(PluginType::Secret, "v1.1.0"));
    world.files.add("hangs", Run::Hangs);
    world.files.add("broken", Run::Fails("no handshake"));
    for name in ["broken", "old", "vanished"] {
        world.write(name, &untyped(name)).await;
    }
    let opened = world.reopened().await;
    assert_eq!(listed(&opened), [""; 0]);
    opened.upgrade_untyped(&ctx()).await;
    assert_eq!(listed(&opened), ["secret plugin \"old\""]);
    assert_eq!(world.stored("old").await, None);
    let record = world.stored("secret/old").await.unwrap();
    assert!(
        record.contains(r#""type":3,"version":"""#) && record.ends_with(r#","future":[1.50]}"#),
        "{record}"
    );
    // What cannot be run is kept as it is, and tried again at the next start.
    for name in ["broken", "vanished"] {
        assert_eq!(world.stored(name).await, Some(untyped(name)), "{name}");
    }
    let opened = world.reopened().await;
    assert_eq!(listed(&opened), ["secret plugin \"old\""]);
    world
        .files
        .add("broken", Run::Reports(PluginType::Auth, ""));
    opened.upgrade_untyped(&ctx()).await;
    assert_eq!(
        listed(&opened),
        ["auth plugin \"broken\"", "secret plugin \"old\""]
    );
}

#[tokio::test]
async fn what_was_registered_anew_meanwhile_counts() {
    let world = World::new().await;
    world.files.add("tp", Run::Reports(PluginType::Secret, ""));
    world.write("tp", &untyped("tp")).await;
    let opened = world.reopened().await;
    register(&opened, tp("")).await.unwrap();
    opened.upgrade_untyped(&ctx()).await;
    assert_eq!(entry(&opened, "").unwrap().command, "tp1");
    assert!(world.stored("tp").await.is_some());
    // And what was removed meanwhile does not come back.
    let opened = world.reopened().await;
    for _ in 0..2 {
        deregister(&opened, "tp", None).await.unwrap();
    }
    opened.upgrade_untyped(&ctx()).await;
    assert_eq!(listed(&opened), [""; 0]);
}

#[tokio::test]
async fn nobody_waits_for_a_plugin_that_hangs() {
    let world = World::new().await;
    world.files.add("hangs", Run::Hangs);
    world.write("hangs", &untyped("hangs")).await;
    let opened = world.reopened().await;
    let ctx = ctx();
    let mut upgrade = std::pin::pin!(opened.upgrade_untyped(&ctx));
    until_it_waits(upgrade.as_mut()).await;
    register(&opened, tp("1.0.0")).await.unwrap();
    // The end of the server ends it too, and leaves the record as it was.
    ctx.cancel.cancel();
    upgrade.await;
    assert_eq!(world.stored("hangs").await, Some(untyped("hangs")));
}
