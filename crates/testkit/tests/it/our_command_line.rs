//! Linchpin's own command line, the real binary against the real server: where OpenBao's has the same commands the outputs are
//! compared to the byte, and the commands for pins and upgrades are played through.

use std::process::{Command, Stdio};

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{
    Expect, Fixture, Info, Load, Printed, Product, Settings, Target, binary, cases, fixture, run,
    skip, sleep, switch,
};
use serde_json::{Value, json};

cases! {
    linchpin:
        pins_are_set_listed_and_removed,
        a_failed_reload_names_the_mount_and_the_reason,
        better_18_mounts_of_a_reload_may_be_a_list_with_commas,
        better_22_an_upgrade_moves_every_mount_without_a_failed_request,
        better_22_an_upgrade_that_cannot_start_changes_nothing,
        better_22_mounts_that_had_moved_are_moved_back,
        what_runs_is_shown_and_plugins_logs_are_read,
        completion_and_help_need_no_server;
}

/// A command line of ours for this server.
fn ours(t: &Target, words: &[&str]) -> Command {
    let mut command = Command::new(binary("linchpin"));
    command
        .args(words)
        .env_clear()
        .env("VAULT_ADDR", format!("http://{}", t.server().address()))
        .env("VAULT_TOKEN", "root")
        .env("HOME", t.server().folder())
        .stdin(Stdio::null());
    command
}

