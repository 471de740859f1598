//! The runtimes of container plugins. Case 81, and the calls of a Terraform provider (terraform.md §8). OpenBao has none of it.

use linchpin_testkit::{Expect, Product, Settings, Target, cases, wrapped};
use serde_json::{Value, json};

cases! {
    linchpin:
        case_81_a_runtime_is_registered_read_listed_and_removed,
        case_81_a_runtime_stays_while_a_plugin_refers_to_it,
        a_container_plugin_is_refused_with_what_to_do,
        a_provider_may_escape_its_own_query;
}

const RUNTIMES: &str = "sys/plugins/runtimes/catalog";
const SANDBOX: &str = "sys/plugins/runtimes/catalog/container/sandbox";
const TP: &str = "sys/plugins/catalog/secret/tp";

/// The runtime `sandbox` as it is shown, but for these fields.
fn sandbox(more: Value) -> Value {
    let mut shown = json!({"name": "sandbox", "type": "container", "oci_runtime": "", "cgroup_parent": "",
        "cpu_nanos": 0, "memory_bytes": 0, "rootless": false});
    if let (Value::Object(shown), Value::Object(more)) = (&mut shown, more) {
        shown.extend(more);
    }
    shown
}

async fn case_81_a_runtime_is_registered_read_listed_and_removed(product: Product) {
    let t = Target::with(product, Settings::default().without_plugin_dir()).await;
    assert_eq!(
        t.get(RUNTIMES).await.is(200).data(),
        json!({"runtimes": []})
    );
    assert_eq!(
        t.list(RUNTIMES).await.is(200).data(),
        json!({"runtimes": []})
    );
    t.get(SANDBOX).await.is(404);

    let body = json!({"oci_runtime": "runc", "cgroup_parent": "/plugins", "cpu_nanos": 5, "memory_bytes": "7", "rootless": true});
    t.post(SANDBOX, body).await.is(204);
    let full = sandbox(
        json!({"oci_runtime": "runc", "cgroup_parent": "/plugins", "cpu_nanos": 5, "memory_bytes": 7, "rootless": true}),
    );
    assert_eq!(t.get(SANDBOX).await.is(200).data(), full);
    // A write replaces all of it.
    t.put(SANDBOX, json!({})).await.is(204);
    assert_eq!(t.get(SANDBOX).await.is(200).data(), sandbox(json!({})));
    t.post(&format!("{RUNTIMES}/container/a-first"), json!({}))
        .await
        .is(204);

    let first = sandbox(json!({"name": "a-first"}));
    let all = json!({"runtimes": [first, sandbox(json!({}))]});
    for path in [
        RUNTIMES.to_owned(),
        format!("{RUNTIMES}?type=container"),
        format!("{RUNTIMES}?list=true"),
    ] {
        assert_eq!(t.get(&path).await.is(200).data(), all, "{path}");
    }
    assert_eq!(t.list(RUNTIMES).await.is(200).data(), all);
    t.get(&format!("{RUNTIMES}?type=vm"))
        .await
        .is(400)
        .error_is("\"vm\" is not a supported plugin runtime type");

    for (limit, text) in [
        ("cpu_nanos", "runtime cpu in nanos cannot be negative"),
        ("memory_bytes", "runtime memory in bytes cannot be negative"),
    ] {
        t.post(SANDBOX, json!({limit: -1}))
            .await
            .is(400)
            .error_is(text);
    }
    t.post(&format!("{RUNTIMES}/vm/sandbox"), json!({}))
        .await
        .is(404);
    assert_eq!(t.get(SANDBOX).await.is(200).data(), sandbox(json!({})));

    t.delete(SANDBOX).await.is(204);
    t.get(SANDBOX).await.is(404);
    t.delete(SANDBOX)
        .await
        .is(400)
        .error_is(&wrapped("plugin runtime not found"));
}

async fn case_81_a_runtime_stays_while_a_plugin_refers_to_it(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({"runtime": "sandbox"}))
        .await
        .is(400)
        .error_has("specified plugin runtime \"sandbox\", but failed to retrieve config: ");
    t.get(&format!("{TP}?version=1.0.0")).await.is(404);
    t.post(SANDBOX, json!({})).await.is(204);
    t.register("tp", "1.0.0", "tp1", json!({"runtime": "sandbox"}))
        .await
        .is(200)
        .warns("has no effect");
    t.get(&format!("{TP}?version=1.0.0"))
        .await
        .is(200)
        .has("/data/runtime", "sandbox");
    let catalog = t
        .get("sys/plugins/catalog")
        .await
        .is(200)
        .at("/data/detailed");
    assert!(
        catalog.to_string().contains("\"runtime\":\"sandbox\""),
        "{catalog}"
    );
    // It says nothing to a plugin that runs from a file.
    t.mount("m", "tp", json!({})).await.ok();
    assert_eq!(t.info("m").await.version, "v1.0.0");
    t.delete(SANDBOX).await.is(400).error_is(
        "unable to delete \"sandbox\" runtime. Registered plugins=[tp] are referencing it.",
    );
    t.get(SANDBOX).await.is(200);
    t.delete("sys/mounts/m").await.ok();
    t.delete(&format!("{TP}?version=1.0.0")).await.ok();
    t.delete(SANDBOX).await.is(204);
}

async fn a_container_plugin_is_refused_with_what_to_do(product: Product) {
    let t = Target::start(product).await;
    let image =
        json!({"oci_image": "registry.example/tp", "sha256": t.digest("tp1"), "version": "1.0.0"});
    t.post(TP, image)
        .await
        .is(400)
        .error_has("unable to run plugin: ")
        .error_has("register it with sha256 and command");
    t.get(&format!("{TP}?version=1.0.0")).await.is(404);
}

async fn a_provider_may_escape_its_own_query(product: Product) {
    let t = Target::start(product).await;
    t.post(SANDBOX, json!({})).await.is(204);
    let expected = json!({"runtimes": [sandbox(json!({}))]});
    for path in [
        format!("{RUNTIMES}%3Ftype=container?list=true"),
        format!("{RUNTIMES}%3Ftype=container"),
    ] {
        assert_eq!(t.get(&path).await.is(200).data(), expected, "{path}");
    }
    t.get(&format!("{RUNTIMES}%3Ftype=vm?list=true"))
        .await
        .is(400)
        .error_has("is not a supported plugin runtime type");
}
