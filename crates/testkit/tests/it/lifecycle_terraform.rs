//! The calls of a Terraform provider, as they were recorded (clients/terraform.md §§3-6, 8), and our answers to them, whole. Whatever changes
//! here shows as a plan that is not empty, or as a provider that crashes.

use linchpin_testkit::client::{Method, Reply, Request};
use linchpin_testkit::{Expect, Product, Target, cases};
use serde_json::{Value, json};

cases! {
    linchpin:
        a_provider_reads_the_version_of_the_server,
        a_provider_registers_reads_changes_and_removes_a_plugin,
        a_provider_registers_two_versions_at_the_same_moment,
        a_provider_pins_a_version_and_survives_a_pin_that_was_removed_by_hand,
        a_provider_upgrades_a_pinned_plugin_by_a_new_one_before_the_old_one_goes,
        a_provider_makes_tunes_moves_and_removes_a_mount,
        a_provider_asks_which_mount_a_path_belongs_to,
        a_provider_reloads_a_builtin_engine_by_its_mount;
}

/// One call: method, path, body (`null` = none), status, and the body of the answer (`null` = none).
type Step = (Method, &'static str, Value, u16, Value);

/// Plays the calls in their order. Ids, which are others each time, are compared as `"<id>"`.
async fn play(t: &Target, steps: impl IntoIterator<Item = Step>) {
    for (method, path, body, status, expected) in steps {
        let reply = ask(t, &method, path, &body).await;
        let found = reply.json().map(known).unwrap_or_default();
        assert_eq!(
            (reply.status(), found),
            (status, known(expected)),
            "{method} {path} {body}"
        );
    }
}

async fn ask(t: &Target, method: &Method, path: &str, body: &Value) -> Reply {
    let request = Request::new(method.clone(), path);
    t.send(match body {
        Value::Null => request,
        body => request.json(body),
    })
    .await
}

/// The value with every id replaced.
fn known(value: Value) -> Value {
    const IDS: [&str; 5] = [
        "request_id",
        "reload_id",
        "migration_id",
        "uuid",
        "accessor",
    ];
    match value {
        Value::Object(object) => {
            let shown = object.into_iter().map(|(name, value)| {
                let is_id = IDS.contains(&name.as_str()) && value.is_string();
                let value = if is_id { json!("<id>") } else { known(value) };
                (name, value)
            });
            Value::Object(shown.collect())
        }
        Value::Array(items) => items.into_iter().map(known).collect(),
        other => other,
    }
}

/// An answer with these data.
fn envelope(data: Value, warnings: Value) -> Value {
    json!({"request_id": "", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data,
        "wrap_info": null, "warnings": warnings, "auth": null})
}

fn data(data: Value) -> Value {
    envelope(data, Value::Null)
}

/// An answer whose data are repeated beside it, as for mounts.
fn injected(fields: Value) -> Value {
    let mut answer = data(fields.clone());
    if let (Value::Object(answer), Value::Object(fields)) = (&mut answer, fields) {
        answer.extend(fields);
    }
    answer
}

fn none() -> Value {
    Value::Null
}

const PLUGIN: &str = "sys/plugins/catalog/secret/my-kv";
const READ: &str = "sys/plugins/catalog/secret/my-kv?version=1.0.0";
const PIN: &str = "sys/plugins/pins/secret/my-kv";

/// What a provider sends for a version of a plugin.
fn plugin(t: &Target, command: &str, version: &str) -> Value {
    json!({"type": "secret", "command": command, "sha256": t.digest(command), "version": version})
}

async fn a_provider_reads_the_version_of_the_server(product: Product) {
    let t = Target::start(product).await;
    let version = t.get("sys/seal-status").await.is(200).at("/version");
    let version = version.as_str().unwrap();
    let (numbers, metadata) = version.split_once('+').unwrap_or((version, ""));
    let numbers: Vec<u64> = numbers
        .split('.')
        .map(|number| {
            number
                .parse()
                .expect("no prerelease, which sorts below its release")
        })
        .collect();
    assert!(numbers.len() == 3 && numbers >= vec![1, 21, 0], "{version}");
    // With these letters in it the provider takes the server for Vault Enterprise.
    assert!(!metadata.contains("ent"), "{version}");
}

async fn a_provider_registers_reads_changes_and_removes_a_plugin(product: Product) {
    let t = Target::start(product).await;
    let shown = |args: Value, command: &str| {
        data(
            json!({"name": "my-kv", "version": "v1.0.0", "command": command, "args": args,
            "sha256": t.digest(command), "builtin": false}),
        )
    };
    t.plugins()
        .install("tp1-again", &linchpin_testkit::binary("fault-v1"));
    let mut first = plugin(&t, "tp1", "1.0.0");
    first["args"] = json!(["-a"]);
    first["env"] = json!(["K=v"]);
    let second = plugin(&t, "tp1-again", "1.0.0");
    play(
        &t,
        [
            (Method::PUT, PLUGIN, first, 204, none()),
            (Method::GET, READ, none(), 200, shown(json!(["-a"]), "tp1")),
            // An update is the same call, and an absent list an empty one.
            (Method::PUT, PLUGIN, second, 204, none()),
            (
                Method::GET,
                READ,
                none(),
                200,
                shown(json!([]), "tp1-again"),
            ),
            (Method::DELETE, READ, none(), 204, none()),
            (Method::GET, READ, none(), 404, json!({"errors": []})),
        ],
    )
    .await;
    // A name with a slash is sent as it is.
    let path = "sys/plugins/catalog/auth/tf/plugin-1";
    let read = "sys/plugins/catalog/auth/tf/plugin-1?version=v1.0.0";
    t.plugins().write("plain", b"no plugin");
    let reply = t.put(path, plugin(&t, "plain", "v1.0.0")).await;
    reply.is(200).warns("without having been run");
    let shown = json!({"name": "tf/plugin-1", "version": "v1.0.0", "command": "plain", "args": [],
        "sha256": t.digest("plain"), "builtin": false});
    play(
        &t,
        [
            (Method::GET, read, none(), 200, data(shown)),
            (Method::DELETE, read, none(), 204, none()),
        ],
    )
    .await;
}

async fn a_provider_registers_two_versions_at_the_same_moment(product: Product) {
    let t = Target::start(product).await;
    let (first, second) = (plugin(&t, "tp1", "1.0.0"), plugin(&t, "tp2", "v1.1.0"));
    let (one, two) = tokio::join!(t.put(PLUGIN, first), t.put(PLUGIN, second));
    one.is(204);
    two.is(204);
    for version in ["1.0.0", "v1.0.0", "1.1.0", "v1.1.0"] {
        t.get(&format!("{PLUGIN}?version={version}")).await.is(200);
    }
}

async fn a_provider_pins_a_version_and_survives_a_pin_that_was_removed_by_hand(product: Product) {
    let t = Target::start(product).await;
    t.put(PLUGIN, plugin(&t, "tp1", "1.0.0")).await.is(204);
    t.put(PLUGIN, plugin(&t, "tp2", "1.1.0")).await.is(204);
    let pinned =
        |version: &str| data(json!({"name": "my-kv", "type": "secret", "version": version}));
    let text = "no pinned version for this plugin";
    let gone =
        json!({"errors": [format!("1 error occurred:\n\t* {text}\n\n")], "warnings": [text]});
    play(
        &t,
        [
            (
                Method::PUT,
                PIN,
                json!({"version": "v1.0.0"}),
                200,
                data(none()),
            ),
            (Method::GET, PIN, none(), 200, pinned("v1.0.0")),
            (
                Method::PUT,
                PIN,
                json!({"version": "1.1.0"}),
                200,
                data(none()),
            ),
            (Method::GET, PIN, none(), 200, pinned("v1.1.0")),
            (Method::DELETE, PIN, none(), 200, data(none())),
            // Without the warnings the provider takes nothing for something, and crashes.
            (Method::GET, PIN, none(), 404, gone),
            (Method::DELETE, PIN, none(), 200, data(none())),
        ],
    )
    .await;
}

async fn a_provider_upgrades_a_pinned_plugin_by_a_new_one_before_the_old_one_goes(
    product: Product,
) {
    let t = Target::start(product).await;
    t.put(PLUGIN, plugin(&t, "tp1", "1.0.0")).await.is(204);
    t.put(PIN, json!({"version": "v1.0.0"})).await.is(200);
    t.mount("m", "my-kv", json!({})).await.is(204);
    let old = t.info("m").await;
    // The default order: the old version first. It is told at once, and what to do.
    let refused = t.delete(READ).await.is(400);
    refused.error_has(
        "move or delete the pin first (in Terraform: create_before_destroy on the plugin)",
    );
    // `create_before_destroy`, without a reload.
    t.put(PLUGIN, plugin(&t, "tp2", "1.1.0")).await.is(204);
    t.put(PIN, json!({"version": "v1.1.0"}))
        .await
        .is(200)
        .warns("m/ (v1.0.0)");
    t.delete(READ).await.is(200).warns("in use by m/");
    assert_eq!(t.info("m").await, old, "it serves on");
    t.put("sys/plugins/reload/backend", json!({"plugin": "my-kv"}))
        .await
        .is(200)
        .has("/data/count", 1);
    assert_eq!(t.info("m").await.version, "v1.1.0");
}

async fn a_provider_makes_tunes_moves_and_removes_a_mount(product: Product) {
    let t = Target::start(product).await;
    t.put(PLUGIN, plugin(&t, "tp1", "1.0.0")).await.is(204);
    let new = json!({"type": "my-kv", "description": "", "config": {"options": null, "default_lease_ttl": "0s",
            "max_lease_ttl": "0s", "force_no_cache": false},
        "local": false, "seal_wrap": false, "external_entropy_access": false, "options": {}});
    let shown = |description: &str, default: u64, max: u64| {
        injected(
            json!({"accessor": "", "config": {"default_lease_ttl": default, "force_no_cache": false,
                "max_lease_ttl": max},
            "description": description, "external_entropy_access": false, "local": false, "options": {},
            "plugin_version": "v1.0.0", "running_plugin_version": "v1.0.0", "running_sha256": t.digest("tp1"),
            "seal_wrap": false, "type": "my-kv", "uuid": ""}),
        )
    };
    let tune = json!({"default_lease_ttl": "1800s", "max_lease_ttl": "7200s", "description": "what it is"});
    let clear = json!({"default_lease_ttl": "0s", "max_lease_ttl": "0s", "options": {}, "description": "",
        "allowed_response_headers": []});
    play(
        &t,
        [
            (Method::POST, "sys/mounts/m", new, 204, none()),
            (Method::GET, "sys/mounts/m", none(), 200, shown("", 0, 0)),
            (Method::POST, "sys/mounts/m/tune", tune, 204, none()),
            (
                Method::GET,
                "sys/mounts/m",
                none(),
                200,
                shown("what it is", 1800, 7200),
            ),
            (Method::POST, "sys/mounts/m/tune", clear, 204, none()),
            (Method::GET, "sys/mounts/m", none(), 200, shown("", 0, 0)),
        ],
    )
    .await;

    // An alias brings its version, and nothing else adds an option.
    t.mount("things", "kv", json!({})).await.is(204);
    t.get("sys/mounts/things")
        .await
        .is(200)
        .has("/data/options", json!({}));

    let moved = t
        .post("sys/remount", json!({"from": "m", "to": "b/c"}))
        .await
        .is(200);
    let id = moved.at("/data/migration_id");
    let path = format!("sys/remount/status/{}", id.as_str().unwrap());
    linchpin_testkit::until("the move has ended", || async {
        let status = t.get(&path).await.is(200).at("/data/migration_info/status");
        (status == "success").then_some(())
    })
    .await;
    t.get("sys/mounts/b/c").await.is(200);
    let gone = json!({"errors": ["No secret engine mount at b/c/"]});
    play(
        &t,
        [
            (Method::DELETE, "sys/mounts/b/c", none(), 204, none()),
            (Method::GET, "sys/mounts/b/c", none(), 400, gone),
            // The plugin can go right after.
            (Method::DELETE, READ, none(), 204, none()),
        ],
    )
    .await;
}

async fn a_provider_asks_which_mount_a_path_belongs_to(product: Product) {
    let t = Target::start(product).await;
    t.mount("things", "kv", json!({})).await.is(204);
    let reply = t.get("sys/internal/ui/mounts/things/a/b").await.is(200);
    reply
        .has("/data/path", "things/")
        .has("/data/options", json!({}));
    // What is no mount of a key-value engine is asked for as well.
    t.get("sys/internal/ui/mounts/sys/mounts/m").await.is(200);
    t.get("sys/internal/ui/mounts/nothing/a").await.is(403);
}

async fn a_provider_reloads_a_builtin_engine_by_its_mount(product: Product) {
    let t = Target::start(product).await;
    t.mount("things", "kv", json!({})).await.is(204);
    t.put("things/a", json!({"b": "c"})).await.is(204);
    let body = json!({"mounts": ["things/"]});
    let reload = t.put("sys/plugins/reload/backend", body).await.is(200);
    assert_eq!(reload.at("/data/reload_id"), reload.at("/request_id"));
    t.get("things/a").await.is(200).has("/data/b", "c");
}
