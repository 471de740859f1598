//! Pins: which version must run. Cases 27-38; OpenBao has none, so they run against Linchpin alone.

use linchpin_testkit::{Expect, Product, Target, cases, wrapped};
use serde_json::json;

cases! {
    linchpin:
        case_27_without_pins_the_list_is_empty,
        case_28_a_pin_is_created_read_and_listed,
        case_29_an_unregistered_version_cannot_be_pinned,
        case_30_builtin_missing_and_bad_versions_cannot_be_pinned,
        case_31_pins_exist_for_the_canonical_types_only,
        case_32_pinning_again_moves_the_pin,
        case_33_reading_no_pin_is_a_404_with_error_and_warning,
        case_34_deleting_a_pin_is_idempotent,
        case_35_a_pinned_version_cannot_be_deregistered,
        case_36_registering_leaves_pins_alone,
        case_38_pins_are_per_type;
}

const PINS: &str = "sys/plugins/pins";
const TP: &str = "sys/plugins/pins/secret/tp";

async fn with_two_versions(product: Product) -> Target {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t
}

async fn case_27_without_pins_the_list_is_empty(product: Product) {
    let t = Target::start(product).await;
    for path in [PINS, "sys/plugins/pins/"] {
        assert_eq!(
            t.get(path).await.is(200).data(),
            json!({"pinned_versions": []})
        );
    }
    t.list(PINS)
        .await
        .is(405)
        .error_is(&wrapped("unsupported operation"));
}

async fn case_28_a_pin_is_created_read_and_listed(product: Product) {
    let t = with_two_versions(product).await;
    let pin = json!({"name": "tp", "type": "secret", "version": "v1.0.0"});
    for put in [false, true] {
        let body = json!({"version": "1.0.0"});
        let reply = if put {
            t.put(TP, body).await
        } else {
            t.post(TP, body).await
        };
        // 200 with `data: null`, not 204.
        assert_eq!(
            reply.is(200).silent().json().unwrap().get("data"),
            Some(&json!(null))
        );
        assert_eq!(t.get(TP).await.is(200).data(), pin);
        assert_eq!(
            t.get(PINS).await.is(200).data(),
            json!({"pinned_versions": [pin]})
        );
    }
}

async fn case_29_an_unregistered_version_cannot_be_pinned(product: Product) {
    let t = with_two_versions(product).await;
    let text =
        "plugin not found in the catalog; secret plugin \"tp\" version v3.0.0 does not exist";
    t.post(TP, json!({"version": "3.0.0"}))
        .await
        .is(400)
        .error_is(text);
    t.get(TP).await.is(404);
}

async fn case_30_builtin_missing_and_bad_versions_cannot_be_pinned(product: Product) {
    let t = with_two_versions(product).await;
    let builtin = json!({"version": "v1.0.0+builtin"});
    t.post(TP, builtin)
        .await
        .is(400)
        .error_is("cannot pin a builtin plugin: \"v1.0.0+builtin\"");
    t.post(TP, json!({}))
        .await
        .is(400)
        .error_is("missing plugin version");
    t.post(TP, json!({"version": ""}))
        .await
        .is(400)
        .error_is("missing plugin version");
    t.post(TP, json!({"version": "bad"}))
        .await
        .is(400)
        .error_has("is not a valid semantic version");
    t.get(TP).await.is(404);
}

async fn case_31_pins_exist_for_the_canonical_types_only(product: Product) {
    let t = with_two_versions(product).await;
    for kind in ["secrets", "unknown"] {
        let reply = t
            .post(&format!("{PINS}/{kind}/tp"), json!({"version": "1.0.0"}))
            .await
            .is(404);
        reply.error_is(&wrapped("unsupported path"));
    }
}

async fn case_32_pinning_again_moves_the_pin(product: Product) {
    let t = with_two_versions(product).await;
    t.post(TP, json!({"version": "1.0.0"})).await.is(200);
    t.post(TP, json!({"version": "1.1.0"})).await.is(200);
    t.get(TP).await.is(200).has("/data/version", "v1.1.0");
    let listed = t.get(PINS).await.is(200).at("/data/pinned_versions");
    assert_eq!(
        listed,
        json!([{"name": "tp", "type": "secret", "version": "v1.1.0"}])
    );
}

async fn case_33_reading_no_pin_is_a_404_with_error_and_warning(product: Product) {
    let t = Target::start(product).await;
    let reply = t
        .get(TP)
        .await
        .is(404)
        .error_has("no pinned version for this plugin");
    assert!(!reply.warnings().is_empty());
}

async fn case_34_deleting_a_pin_is_idempotent(product: Product) {
    let t = with_two_versions(product).await;
    t.post(TP, json!({"version": "1.0.0"})).await.is(200);
    for _ in 0..2 {
        let reply = t.delete(TP).await.is(200);
        assert_eq!(reply.json().unwrap().get("data"), Some(&json!(null)));
    }
    t.get(TP).await.is(404);
}

async fn case_35_a_pinned_version_cannot_be_deregistered(product: Product) {
    let t = with_two_versions(product).await;
    t.post(TP, json!({"version": "1.0.0"})).await.is(200);
    let pinned = "sys/plugins/catalog/secret/tp?version=1.0.0";
    t.delete(pinned)
        .await
        .is(400)
        .error_has("cannot delete a pinned version")
        .error_has("pinned to v1.0.0");
    t.get(pinned).await.is(200);
    t.delete("sys/plugins/catalog/secret/tp?version=1.1.0")
        .await
        .ok();
    t.delete(TP).await.is(200);
    t.delete(pinned).await.ok();
    t.get(pinned).await.is(404);
}

async fn case_36_registering_leaves_pins_alone(product: Product) {
    let t = with_two_versions(product).await;
    t.post(TP, json!({"version": "1.0.0"})).await.is(200);
    t.plugins().write("plain", b"no plugin");
    t.register("tp", "1.2.0", "plain", json!({})).await.ok();
    t.register("tp", "1.0.0", "tp1", json!({"args": ["--again"]}))
        .await
        .ok();
    t.get(TP).await.is(200).has("/data/version", "v1.0.0");
}

async fn case_38_pins_are_per_type(product: Product) {
    let t = with_two_versions(product).await;
    t.plugins().write("plain", b"no plugin");
    let body = json!({"command": "plain", "sha256": t.digest("plain"), "version": "1.0.0"});
    t.post("sys/plugins/catalog/auth/tp", body).await.ok();
    t.post("sys/plugins/pins/auth/tp", json!({"version": "1.0.0"}))
        .await
        .is(200);
    t.get(TP).await.is(404);
    t.mount("m", "tp", json!({})).await.ok();
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.1.0")
        .silent();
    let listed = t.get(PINS).await.is(200).at("/data/pinned_versions");
    assert_eq!(
        listed,
        json!([{"name": "tp", "type": "auth", "version": "v1.0.0"}])
    );
}
