//! Runtimes of container plugins.

use super::*;
use linchpin_catalog::Runtime;

fn sandbox(oci_runtime: &str) -> Runtime {
    Runtime {
        name: "sandbox".to_owned(),
        oci_runtime: oci_runtime.to_owned(),
        cpu_nanos: 5,
        rootless: true,
        ..Runtime::default()
    }
}

fn runtimes(plugins: &Plugins) -> Vec<Runtime> {
    plugins.catalog().runtimes().cloned().collect()
}

/// What is stored of it, wherever that is.
async fn stored(world: &World) -> Option<String> {
    let key = Key::new("core/plugin-runtime-catalog/container/sandbox");
    let found = world.barrier.get(&key).await.unwrap();
    found.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn a_runtime_is_registered_replaced_and_removed_durably() {
    let world = World::new().await;
    for oci_runtime in ["runc", ""] {
        let asked = sandbox(oci_runtime);
        let ctx = ctx();
        let registered = world.plugins.register_runtime(&ctx, asked.clone());
        registered.await.unwrap();
        assert_eq!(runtimes(&world.plugins), [asked.clone()]);
        assert_eq!(runtimes(&world.reopened().await), [asked]);
    }
    assert_eq!(
        stored(&world).await.unwrap(),
        r#"{"name":"sandbox","type":1,"oci_runtime":"","cgroup_parent":"","cpu":5,"memory":0,"rootless":true}"#
    );
    let removed = world.plugins.remove_runtime(&ctx(), "sandbox").await;
    removed.unwrap();
    assert!(runtimes(&world.plugins).is_empty());
    assert_eq!(stored(&world).await, None);
    let again = world.plugins.remove_runtime(&ctx(), "sandbox").await;
    assert_eq!(
        again.unwrap_err().rendered(),
        ["1 error occurred:\n\t* plugin runtime not found\n\n"]
    );
}

#[tokio::test]
async fn what_other_products_keep_in_a_record_survives() {
    let world = World::new().await;
    let mut batch = linchpin_barrier::Batch::new();
    for (name, value) in [
        (
            "sandbox",
            r#"{"name":"sandbox","type":"container","later":[1.50]}"#,
        ),
        ("other", r#"{"name":"not-other","type":1}"#),
        ("vm", r#"{"name":"vm","type":2}"#),
    ] {
        let key = Key::new(format!("core/plugin-runtime-catalog/container/{name}"));
        batch.put(key, value.as_bytes().to_vec());
    }
    world.barrier.commit(batch).await.unwrap();
    let opened = world.reopened().await;
    let names: Vec<String> = runtimes(&opened).into_iter().map(|r| r.name).collect();
    assert_eq!(names, ["sandbox"]);
    opened
        .register_runtime(&ctx(), sandbox("runc"))
        .await
        .unwrap();
    let record = stored(&world).await.unwrap();
    assert!(record.ends_with(r#","later":[1.50]}"#), "{record}");
}

#[tokio::test]
async fn a_runtime_stays_as_long_as_an_entry_refers_to_it() {
    let world = World::new().await;
    let asked = Registration {
        runtime: "sandbox".to_owned(),
        ..tp("1.0.0")
    };
    let (_, texts) = refusal(register(&world.plugins, asked.clone()).await);
    assert!(
        texts[0]
            .starts_with("specified plugin runtime \"sandbox\", but failed to retrieve config: "),
        "{texts:?}"
    );
    let plugins = &world.plugins;
    plugins.register_runtime(&ctx(), sandbox("")).await.unwrap();
    let warnings = register(plugins, asked).await.unwrap();
    assert!(warnings.concat().contains("has no effect"), "{warnings:?}");
    let refused = plugins.remove_runtime(&ctx(), "sandbox").await.unwrap_err();
    assert_eq!(
        refused.rendered(),
        ["unable to delete \"sandbox\" runtime. Registered plugins=[tp] are referencing it."]
    );
    deregister(plugins, "tp", Some("1.0.0")).await.unwrap();
    plugins.remove_runtime(&ctx(), "sandbox").await.unwrap();
}

#[tokio::test]
async fn a_name_that_no_route_has_is_no_key() {
    let world = World::new().await;
    let odd = Runtime {
        name: "../x".to_owned(),
        ..sandbox("")
    };
    let refused = world.plugins.register_runtime(&ctx(), odd).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
}
