//! Registration.

use super::*;

#[tokio::test]
async fn what_is_registered_is_seen_and_found_again_at_the_next_start() {
    let world = World::new().await;
    let registration = Registration {
        command: "tp1 --a".to_owned(),
        env: vec!["TOKEN=hunter2".to_owned()],
        ..tp("1.0")
    };
    assert_eq!(
        register(&world.plugins, registration).await.unwrap(),
        [""; 0]
    );
    assert_eq!(
        listed(&world.plugins),
        ["secret plugin \"tp\" version v1.0.0"]
    );
    let record = world.stored("secret/tp/v1.0.0").await.unwrap();
    assert_eq!(
        record,
        r#"{"name":"tp","type":3,"version":"v1.0.0","command":"tp1","args":["--a"],"env":["TOKEN=hunter2"],"sha256":"ERERERERERERERERERERERERERERERERERERERERERE=","builtin":false,"oci":false,"declarative":false}"#
    );
    let again = world.reopened().await;
    assert_eq!(entry(&again, "v1.0.0"), entry(&world.plugins, "v1.0.0"));
}

#[tokio::test]
async fn a_reported_version_is_adopted_and_must_agree_with_a_given_one() {
    let world = World::new().await;
    let reports = Run::Reports(PluginType::Secret, "v1.1.0");
    world.files.add("tp2", reports);
    let tp2 = |version| Registration {
        command: "tp2".to_owned(),
        ..tp(version)
    };
    let (kind, texts) = refusal(register(&world.plugins, tp2("9.1.0")).await);
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert_eq!(
        texts,
        [
            "plugin version mismatch: tp reported version (v1.1.0) did not match requested version (v9.1.0)"
        ]
    );
    assert!(listed(&world.plugins).is_empty());
    register(&world.plugins, tp2("")).await.unwrap();
    assert_eq!(
        listed(&world.plugins),
        ["secret plugin \"tp\" version v1.1.0"]
    );
    assert!(world.stored("secret/tp/v1.1.0").await.is_some());
}

#[tokio::test]
async fn a_plugin_that_does_not_run_is_registered_if_its_type_is_known() {
    let world = World::new().await;
    world.files.add("tp1", Run::Fails("exit status 1"));
    let warnings = register(&world.plugins, tp("")).await.unwrap();
    assert!(
        matches!(warnings.as_slice(), [only] if only.ends_with("its version was not asked: exit status 1")),
        "{warnings:?}"
    );
    let typeless = Registration {
        plugin_type: None,
        ..named("other")
    };
    let (kind, texts) = refusal(register(&world.plugins, typeless.clone()).await);
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert_eq!(
        texts,
        [
            "2 errors occurred:\n\t* could not detect the type of plugin \"other\": register it under its type, at sys/plugins/catalog/auth, /database or /secret\n\t* exit status 1\n\n"
        ]
    );
    assert_eq!(listed(&world.plugins), ["secret plugin \"tp\""]);
    world.files.add("tp1", Run::Reports(PluginType::Auth, ""));
    register(&world.plugins, typeless).await.unwrap();
    assert_eq!(
        listed(&world.plugins),
        ["auth plugin \"other\"", "secret plugin \"tp\""]
    );
}

#[tokio::test]
async fn other_bytes_than_the_registered_ones_are_warned_of_and_not_run() {
    let world = World::new().await;
    let other = |plugin_type| Registration {
        plugin_type,
        sha256: OTHER.to_owned(),
        ..tp("1.0.0")
    };
    let warnings = register(&world.plugins, other(Some(PluginType::Secret))).await;
    let warning = warnings.unwrap().concat();
    for part in ["\"tp1\"", DIGEST, OTHER] {
        assert!(warning.contains(part), "{warning}");
    }
    assert_eq!(
        entry(&world.plugins, "v1.0.0").unwrap().sha256.to_string(),
        OTHER
    );
    let (_, texts) = refusal(register(&world.plugins, other(None)).await);
    assert!(texts.concat().contains(DIGEST), "{texts:?}");
    assert_eq!(world.files.probes.load(SeqCst), 0);
}

#[tokio::test]
async fn refusals_keep_their_texts_and_shapes_and_store_nothing() {
    let world = World::new().await;
    let wrapped = |text: &str| format!("1 error occurred:\n\t* {text}\n\n");
    let check = async |registration: Registration, expected: String| {
        let (kind, texts) = refusal(register(&world.plugins, registration).await);
        assert_eq!((kind, texts), (ErrorKind::InvalidRequest, vec![expected]));
    };
    let command = |command: &str| Registration {
        command: command.to_owned(),
        ..tp("")
    };
    check(named(""), "missing plugin name".to_owned()).await;
    let parent = wrapped("path cannot contain parent references");
    check(command("../x"), parent).await;
    let missing =
        "error while validating the command path: lstat /p/nope: no such file or directory";
    check(command("nope"), wrapped(missing)).await;
    let slash = "plugin name \"team/\" cannot end in '/'";
    check(named("team/"), slash.to_owned()).await;
    let control = "plugin name \"a\\u{7}\" cannot be stored: ";
    let (kind, texts) = refusal(register(&world.plugins, named("a\u{7}")).await);
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert!(texts.concat().starts_with(control), "{texts:?}");
    assert_eq!(listed(&world.plugins), [""; 0]);
    assert_eq!(listed(&world.reopened().await), [""; 0]);
}

