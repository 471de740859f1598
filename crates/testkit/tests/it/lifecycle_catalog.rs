//! Rows of the catalog and of version selection that have no number in plugin-lifecycle §12 (§§1.3, 2.4-2.6, 4.3, 4.4).

use linchpin_testkit::{Expect, Product, Settings, Target, binary, cases, switch, wrapped};
use serde_json::{Value, json};

cases! {
    both:
        a_typeless_registration_tells_its_type_by_running,
        a_file_that_is_gone_is_named_where_the_entry_is_read_and_tuned,
        a_file_that_cannot_be_started_is_not_mounted,
        a_process_of_another_version_than_its_entry_is_not_mounted,
        mounting_and_tuning_take_versions_in_a_looser_form,
        tuning_to_the_builtin_version_stores_none,
        a_builtin_version_that_is_shadowed_cannot_be_asked_for,
        a_registration_is_refused_for_its_first_fault;
    linchpin:
        what_a_registration_adds_is_shown_when_it_is_set,
        a_client_that_names_no_version_finds_and_removes_what_it_registered,
        download_is_refused_with_what_to_do,
        a_pinned_version_is_kept_with_what_to_do,
        owner_and_mode_of_files_are_checked_where_it_is_asked_for;
}

const TP: &str = "sys/plugins/catalog/secret/tp";
const V1: &str = "sys/plugins/catalog/secret/tp?version=1.0.0";
const ZEROS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

async fn a_typeless_registration_tells_its_type_by_running(product: Product) {
    let t = Target::start(product).await;
    let body = json!({"command": "tp1", "sha256": t.digest("tp1")});
    t.post("sys/plugins/catalog/tp", body).await.is(204);
    t.get(V1).await.is(200).has("/data/command", "tp1");
    let names = t
        .list("sys/plugins/catalog/secret")
        .await
        .is(200)
        .at("/data/keys");
    assert!(names.to_string().contains("\"tp\""), "{names}");
    // A typeless delete says that it does nothing.
    let reply = t.delete("sys/plugins/catalog/tp").await.is(200);
    reply.warns("Deprecated API endpoint, cannot deregister plugin from catalog for \"tp\"");
    t.get(V1).await.is(200);
    // What tells no type is not registered, and the answer says why.
    t.plugins().write("plain", b"no plugin");
    let body = json!({"command": "plain", "sha256": t.digest("plain")});
    let reply = t
        .post("sys/plugins/catalog/plain", body)
        .await
        .is(product.pick(400, 500));
    let text = reply.errors().concat();
    assert!(text.contains("errors occurred:"), "{text}");
    t.get("sys/plugins/catalog/secret/plain").await.is(404);
}

async fn a_file_that_is_gone_is_named_where_the_entry_is_read_and_tuned(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.plugins().install("late", &binary("fault-v2"));
    t.register("tp", "1.1.0", "late", json!({})).await.ok();
    t.mount("m", "tp", json!({"config": {"plugin_version": "1.0.0"}}))
        .await
        .ok();
    t.plugins().remove("late");
    let file = t.plugins().file("late");
    let text = format!(
        "error while validating the command path: lstat {}: no such file or directory",
        file.display()
    );
    let read = t.get("sys/plugins/catalog/secret/tp?version=1.1.0").await;
    if t.is_ours() {
        // The entry is there, and whoever looks for the cause must be able to see it.
        read.is(200)
            .has("/data/command", "late")
            .warns("\"late\"")
            .warns("no such file or directory");
        let pin = t
            .post("sys/plugins/pins/secret/tp", json!({"version": "1.1.0"}))
            .await
            .is(200);
        pin.warns("no such file or directory");
        t.delete("sys/plugins/pins/secret/tp").await.is(200);
    } else {
        read.is(500).error_is(&wrapped(&text));
    }
    let body = json!({"plugin_version": "1.1.0"});
    t.post("sys/mounts/m/tune", body)
        .await
        .is(400)
        .error_is(&text);
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.0.0");
    t.mount("n", "tp", json!({}))
        .await
        .is(400)
        .error_has("no such file or directory");
}

async fn a_file_that_cannot_be_started_is_not_mounted(product: Product) {
    let t = Target::start(product).await;
    t.plugins()
        .write("locked", &std::fs::read(binary("fault-v1")).unwrap());
    set_mode(&t.plugins().file("locked"), 0o644);
    t.register("tp", "1.0.0", "locked", json!({})).await.ok();
    t.mount("m", "tp", json!({}))
        .await
        .is(400)
        .error_has("permission denied");
    t.get("sys/mounts/m").await.is(400);
}

