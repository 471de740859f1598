//! OpenBao's command line against Linchpin, compared with the same commands against OpenBao: exit codes, and what is printed.

use std::collections::BTreeMap;

use linchpin_testkit::{Fixture, Printed, Product, Target, fixture, run, skip};
use serde_json::Value;

/// The commands, in order; `{sha1}` and `{sha2}` stand for the digests of `tp1` and `tp2`.
const SCRIPT: &[&str] = &[
    "plugin list -format=json secret",
    "plugin info -format=json secret tp",
    "plugin register -sha256={sha1} -command=tp1 -version=1.0.0 secret tp",
    "plugin register -sha256={sha2} -command=tp2 -version=1.1.0 -args=--a secret tp",
    "plugin register -sha256=zz -command=tp2 -version=1.2.0 secret tp",
    "plugin register -sha256={sha2} -command=absent -version=1.2.0 secret tp",
    "plugin register -command=tp1 secret tp",
    "plugin register -sha256={sha1} secret",
    "plugin list -format=json secret",
    "plugin list -format=json -detailed",
    "plugin info -format=json -version=1.1.0 secret tp",
    "plugin info -format=json -version=v1.0.0 secret tp",
    "plugin info -field=command -version=1.1.0 secret tp",
    "plugin info -version=bad secret tp",
    "plugin info -version=3.0.0 secret tp",
    "secrets enable -path=m -plugin-version=1.0.0 tp",
    "secrets enable -path=m tp",
    "secrets enable -path=n -plugin-version=9.0.0 tp",
    "secrets enable nope",
    "secrets enable -path=kv1 -version=1 -description=things kv",
    "secrets list -format=json -detailed",
    "secrets list -format=json",
    "secrets tune -plugin-version=1.1.0 m",
    "secrets tune -default-lease-ttl=1h -description=tuned m",
    "secrets tune -plugin-version=bad m",
    "secrets tune nope",
    "secrets list -format=json -detailed",
    "plugin reload -mounts=m",
    "plugin reload -plugin=tp",
    "plugin reload -mounts=nope",
    "plugin reload",
    "plugin reload -plugin=tp -mounts=m",
    "secrets list -format=json -detailed",
    "write kv1/app user=alice password=secret",
    "write -format=json kv1/other a=b",
    "read -format=json kv1/app",
    "read -field=user kv1/app",
    "read kv1/absent",
    "read -format=json nowhere/app",
    "list -format=json kv1",
    "list -format=json kv1/empty",
    "delete kv1/app",
    "delete kv1/app",
    "list -format=json kv1",
    "delete kv1/other",
    "list kv1",
    "plugin deregister -version=1.0.0 secret tp",
    "plugin deregister -version=7.0.0 secret tp",
    "plugin info -version=1.0.0 secret tp",
    "secrets disable kv1",
    "secrets disable m",
    "secrets disable m",
    "secrets list -format=json",
    "read kv1/app",
];

/// What is compared exactly is exit code and standard output; errors are texts of the server, which Vault and OpenBao word differently
/// (plugin-lifecycle §13), so of standard error only its presence counts.
#[test]
fn openbaos_command_line_works_unchanged() {
    if fixture(Fixture::OpenBao).is_none() {
        return skip(Fixture::OpenBao);
    }
    let play = |product| {
        let mut answers = Vec::new();
        run(product, async |product| {
            let t = Target::start(product).await;
            let play = |line: &&str| {
                let line = line
                    .replace("{sha1}", &t.digest("tp1"))
                    .replace("{sha2}", &t.digest("tp2"));
                normal(t.bao(&line.split(' ').collect::<Vec<_>>()))
            };
            answers = SCRIPT.iter().map(play).collect();
        });
        answers
    };
    let (ours, theirs) = (play(Product::Linchpin), play(Product::OpenBao));
    let pairs = SCRIPT.iter().zip(ours.iter().zip(&theirs));
    let differences: Vec<String> = pairs
        .filter(|(_, (ours, theirs))| !same(ours, theirs))
        .map(|(line, (ours, theirs))| {
            format!("$ bao {line}\n  linchpin {ours:?}\n  openbao  {theirs:?}")
        })
        .collect();
    assert!(
        differences.is_empty(),
        "{} of {} commands differ:\n{}",
        differences.len(),
        SCRIPT.len(),
        differences.join("\n")
    );
}

fn same(ours: &Printed, theirs: &Printed) -> bool {
    // A success of ours may come with a warning, which the command line prints there.
    let err = theirs.code == 0 || ours.err.is_empty() == theirs.err.is_empty();
    ours.code == theirs.code && ours.out == theirs.out && err
}

/// Takes out of an output what differs from run to run or from product to product.
fn normal(printed: Printed) -> Printed {
    let out = match serde_json::from_str::<Value>(&printed.out) {
        Ok(mut value) => {
            normalise(&mut value);
            value.to_string()
        }
        Err(_) => printed
            .out
            .lines()
            .map(|line| line.trim_end().to_owned() + "\n")
            .collect(),
    };
    Printed { out, ..printed }
}

fn normalise(value: &mut Value) {
    match value {
        Value::Object(members) => {
            // The engines that a server brings along are its own affair; ours are compared by what the script has made.
            members.retain(|key, member| !is_foreign(key, member));
            for (key, member) in members.iter_mut() {
                match key.as_str() {
                    "uuid" | "request_id" | "accessor" | "reload_id" if member.is_string() => {
                        *member = Value::from(format!("<{key}>"))
                    }
                    _ => normalise(member),
                }
            }
            // A type that has nothing but engines is a type without names (plugin-lifecycle §2.2).
            let is_empty = |member: &Value| member.as_array().is_some_and(Vec::is_empty);
            members.retain(|key, member| {
                !(["auth", "database"].contains(&key.as_str()) && is_empty(member))
            });
        }
        Value::Array(elements) => {
            elements.retain(|element| {
                element.get("builtin") != Some(&Value::Bool(true))
                    && element.as_str().is_none_or(|name| !is_engine(name))
            });
            elements.iter_mut().for_each(normalise);
        }
        Value::String(text) if text.contains("+builtin.") => *text = "<builtin>".to_owned(),
        _ => {}
    }
}

/// Mounts that the script did not make, and fields that OpenBao adds (§13).
fn is_foreign(key: &str, member: &Value) -> bool {
    let is_mount = key.ends_with('/') && member.get("accessor").is_some();
    (is_mount && !["m/", "n/", "kv1/"].contains(&key)) || ["oci", "declarative"].contains(&key)
}

/// Names in the lists of the catalog that are not the script's own.
fn is_engine(name: &str) -> bool {
    static OWN: &[&str] = &["tp", "app", "other", "--a"];
    !OWN.contains(&name)
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[test]
fn what_is_compared_is_what_the_script_has_made() {
    let mut value = serde_json::json!({
        "m/": {"accessor": "tp_1234", "running_plugin_version": "v1.0.0", "uuid": "x"},
        "sys/": {"accessor": "system_1234"},
        "secret": ["kv", "tp"],
        "details": [{"name": "kv", "builtin": true}, {"name": "tp", "builtin": false}],
    });
    normalise(&mut value);
    let left: BTreeMap<String, Value> = serde_json::from_value(value).unwrap();
    let expected = serde_json::json!({
        "m/": {"accessor": "<accessor>", "running_plugin_version": "v1.0.0", "uuid": "<uuid>"},
        "secret": ["tp"],
        "details": [{"name": "tp", "builtin": false}],
    });
    assert_eq!(serde_json::to_value(left).unwrap(), expected);
}