#[tokio::test]
async fn without_a_plugin_directory_nothing_is_registered() {
    let world = World::with(Settings::default()).await;
    let (_, texts) = refusal(register(&world.plugins, tp("")).await);
    let text = "could not set plugin, plugin directory is not configured";
    assert_eq!(texts, [format!("1 error occurred:\n\t* {text}\n\n")]);
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_hangs_delays_nobody_else() {
    let world = World::new().await;
    world.files.add("hung", Run::Hangs);
    let hung = Registration {
        command: "hung".to_owned(),
        ..named("hung")
    };
    let hanging = register(&world.plugins, hung);
    tokio::pin!(hanging);
    until_it_waits(hanging.as_mut()).await;
    assert_eq!(world.files.probes.load(SeqCst), 1);
    let others = async {
        register(&world.plugins, tp("1.0.0")).await.unwrap();
        pin(&world.plugins, "tp", "1.0.0").await.unwrap();
        deregister(&world.plugins, "nope", None).await.unwrap();
        listed(&world.plugins)
    };
    let limit = std::time::Duration::from_secs(1);
    let seen = tokio::time::timeout(limit, others).await;
    assert_eq!(
        seen.expect("they wait for it"),
        ["secret plugin \"tp\" version v1.0.0"]
    );
    world.files.release.notify_one();
    hanging.await.unwrap();
    assert_eq!(listed(&world.plugins).len(), 2);
}

#[tokio::test]
async fn a_caller_that_goes_away_while_the_plugin_runs_registers_nothing() {
    let world = World::new().await;
    world.files.add("tp1", Run::Hangs);
    let ctx = ctx();
    ctx.cancel.cancel();
    let outcome = world.plugins.register(&ctx, tp(""), &nobody).await;
    assert_eq!(refusal(outcome).0, ErrorKind::Internal);
    assert_eq!(world.files.probes.load(SeqCst), 1);
    assert_eq!(listed(&world.reopened().await), [""; 0]);
}

#[tokio::test]
async fn overwriting_what_is_used_or_pinned_is_warned_of() {
    let world = World::new().await;
    let used = |_: &EntryId| vec!["m/".to_owned()];
    let context = ctx();
    let overwrite = |args: &str| {
        let registration = Registration {
            args: vec![args.to_owned()],
            ..tp("1.0.0")
        };
        world.plugins.register(&context, registration, &used)
    };
    let new = overwrite("--a").await.unwrap();
    assert!(new.is_empty(), "there was nothing to overwrite: {new:?}");
    let same = overwrite("--a").await.unwrap();
    assert_eq!(
        same,
        [
            "secret plugin \"tp\" version v1.0.0 was already registered like this and is in use by m/: nothing changed"
        ]
    );
    pin(&world.plugins, "tp", "1.0.0").await.unwrap();
    register(&world.plugins, tp("1.1.0")).await.unwrap();
    let other = register(&world.plugins, tp("1.1.0")).await;
    assert!(other.unwrap().is_empty(), "another version is pinned");
    let changed = overwrite("--b").await.unwrap();
    let [in_use, pinned] = changed.as_slice() else {
        panic!("{changed:?}")
    };
    assert!(
        in_use.contains("in use by m/: they run what was"),
        "{in_use}"
    );
    assert!(pinned.contains("was overwritten and is pinned"), "{pinned}");
}

#[tokio::test]
async fn an_absent_field_takes_its_default_when_an_entry_is_overwritten() {
    let world = World::new().await;
    let full = Registration {
        args: vec!["--a".to_owned()],
        env: vec!["A=1".to_owned()],
        execution: "path".to_owned(),
        ..tp("")
    };
    register(&world.plugins, full).await.unwrap();
    register(&world.plugins, tp("")).await.unwrap();
    let again = world.reopened().await;
    for plugins in [&world.plugins, &again] {
        let entry = entry(plugins, "").unwrap();
        assert!(entry.args.is_empty() && entry.env.is_empty());
        assert_eq!(entry.execution, None);
    }
}

#[tokio::test]
async fn the_last_of_two_writers_wins_in_memory_as_in_the_store() {
    let world = World::new().await;
    let with = |args: &str| Registration {
        args: vec![args.to_owned()],
        ..tp("1.0.0")
    };
    let before = world.disk.commits.load(SeqCst);
    let (a, b) = tokio::join!(
        register(&world.plugins, with("--a")),
        register(&world.plugins, with("--b"))
    );
    a.and(b).unwrap();
    assert_eq!(world.disk.commits.load(SeqCst), before + 2);
    let seen = entry(&world.plugins, "v1.0.0").unwrap();
    assert_eq!(seen.args, ["--b"]);
    assert_eq!(entry(&world.reopened().await, "v1.0.0"), Some(seen));
}

#[tokio::test]
async fn better_17_a_version_can_be_kept_from_changing() {
    let world = World::with(Settings {
        has_plugin_directory: true,
        immutable_versions: true,
        ..Settings::default()
    })
    .await;
    register(&world.plugins, tp("1.0.0")).await.unwrap();
    let other = Registration {
        sha256: OTHER.to_owned(),
        ..tp("1.0.0")
    };
    let (kind, texts) = refusal(register(&world.plugins, other.clone()).await);
    assert_eq!(kind, ErrorKind::InvalidRequest);
    assert!(texts[0].contains("immutable_versions"), "{texts:?}");
    let digest = entry(&world.plugins, "v1.0.0").unwrap().sha256.to_string();
    assert_eq!(digest, DIGEST);
    // The same once more, other arguments, and another version are what they always were.
    register(&world.plugins, tp("1.0.0")).await.unwrap();
    let arguments = Registration {
        args: vec!["--a".to_owned()],
        ..tp("1.0.0")
    };
    register(&world.plugins, arguments).await.unwrap();
    let other = Registration {
        version: "1.1.0".to_owned(),
        ..other
    };
    register(&world.plugins, other).await.unwrap();
}
