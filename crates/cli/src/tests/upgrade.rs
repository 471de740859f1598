//! `plugin upgrade`, step by step: what it asks, and what it says when a step fails.

use super::{Answered, Ended, FAILED, Fake, against};

const NEW: &str = "bb";

fn mounts(a: (&str, &str), b: (&str, &str)) -> String {
    let mount = |path: &str, (version, sha): (&str, &str)| {
        format!(
            r#""{path}":{{"type":"tp","running_plugin_version":"{version}","running_sha256":"{sha}"}}"#
        )
    };
    format!(
        r#"{{"data":{{{},{},"sys/":{{"type":"system"}}}}}}"#,
        mount("a/", a),
        mount("b/", b)
    )
}

fn list(a: (&str, &str), b: (&str, &str)) -> Answered {
    Answered::new("GET /v1/sys/mounts", 200, &mounts(a, b))
}

fn pin(version: &str) -> Answered {
    let body = format!(r#"{{"data":{{"name":"tp","type":"secret","version":"{version}"}}}}"#);
    Answered::new("GET /v1/sys/plugins/pins/secret/tp", 200, &body)
}

fn no_pin() -> Answered {
    let body = r#"{"errors":["no pinned version for this plugin"]}"#;
    Answered::new("GET /v1/sys/plugins/pins/secret/tp", 404, body)
}

fn set_pin(status: u16, body: &str) -> Answered {
    Answered::new("PUT /v1/sys/plugins/pins/secret/tp", status, body)
}

/// Nothing is there of the new version; it is registered.
fn registered() -> [Answered; 2] {
    [
        Answered::new(
            "GET /v1/sys/plugins/catalog/secret/tp?version=v1.1.0",
            404,
            r#"{"errors":[]}"#,
        ),
        Answered::new("PUT /v1/sys/plugins/catalog/secret/tp", 204, ""),
    ]
}

fn reload(status: u16, body: &str) -> Answered {
    Answered::new("PUT /v1/sys/plugins/reload/secret/tp", status, body)
}

const OLD: (&str, &str) = ("v1.0.0", "aa");
const MOVED: (&str, &str) = ("v1.1.0", NEW);
const OK: &str = r#"{"data":{"reload_id":"id","count":2,"results":[]}}"#;
const DONE: &str = r#"{"data":null}"#;

fn upgrade(fake: &Fake, more: &str) -> Ended {
    let line = format!("plugin upgrade{more} -version=1.1.0 -sha256=BB -command=tp2 secret tp");
    against(fake, &line)
}

#[test]
fn better_22_an_upgrade_registers_pins_reloads_and_verifies() {
    let mut script = vec![no_pin(), list(OLD, OLD)];
    script.extend(registered());
    script.extend([
        set_pin(200, DONE),
        reload(200, OK),
        pin("v1.1.0"),
        list(MOVED, MOVED),
    ]);
    let fake = Fake::new(script);
    let ended = upgrade(&fake, "");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.out,
        "Success! Upgraded plugin: tp to version v1.1.0 (2 mounts)\n"
    );
    for step in [
        "Registering tp v1.1.0",
        "Pinning tp to v1.1.0",
        "Reloading 2 mounts",
        "Verifying",
    ] {
        assert!(ended.err.contains(&format!("==> {step}")), "{ended:?}");
    }
    let bodies: Vec<String> = fake.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(
        bodies[3],
        r#"{"command":"tp2","sha256":"BB","version":"1.1.0"}"#
    );
    assert_eq!(bodies[4], r#"{"version":"v1.1.0"}"#);
}

#[test]
fn better_22_a_failed_reload_puts_pin_and_moved_mounts_back() {
    let mut script = vec![pin("v1.0.0"), list(OLD, OLD)];
    script.extend(registered());
    script.extend([
        set_pin(200, DONE),
        reload(400, FAILED),
        set_pin(200, DONE),
        pin("v1.0.0"),
        list(MOVED, OLD),
        Answered::new("PUT /v1/sys/plugins/reload/backend", 200, OK),
        pin("v1.0.0"),
        list(OLD, OLD),
    ]);
    let fake = Fake::new(script);
    let ended = upgrade(&fake, "");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{ended:?}");
    for text in [
        "b/       v1.0.0          v1.1.0        failed",
        "==> Rolling back: pinning tp to v1.0.0 again",
        "==> Rolling back: reloading 1 mount\n",
        "Error upgrading plugin tp: the reload failed: ",
        "\nRolled back: the pin is v1.0.0, and every mount runs what it ran before.\nv1.1.0 stays in the catalog.\n",
    ] {
        assert!(ended.err.contains(text), "{text:?} in\n{}", ended.err);
    }
    let bodies: Vec<String> = fake.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(bodies[6], r#"{"version":"v1.0.0"}"#);
    assert_eq!(bodies[9], r#"{"plugin":"","mounts":["a/"],"scope":""}"#);
}

#[test]
fn better_22_a_mount_that_runs_something_else_is_found_and_the_new_version_removed_when_asked() {
    let mut script = vec![no_pin(), list(OLD, OLD)];
    script.extend(registered());
    script.extend([
        set_pin(200, DONE),
        reload(200, OK),
        pin("v1.1.0"),
        // The version is right, the digest is not.
        list(MOVED, ("v1.1.0", "cc")),
        Answered::new("DELETE /v1/sys/plugins/pins/secret/tp", 200, DONE),
        no_pin(),
        list(MOVED, ("v1.1.0", "cc")),
        Answered::new("PUT /v1/sys/plugins/reload/backend", 200, OK),
        no_pin(),
        list(OLD, OLD),
        Answered::new(
            "DELETE /v1/sys/plugins/catalog/secret/tp?version=v1.1.0",
            204,
            "",
        ),
    ]);
    let fake = Fake::new(script);
    let ended = upgrade(&fake, " -format=json -deregister-on-failure");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.err.contains("verification failed: b/ runs v1.1.0"),
        "{ended:?}"
    );
    assert!(
        ended
            .err
            .contains("Rolled back: there is no pin, and every mount runs"),
        "{ended:?}"
    );
    assert!(!ended.err.contains("stays in the catalog"), "{ended:?}");
    for text in [
        "\"outcome\": \"rolled_back\"",
        "\"registered\": false",
        "\"pin_now\": null",
        "\"running_version\": \"v1.0.0\"",
    ] {
        assert!(ended.out.contains(text), "{text} in {}", ended.out);
    }
    fake.asked();
}

#[test]
fn better_22_what_cannot_be_put_back_is_said() {
    let mut script = vec![no_pin(), list(OLD, OLD)];
    script.extend(registered());
    script.extend([
        set_pin(200, DONE),
        reload(400, FAILED),
        Answered::new(
            "DELETE /v1/sys/plugins/pins/secret/tp",
            403,
            r#"{"errors":["permission denied"]}"#,
        ),
        pin("v1.1.0"),
        list(MOVED, OLD),
        Answered::new(
            "PUT /v1/sys/plugins/reload/backend",
            400,
            r#"{"errors":["no"]}"#,
        ),
        pin("v1.1.0"),
        list(MOVED, OLD),
    ]);
    let fake = Fake::new(script);
    let ended = upgrade(&fake, "");
    assert_eq!(ended.code, 2, "{ended:?}");
    for text in [
        "NOT rolled back completely:\n",
        "  * the pin could not be put back: permission denied\n",
        "  * mounts could not be reloaded back: no\n",
        "  * the pin is v1.1.0 (before: none)\n",
        "  * a/ runs v1.1.0 (before: v1.0.0)\n",
    ] {
        assert!(ended.err.contains(text), "{text:?} in\n{}", ended.err);
    }
    fake.asked();
}

#[test]
fn better_22_a_refused_pin_changes_nothing() {
    let mut script = vec![pin("v1.0.0"), list(OLD, OLD)];
    script.extend(registered());
    script.extend([
        set_pin(403, r#"{"errors":["permission denied"]}"#),
        pin("v1.0.0"),
        list(OLD, OLD),
    ]);
    let fake = Fake::new(script);
    let ended = upgrade(&fake, "");
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .err
            .contains("pinning failed: permission denied\nRolled back: the pin is v1.0.0"),
        "{ended:?}"
    );
    fake.asked();
}

#[test]
fn better_22_a_version_with_another_content_is_left_alone() {
    let entry = r#"{"data":{"name":"tp","version":"v1.1.0","command":"other","args":[],"sha256":"cc","builtin":false}}"#;
    let fake = Fake::new(vec![
        no_pin(),
        list(OLD, OLD),
        Answered::new(
            "GET /v1/sys/plugins/catalog/secret/tp?version=v1.1.0",
            200,
            entry,
        ),
    ]);
    let ended = upgrade(&fake, "");
    assert_eq!(ended.code, 2);
    assert!(
        ended.err.contains(
            "v1.1.0 is registered already, as other with SHA-256 cc, which is not what was asked for"
        ),
        "{ended:?}"
    );
    fake.asked();
}

#[test]
fn better_22_the_plan_is_printed_before_anything_is_changed_and_a_dry_run_ends_there() {
    let fake = Fake::new(vec![
        pin("v1.0.0"),
        list(OLD, MOVED),
        registered().into_iter().next().unwrap(),
    ]);
    let ended = upgrade(&fake, " -dry-run -format=json");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.err,
        "==> Plan: secret plugin tp to v1.1.0\n    \
         file tp2, SHA-256 bb, which will be registered\n    \
         pin: v1.0.0 -> v1.1.0\n    \
         a/: v1.0.0 -> v1.1.0\n    \
         b/: v1.1.0 already, reloaded all the same\n\
         ==> Dry run: nothing was changed\n"
    );
    assert!(ended.out.contains("\"outcome\": \"planned\""), "{ended:?}");
    fake.asked();
}

#[test]
fn better_22_what_fails_before_the_pin_is_one_document_too() {
    let [unknown, _] = registered();
    let refused = r#"{"errors":["permission denied"]}"#;
    let fake = Fake::new(vec![
        no_pin(),
        list(OLD, OLD),
        unknown,
        Answered::new("PUT /v1/sys/plugins/catalog/secret/tp", 403, refused),
    ]);
    let ended = upgrade(&fake, " -format=json");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended.out.contains("\"outcome\": \"not_started\""),
        "{ended:?}"
    );
    assert!(
        ended.err.ends_with(
            "Error upgrading plugin tp: registering failed: permission denied\n\
             Nothing was changed: neither the pin nor a mount.\n"
        ),
        "{ended:?}"
    );
    fake.asked();
}