fn printed(mut command: Command) -> Printed {
    let output = command.output().expect("start linchpin");
    Printed {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn linchpin(t: &Target, line: &str) -> Printed {
    printed(ours(t, &line.split(' ').collect::<Vec<_>>()))
}

/// The same in a thread of its own, so that the test's requests go on meanwhile.
async fn meanwhile(t: &Target, line: &str) -> Printed {
    let command = ours(t, &line.split(' ').collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || printed(command))
        .await
        .unwrap()
}

/// Commands that change nothing, or the same thing each time, with what both command lines print for them. `{sha1}` and `{sha2}`
/// are the digests of `tp1` and `tp2`.
const SAME: &[&str] = &[
    "plugin register -sha256={sha1} -command=tp1 -version=1.0.0 secret tp",
    "plugin register -sha256={sha2} -command=tp2 -version=1.1.0 -args=--a -args=-b secret tp",
    "secrets enable -path=m -plugin-version=1.0.0 -options=a=b tp",
    "plugin list",
    "plugin list secret",
    "plugin list -detailed",
    "plugin list -detailed secret",
    "plugin list nope",
    "plugin info -field=args -version=1.1.0 secret tp",
    "plugin info -field=command -version=v1.0.0 secret tp",
    "plugin info -field=nope -version=1.1.0 secret tp",
    "plugin info -version=bad secret tp",
    "plugin info -version=3.0.0 secret tp",
    "plugin info nope tp",
    "plugin register -sha256=zz secret tp",
    "plugin register -sha256={sha2} -command=absent -version=1.2.0 secret tp",
    "plugin register secret tp",
    "plugin register",
    "plugin deregister -version=7.0.0 secret tp",
    "plugin reload -mounts=m",
    "plugin reload -mounts=m -mounts=secret",
    "plugin reload -plugin=tp",
    "plugin reload",
    "plugin reload-status none",
    "secrets list",
    "secrets list -detailed",
    "secrets list -format=json",
    "secrets list -format=yaml",
    "secrets enable -path=m tp",
    "secrets enable nope",
    "secrets enable",
    "secrets enable a b",
    "secrets tune -description=tuned m",
    "secrets tune -default-lease-ttl=1h -max-lease-ttl=2h m/",
    "secrets tune -plugin-version=bad m",
    "secrets tune nope",
    "secrets disable nope",
    "secrets move nope x",
    "write secret/app user=alice password=secret number=1",
    "write -format=json secret/app user=alice password=secret number=1",
    "write secret/app",
    "write secret/app foo",
    "write nowhere/x a=b",
    "read secret/app",
    "read -format=yaml secret/app",
    "read -format=json secret/app",
    "read -field=user secret/app",
    "read -field=nope secret/app",
    "read -format=bad secret/app",
    "read secret/absent",
    "read -format=json nowhere/app",
    "read m/info",
    "read sys/mounts/m",
    "write m/info a=b",
    "list secret",
    "list -format=json secret",
    "list -format=yaml secret/",
    "list secret/empty",
    "list -format=json secret/empty",
    "delete secret/absent",
    "delete nowhere/x",
    "auth list",
    "auth list -detailed",
    "auth enable nope",
    "status",
    "status -format=yaml",
];

#[test]
fn what_openbaos_command_line_has_too_is_printed_the_same() {
    if fixture(Fixture::OpenBao).is_none() {
        return skip(Fixture::OpenBao);
    }
    run(Product::Linchpin, async |product| {
        let t = Target::start(product).await;
        let mut differences = Vec::new();
        for line in SAME {
            let line = line
                .replace("{sha1}", &t.digest("tp1"))
                .replace("{sha2}", &t.digest("tp2"));
            // A mount can be enabled once; both must say the same of the second time too.
            let again = line.starts_with("secrets enable -path=m -plugin");
            let theirs = t.bao(&line.split(' ').collect::<Vec<_>>());
            if again {
                t.delete("sys/mounts/m").await.ok();
            }
            let ours = linchpin(&t, &line);
            let (ours_out, theirs_out) = (steady(&ours.out), steady(&theirs.out));
            // Errors are the server's texts in the same form; of usage errors and warnings only the presence is compared.
            let refused = ours.code == 2 && ours.err.contains("Error making API request");
            let same_err = !refused || ours.err.ends_with(&theirs.err);
            if ours.code != theirs.code || ours_out != theirs_out || !same_err {
                differences.push(format!(
                    "$ {line}\n  linchpin {ours:?}\n  bao      {theirs:?}"
                ));
            }
        }
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    });
}

/// Takes the ids of single requests out of an output, and the order of members out of JSON.
fn steady(out: &str) -> String {
    if let Ok(mut value) = serde_json::from_str::<Value>(out) {
        if let Some(id) = value.get_mut("request_id") {
            *id = json!("id");
        }
        return value.to_string();
    }
    let lines = out.lines();
    let lines = lines.filter(|line| !line.starts_with("request_id: "));
    lines.map(|line| format!("{line}\n")).collect()
}

async fn with_two_versions(product: Product, mounts: &[&str], settings: Settings) -> Target {
    let t = Target::with(product, settings).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in mounts {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    t.register("tp", "1.1.0", "tp2", json!({})).await.ok();
    t
}

fn expect(printed: &Printed, code: i32, out: &str) {
    assert_eq!(
        (printed.code, printed.out.as_str()),
        (code, out),
        "{printed:?}"
    );
}

async fn pins_are_set_listed_and_removed(product: Product) {
    let t = with_two_versions(product, &["m"], Settings::default()).await;
    let pinned = linchpin(&t, "plugin pin secret tp -version=1.1.0");
    expect(
        &pinned,
        0,
        "Success! Pinned secret plugin tp to version 1.1.0\n",
    );
    let table = "Name    Type      Version\n----    ----      -------\ntp      secret    v1.1.0\n";
    expect(&linchpin(&t, "plugin pins"), 0, table);
    let json = linchpin(&t, "plugin pins -format=json secret").json();
    assert_eq!(
        json,
        json!({"pinned_versions": [{"name": "tp", "type": "secret", "version": "v1.1.0"}]})
    );
    assert_eq!(t.info("m").await.version, "v1.0.0");
    let again = linchpin(&t, "plugin pin -reload -version=1.1.0 secret tp");
    expect(
        &again,
        0,
        "Success! Pinned secret plugin tp to version 1.1.0\nSuccess! Reloaded plugin: tp\n",
    );
    assert_eq!(t.info("m").await.version, "v1.1.0");
    let removed = linchpin(&t, "plugin unpin -reload secret tp");
    expect(
        &removed,
        0,
        "Success! Unpinned secret plugin (if it was pinned): tp\nSuccess! Reloaded plugin: tp\n",
    );
    assert_eq!(t.info("m").await.version, "v1.0.0");
    expect(
        &linchpin(&t, "plugin pins database"),
        0,
        "Name    Type    Version\n----    ----    -------\n",
    );
    let unknown = linchpin(&t, "plugin pin -version=3.0.0 secret tp");
    expect(&unknown, 2, "");
    assert!(unknown.err.contains("does not exist"), "{unknown:?}");
}

async fn a_failed_reload_names_the_mount_and_the_reason(product: Product) {
    let t = with_two_versions(product, &["m"], Settings::default()).await;
    let fails = json!({"env": [switch::NO_VERSION, switch::INITIALIZE_FAILS]});
    t.register("tp", "1.2.0", "tp2", fails).await.ok();
    linchpin(&t, "plugin pin -version=1.2.0 secret tp");
    let failed = linchpin(&t, "plugin reload -plugin=tp -type=secret");
    expect(&failed, 2, "");
    let row = failed.err.lines().find(|line| line.starts_with("m/"));
    assert!(
        row.is_some_and(|row| row.contains("v1.0.0") && row.contains("failed")),
        "{failed:?}"
    );
    let head = "Error reloading plugin/mounts: Error making API request.";
    assert!(failed.err.contains(head), "{failed:?}");
    assert_eq!(t.info("m").await.version, "v1.0.0");
}

async fn better_18_mounts_of_a_reload_may_be_a_list_with_commas(product: Product) {
    let t = with_two_versions(product, &["a", "b"], Settings::default()).await;
    let old = (t.info("a").await.pid, t.info("b").await.pid);
    let reloaded = linchpin(&t, "plugin reload -mounts=a,b -detailed");
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    let first = reloaded.out.lines().next();
    assert_eq!(first, Some("Success! Reloaded mounts: [a b]"));
    let rows = reloaded
        .out
        .lines()
        .filter(|line| line.contains(" reloaded "));
    assert_eq!(rows.count(), 2, "{reloaded:?}");
    let new = (t.info("a").await.pid, t.info("b").await.pid);
    assert!(old.0 != new.0 && old.1 != new.1, "{old:?} {new:?}");
}

fn upgrade(t: &Target, version: &str, command: &str) -> String {
    format!(
        "plugin upgrade -version={version} -sha256={} -command={command} secret tp",
        t.digest(command)
    )
}

async fn better_22_an_upgrade_moves_every_mount_without_a_failed_request(product: Product) {
    let mounts = ["a", "b", "c"];
    let t = Target::with(product, Settings::default()).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in mounts {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    let load = Load::start(
        t.client(),
        3,
        move |client, _| Request::new(Method::GET, &format!("{}/info", mounts[client % 3])),
        |reply| Info::read(reply).version,
    );
    load.advance(10, std::time::Duration::from_secs(30)).await;
    let file = t.plugins().file("tp2");
    let line = format!(
        "plugin upgrade secret tp -version=1.1.0 -file={}",
        file.display()
    );
    let upgraded = meanwhile(&t, &line).await;
    expect(
        &upgraded,
        0,
        "Success! Upgraded plugin: tp to version v1.1.0 (3 mounts)\n",
    );
    load.advance(10, std::time::Duration::from_secs(30)).await;
    load.stop().await.expect_all_good(20);
    for mount in mounts {
        assert_eq!(t.info(mount).await.version, "v1.1.0");
    }
    t.get("sys/plugins/pins/secret/tp")
        .await
        .is(200)
        .has("/data/version", "v1.1.0");
    // A second run finds everything done.
    let again = linchpin(&t, &upgrade(&t, "v1.1.0", "tp2"));
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.err.contains("is registered already"), "{again:?}");
}

async fn better_22_an_upgrade_that_cannot_start_changes_nothing(product: Product) {
    let t = with_two_versions(product, &["m"], Settings::default()).await;
    t.post("sys/plugins/pins/secret/tp", json!({"version": "1.0.0"}))
        .await
        .ok();
    let (old, mount) = (t.info("m").await, t.get("sys/mounts/m").await.data());
    let line = format!(
        "{} -env={} -env={} -deregister-on-failure -format=json",
        upgrade(&t, "1.2.0", "tp2"),
        switch::NO_VERSION,
        switch::INITIALIZE_FAILS
    );
    let failed = linchpin(&t, &line);
    assert_eq!(failed.code, 2, "{failed:?}");
    let text = "Rolled back: the pin is v1.0.0, and every mount runs what it ran before.";
    assert!(failed.err.contains(text), "{failed:?}");
    let report = failed.json();
    assert_eq!(report["outcome"], "rolled_back", "{report}");
    assert_eq!(report["mounts"][0]["running_version"], "v1.0.0", "{report}");
    assert_eq!(report["pin_now"], "v1.0.0", "{report}");
    assert_eq!(t.info("m").await, old);
    assert_eq!(t.get("sys/mounts/m").await.data(), mount);
    t.get("sys/plugins/catalog/secret/tp?version=1.2.0")
        .await
        .is(404);
}

async fn better_22_mounts_that_had_moved_are_moved_back(product: Product) {
    let settings = Settings::default()
        .set("drain_timeout", "1s")
        .set("gate_timeout", "200ms");
    let t = Target::with(product, settings).await;
    t.register("tp", "1.0.0", "tp1", json!({})).await.ok();
    for mount in ["a", "b"] {
        t.mount(mount, "tp", json!({})).await.ok();
    }
    let old = t.info("a").await;
    // A request that outlasts the drain keeps `a` where it is; `b` moves, and is to come back.
    let upgrading = async {
        // By the time another request was answered the slow one, sent before it, is inside the plugin.
        t.get("a/info").await.is(200);
        meanwhile(&t, &upgrade(&t, "1.1.0", "tp2")).await
    };
    let (slow, failed) = tokio::join!(t.send(sleep("a", 6.0)), upgrading);
    assert_eq!(Info::read(&slow.is(200)).pid, old.pid);
    expect(&failed, 2, "");
    for text in [
        "Rolling back: removing the pin of tp",
        "Rolling back: reloading 1 mount",
        "1 request still running",
        "Rolled back: there is no pin, and every mount runs what it ran before.\nv1.1.0 stays in the catalog.",
    ] {
        assert!(failed.err.contains(text), "{text:?} in {}", failed.err);
    }
    for mount in ["a", "b"] {
        assert_eq!(t.info(mount).await.version, "v1.0.0");
    }
    t.get("sys/plugins/pins/secret/tp").await.is(404);
}

async fn what_runs_is_shown_and_plugins_logs_are_read(product: Product) {
    let t = with_two_versions(product, &["m"], Settings::default()).await;
    let pid = t.info("m").await.pid.to_string();
    let instances = linchpin(&t, "plugin instances");
    assert_eq!(instances.code, 0, "{instances:?}");
    let row = instances.out.lines().find(|line| line.starts_with("m/"));
    let row: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        row.get(1..6),
        Some(&["secret", "tp", "v1.0.0", "running", &pid][..])
    );
    linchpin(&t, "plugin pin -version=1.1.0 secret tp");
    let status = linchpin(&t, "plugin status secret tp");
    let row = status.out.lines().find(|line| line.starts_with("tp"));
    let row: Vec<&str> = row.unwrap_or_default().split_whitespace().collect();
    let expected = [
        "tp", "secret", "v1.1.0", "m/", "v1.0.0", "v1.1.0", "v1.0.0", "running", "true",
    ];
    assert_eq!(row, expected, "{status:?}");
    let logs = linchpin(&t, "plugin logs -n=10 secret tp");
    assert_eq!(logs.code, 0, "{logs:?}");
    let unknown = linchpin(&t, "plugin logs secret nope");
    expect(&unknown, 2, "");
    assert!(
        unknown.err.contains("No secret plugin named nope"),
        "{unknown:?}"
    );
}

async fn completion_and_help_need_no_server(product: Product) {
    let t = Target::start(product).await;
    for shell in ["bash", "zsh", "fish"] {
        let script = linchpin(&t, &format!("completion {shell}"));
        assert_eq!(script.code, 0, "{script:?}");
        for word in [
            "server",
            "upgrade",
            "dev-root-token-id",
            "deregister-on-failure",
        ] {
            assert!(script.out.contains(word), "{shell}: {word}");
        }
    }
    for (line, begin) in [
        ("help", "Usage: linchpin <command>"),
        ("help server", "Usage: linchpin server [options]\n"),
        ("plugin -h", "Usage: linchpin plugin <command>"),
        (
            "help plugin upgrade",
            "Usage: linchpin plugin upgrade [options] TYPE NAME\n",
        ),
    ] {
        let help = linchpin(&t, line);
        assert_eq!(help.code, 0, "{line}: {help:?}");
        assert!(help.out.starts_with(begin), "{line}: {help:?}");
    }
    let mistake = linchpin(&t, "sever -dev");
    expect(&mistake, 1, "");
    let text = "Error: unknown command \"sever\"; did you mean server?";
    assert!(mistake.err.starts_with(text), "{mistake:?}");
}