async fn a_process_of_another_version_than_its_entry_is_not_mounted(product: Product) {
    let t = Target::start(product).await;
    // Registered while its file is none that could be asked.
    t.plugins().write("late", b"no plugin");
    t.register("tp", "9.0.0", "late", json!({"sha256": t.digest("tp1")}))
        .await
        .ok();
    t.plugins().install("late", &binary("fault-v1"));
    let reply = t.mount("m", "tp", json!({})).await;
    if t.is_ours() {
        let text = "plugin version mismatch: tp reported version (v1.0.0) did not match requested version (v9.0.0)";
        reply.is(400).error_has(text);
        t.get("sys/mounts/m").await.is(400);
    } else {
        reply.is(204);
        t.get("sys/mounts/m")
            .await
            .is(200)
            .has("/data/running_plugin_version", "v9.0.0");
    }
}

async fn mounting_and_tuning_take_versions_in_a_looser_form(product: Product) {
    let t = Target::start(product).await;
    let unversioned = json!({"env": [switch::NO_VERSION]});
    t.register("tp", "1.0.0-beta", "tp1", unversioned.clone())
        .await
        .ok();
    t.register("tp", "1.0.0", "tp2", unversioned).await.ok();
    t.get(&format!("{TP}?version=1.0.0beta")).await.is(400);
    t.mount(
        "m",
        "tp",
        json!({"config": {"plugin_version": "1.0.0beta"}}),
    )
    .await
    .ok();
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.0.0-beta")
        .has("/data/running_plugin_version", "v1.0.0-beta");
    let tune = |version: &str| t.post("sys/mounts/m/tune", json!({"plugin_version": version}));
    tune("1").await.ok();
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.0.0");
    tune("v1.0.0beta").await.ok();
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", "v1.0.0-beta");
}

async fn tuning_to_the_builtin_version_stores_none(product: Product) {
    let t = Target::start(product).await;
    let builtin = t
        .get("sys/plugins/catalog/secret/totp")
        .await
        .is(200)
        .at("/data/version");
    let external = json!({"env": [switch::NO_VERSION]});
    t.register("totp", "9.0.0", "tp1", external).await.ok();
    t.mount("m", "totp", json!({})).await.ok();
    t.post("sys/mounts/m/tune", json!({"plugin_version": builtin}))
        .await
        .ok();
    // The next build has another one: what is stored literally names a version that is gone then.
    let stored = product.pick(Value::from(""), builtin.clone());
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/plugin_version", stored);
    t.reload("m").await.is(200);
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/running_plugin_version", builtin)
        .has("/data/running_sha256", "");
}

async fn a_builtin_version_that_is_shadowed_cannot_be_asked_for(product: Product) {
    let t = Target::start(product).await;
    let builtin = t
        .get("sys/plugins/catalog/secret/totp")
        .await
        .is(200)
        .at("/data/version");
    let version = builtin.as_str().unwrap();
    t.register("totp", "", "tp1", json!({"env": [switch::NO_VERSION]}))
        .await
        .ok();
    let reply = t
        .mount("m", "totp", json!({"config": {"plugin_version": version}}))
        .await
        .is(400);
    reply.error_is(&format!(
        "secret plugin \"totp\", version {version} not found, as it is overridden by an unversioned plugin of the same name. Omit `plugin_version` to use the unversioned plugin"
    ));
    t.mount("m", "totp", json!({})).await.ok();
    t.get("sys/mounts/m")
        .await
        .is(200)
        .has("/data/running_plugin_version", "");
}

async fn a_registration_is_refused_for_its_first_fault(product: Product) {
    let t = Target::start(product).await;
    // Everything is wrong with it; each step mends what was complained of.
    let steps: [(Value, u16, &str); 5] = [
        (
            json!({"version": "bad", "command": "../x a", "args": ["b"]}),
            400,
            "is not a valid semantic version",
        ),
        (
            json!({"version": "1.0.0+builtin", "command": "../x a", "args": ["b"]}),
            400,
            "reserved metadata identifier",
        ),
        (
            json!({"version": "1.0.0", "command": "../x a", "args": ["b"]}),
            400,
            "missing SHA-256 value",
        ),
        (
            json!({"version": "1.0.0", "command": "../x a", "args": ["b"], "sha_256": "zz"}),
            400,
            "must not specify args in command and args field",
        ),
        (
            json!({"version": "1.0.0", "command": "../x a", "sha_256": ZEROS}),
            product.pick(400, 500),
            "path cannot contain parent references",
        ),
    ];
    for (body, status, text) in steps {
        t.post(TP, body).await.is(status).error_has(text);
    }
    // Of the two names of the digest one wins.
    let body =
        json!({"version": "1.0.0", "command": "tp1", "sha_256": "zz", "sha256": t.digest("tp1")});
    t.post(TP, body).await.is(204);
    t.get(V1).await.is(200).has("/data/sha256", t.digest("tp1"));
}

