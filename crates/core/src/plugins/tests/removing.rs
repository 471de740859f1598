//! Deregistration.

use super::*;

#[tokio::test]
async fn what_is_deregistered_is_gone_also_at_the_next_start() {
    let world = World::new().await;
    for version in ["", "1.0.0", "1.1.0"] {
        register(&world.plugins, tp(version)).await.unwrap();
    }
    let unknown = deregister(&world.plugins, "nope", None).await.unwrap();
    assert_eq!(unknown, [""; 0]);
    let wrong = deregister(&world.plugins, "tp", Some("7.0.0")).await;
    let wrong = wrong.unwrap().concat();
    assert!(wrong.starts_with("nothing was removed"), "{wrong}");
    deregister(&world.plugins, "tp", Some("1.0.0"))
        .await
        .unwrap();
    deregister(&world.plugins, "tp", Some("")).await.unwrap();
    let left = ["secret plugin \"tp\" version v1.1.0"];
    assert_eq!(listed(&world.plugins), left);
    assert_eq!(listed(&world.reopened().await), left);
    assert_eq!(world.stored("secret/tp").await, None);
}

#[tokio::test]
async fn a_builtin_and_a_pinned_version_stay() {
    let world = World::new().await;
    for version in ["1.0.0", "1.1.0"] {
        register(&world.plugins, tp(version)).await.unwrap();
    }
    pin(&world.plugins, "tp", "1.0.0").await.unwrap();
    let builtin = linchpin_model::BUILTIN_VERSION;
    let (_, texts) = refusal(deregister(&world.plugins, "totp", Some(builtin)).await);
    assert_eq!(texts, [format!("version \"{builtin}\" cannot be deleted")]);
    deregister(&world.plugins, "totp", None).await.unwrap();
    let (kind, texts) = refusal(deregister(&world.plugins, "tp", Some("v1.0.0")).await);
    assert_eq!(kind, ErrorKind::InvalidRequest);
    let start = "1 error occurred:\n\t* cannot delete a pinned version";
    assert!(texts.concat().starts_with(start), "{texts:?}");
    deregister(&world.plugins, "tp", Some("v1.1.0"))
        .await
        .unwrap();
    assert_eq!(
        listed(&world.reopened().await),
        ["secret plugin \"tp\" version v1.0.0"]
    );
}

#[tokio::test]
async fn the_setting_decides_about_an_entry_in_use() {
    for (policy, is_kept) in [(InUse::Warn, false), (InUse::Refuse, true)] {
        let world = World::with(Settings {
            has_plugin_directory: true,
            deregister_in_use: policy,
            ..Settings::default()
        })
        .await;
        register(&world.plugins, tp("1.0.0")).await.unwrap();
        let used = |_: &EntryId| vec!["m/".to_owned()];
        let outcome = world
            .plugins
            .deregister(&ctx(), PluginType::Secret, "tp", Some("1.0.0"), &used)
            .await;
        let said = match outcome {
            Ok(warnings) => warnings.concat(),
            Err(error) => error.to_string(),
        };
        assert!(said.contains("in use by m/"), "{said}");
        assert_eq!(entry(&world.plugins, "v1.0.0").is_some(), is_kept);
        assert_eq!(entry(&world.reopened().await, "v1.0.0").is_some(), is_kept);
    }
}

#[tokio::test]
async fn a_plugin_from_before_there_were_types_can_be_removed() {
    let world = World::new().await;
    world
        .write("old", r#"{"name":"old","command":"old"}"#)
        .await;
    deregister(&world.plugins, "old", Some("1.0.0"))
        .await
        .unwrap();
    assert!(world.stored("old").await.is_some(), "it has no version");
    deregister(&world.plugins, "old", None).await.unwrap();
    assert_eq!(world.stored("old").await, None);
}

#[tokio::test]
async fn a_name_is_never_taken_for_the_key_of_something_else() {
    let world = World::new().await;
    let auth = Registration {
        plugin_type: Some(PluginType::Auth),
        ..tp("")
    };
    register(&world.plugins, auth).await.unwrap();
    register(&world.plugins, tp("1.0.0")).await.unwrap();
    pin(&world.plugins, "tp", "1.0.0").await.unwrap();
    // An entry of the type `auth` where entries from before there were types are.
    let record = world.stored("auth/tp").await.unwrap();
    world
        .write("moved", &record.replace("tp\"", "moved\""))
        .await;
    let opened = world.reopened().await;
    for name in ["auth/tp", "pinned/secret/tp", "secret/tp/v1.0.0", "moved"] {
        deregister(&opened, name, None).await.unwrap();
    }
    for key in ["auth/tp", "secret/tp/v1.0.0", "pinned/secret/tp", "moved"] {
        assert!(world.stored(key).await.is_some(), "{key}");
    }
}