async fn what_a_registration_adds_is_shown_when_it_is_set(product: Product) {
    let t = Target::start(product).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.is(204);
    t.get(V1)
        .await
        .is(200)
        .lacks("overlap")
        .lacks("execution")
        .lacks("runtime")
        .lacks("oci_image");
    t.register(
        "tp",
        "1.0.0",
        "tp1",
        json!({"overlap": false, "execution": "path"}),
    )
    .await
    .is(204);
    t.get(V1)
        .await
        .is(200)
        .has("/data/overlap", false)
        .has("/data/execution", "path");
    // An absent field takes its default, not its old value.
    t.register("tp", "1.0.0", "tp1", json!({})).await.is(204);
    t.get(V1).await.is(200).lacks("overlap").lacks("execution");
    t.register("tp", "1.0.0", "tp1", json!({"execution": "fast"}))
        .await
        .is(400)
        .error_has("use sealed, descriptor or path");
}

/// What a Terraform provider does that was given no version (terraform.md §4).
async fn a_client_that_names_no_version_finds_and_removes_what_it_registered(product: Product) {
    let t = Target::start(product).await;
    let body = json!({"type": "secret", "command": "tp2", "sha256": t.digest("tp2")});
    t.put(TP, body).await.is(204);
    t.get(TP)
        .await
        .is(200)
        .has("/data/version", "v1.1.0")
        .has("/data/command", "tp2");
    t.delete(&format!("{TP}?version="))
        .await
        .is(200)
        .warns("v1.1.0");
    t.get(TP).await.is(404);
    t.get(&format!("{TP}?version=1.1.0")).await.is(404);
}

async fn download_is_refused_with_what_to_do(product: Product) {
    let t = Target::start(product).await;
    t.post(TP, json!({"version": "1.0.0", "download": true}))
        .await
        .is(400)
        .error_has("download is not supported")
        .error_has("register it with sha256 and command");
}

async fn a_pinned_version_is_kept_with_what_to_do(product: Product) {
    let t = Target::with(product, Settings::default()).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    t.post("sys/plugins/pins/secret/tp", json!({"version": "1.0.0"}))
        .await
        .is(200);
    // Also for who names no version and would get the only one there is.
    for path in [V1.to_owned(), format!("{TP}?version=")] {
        let reply = t.delete(&path).await.is(400);
        let text = reply.errors().concat();
        assert!(
            text.starts_with("1 error occurred:\n\t* cannot delete a pinned version"),
            "{text}"
        );
        assert!(
            text.contains("move or delete the pin first") && text.contains("create_before_destroy"),
            "{text}"
        );
    }
    t.get(V1).await.is(200);
}

async fn owner_and_mode_of_files_are_checked_where_it_is_asked_for(product: Product) {
    let asked = Settings::default().env("VAULT_ENABLE_FILE_PERMISSIONS_CHECK", "true");
    for (settings, is_checked) in [(asked, true), (Settings::default(), false)] {
        let t = Target::with(product, settings).await;
        let file = t.plugins().file("own");
        let content = std::fs::read(binary("fault-v1")).unwrap();
        t.plugins().write("own", &content);
        t.register("tp", "1.0.0", "own", json!({})).await.is(204);
        t.mount("m", "tp", json!({})).await.ok();
        let before = t.info("m").await;
        set_mode(&file, 0o777);
        let text = format!("path \"{}\" has insecure permissions", file.display());
        // Each new generation looks again, and what runs runs on.
        let register = t
            .register("tp", "1.0.0", "own", json!({"args": ["--a"]}))
            .await;
        let reload = t.reload("m").await;
        if is_checked {
            let reply = register.is(400);
            assert!(
                reply.errors().concat().starts_with("1 error occurred:"),
                "{reply:?}"
            );
            reply
                .error_has(&text)
                .error_has("Vault expects no write permissions for group or others");
            reload.is(400).error_has(&text);
            assert_eq!(t.info("m").await, before);
            set_mode(&file, 0o755);
            t.reload("m").await.is(200);
        } else {
            register.ok();
            reload.is(200);
        }
    }
}

fn set_mode(file: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
}
