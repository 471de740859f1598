//! Whole commands against a server that says what the test tells it to.

mod fake;
mod login;
mod tls;
mod upgrade;

use fake::{Answered, Fake};

use crate::{Io, run};

/// How one command ended.
#[derive(Debug)]
struct Ended {
    code: u8,
    out: String,
    err: String,
}

fn command(line: &str, input: &str, variables: &[(&str, &str)]) -> Ended {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let look = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let (mut out, mut err, mut input) = (Vec::new(), Vec::new(), input.as_bytes());
    let mut io = Io {
        out: &mut out,
        err: &mut err,
        input: &mut input,
        variable: &look,
        ask_hidden: &|_| None,
        out_is_terminal: false,
        err_is_terminal: false,
    };
    let code = run(&words, &[], &mut io);
    Ended {
        code,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

fn offline(line: &str) -> Ended {
    command(line, "", &[("VAULT_ADDR", "http://127.0.0.1:1")])
}

fn against(fake: &Fake, line: &str) -> Ended {
    let address = fake.address();
    command(line, "", &[("VAULT_ADDR", &address), ("VAULT_TOKEN", "t")])
}

#[test]
fn a_mistake_is_answered_with_what_to_type_and_exit_code_1() {
    for (line, text) in [
        (
            "plugn list",
            "Error: unknown command \"plugn\"; did you mean plugin?",
        ),
        (
            "plugin lst",
            "Error: unknown command \"plugin lst\"; did you mean plugin list?",
        ),
        ("plugin runtime lits", "did you mean plugin runtime list?"),
        (
            "kv get x",
            "is a command of Vault's client that this one does not have yet",
        ),
        (
            "plugin list -detaild",
            "unknown flag -detaild; did you mean -detailed?\nHelp: linchpin plugin list -h",
        ),
        (
            "plugin list a b",
            "Too many arguments (expected 0 or 1, got 2)",
        ),
        (
            "plugin info",
            "Not enough arguments (expected 1 or 2, got 0)",
        ),
        (
            "plugin deregister secret",
            "Not enough arguments (expected 2, got 1)",
        ),
        (
            "plugin register secret tp",
            "SHA256 is required for all plugins, please provide -sha256",
        ),
        (
            "plugin reload",
            "No plugins specified, must specify exactly one of -plugin or -mounts",
        ),
        ("plugin reload x", "Too many arguments (expected 0, got 1)"),
        (
            "plugin reload -plugin=a -mounts=b",
            "Must specify exactly one of -plugin or -mounts",
        ),
        (
            "plugin reload -plugin=a -scope=bad",
            "Invalid reload scope: bad",
        ),
        (
            "plugin reload -mounts=a -type=secret",
            "Cannot specify -type with -mounts",
        ),
        (
            "plugin pin secret tp",
            "-version is required to pin a plugin",
        ),
        (
            "plugin upgrade secret tp -sha256=aa",
            "-version is required to upgrade a plugin",
        ),
        (
            "plugin runtime info x",
            "-type is required for plugin runtime info retrieval",
        ),
        ("read -format=bad x", "Invalid output format: bad"),
        ("write x", "Must supply data or use -force"),
        (
            "write x foo",
            "Failed to parse K=V data: invalid key/value pair \"foo\": format must be key=value",
        ),
        (
            "write x a=@/nonexistent/file",
            "error reading file: open /nonexistent/file: No such file",
        ),
        (
            "secrets enable -default-lease-ttl=1x kv",
            "invalid value \"1x\" for flag -default-lease-ttl",
        ),
        ("secrets enable -options=d kv", "missing = in KV pair"),
        (
            "read -address=https://127.0.0.1:8200 -ca-cert=/nonexistent/ca x",
            "Error reading /nonexistent/ca (-ca-cert or VAULT_CACERT): No such file",
        ),
        (
            "read -address=https://127.0.0.1:8200 -client-cert=x x",
            "Error: -client-key is missing",
        ),
        ("read -address=unix://x y", "is not the address of a server"),
        (
            "login -method=userpass",
            "is an auth method that this command does not have yet",
        ),
        ("login", "Error: there is no token"),
        ("login a b", "Too many arguments"),
        ("read -address=ftp://x x", "begins with \"ftp\""),
        ("read -header=X-Vault-Token=y x", "belongs to the API"),
        ("plugin", "Usage: linchpin plugin <command>"),
    ] {
        let ended = offline(line);
        assert_eq!(ended.code, 1, "{line}: {ended:?}");
        assert!(ended.err.contains(text), "{line}: {ended:?}");
        assert_eq!(ended.out, "", "{line}");
    }
}

#[test]
fn a_type_that_is_none_ends_with_exit_code_2_as_in_vault() {
    for line in [
        "plugin list nope",
        "plugin info nope tp",
        "plugin register -sha256=aa nope tp",
        "plugin pin -version=1.0.0 nope tp",
        "plugin reload -plugin=tp -type=nope",
    ] {
        let ended = offline(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        let text = "\"nope\" is not a supported plugin type";
        assert!(ended.err.contains(text), "{line}: {ended:?}");
    }
}

#[test]
fn help_is_printed_for_every_command_without_a_server() {
    for of in crate::commands() {
        let ended = offline(&format!("{} -h", of.name));
        assert_eq!(ended.code, 0, "{}: {ended:?}", of.name);
        assert!(
            ended
                .out
                .starts_with(&format!("Usage: linchpin {}", of.name))
        );
    }
    for line in [
        "plugin -h",
        "plugin runtime --help",
        "secrets -help",
        "auth -h",
    ] {
        let ended = offline(line);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{line}");
        assert!(ended.out.starts_with("Usage: linchpin "), "{line}");
    }
}

#[test]
fn nobody_at_the_address_is_a_clear_error_and_exit_code_2() {
    let ended = offline("plugin list");
    assert_eq!(ended.code, 2);
    let begin = "Error listing available plugins: Get \"http://127.0.0.1:1/v1/sys/plugins/catalog\": connect to 127.0.0.1:1: ";
    assert!(ended.err.starts_with(begin), "{ended:?}");
    // `status` answers with its exit code: 2 would mean sealed.
    assert_eq!(offline("status").code, 1);
}

#[test]
fn a_refusal_is_printed_as_vaults_client_does() {
    let fake = Fake::new(vec![Answered::new(
        "PUT /v1/sys/plugins/catalog/secret/tp",
        400,
        r#"{"errors":["missing SHA-256 value"]}"#,
    )]);
    let ended = against(
        &fake,
        "plugin register -sha256=aa -args=--a -args=b secret tp",
    );
    assert_eq!(ended.code, 2);
    let address = fake.address();
    assert_eq!(
        ended.err,
        format!(
            "Error registering plugin tp: Error making API request.\n\n\
             URL: PUT {address}/v1/sys/plugins/catalog/secret/tp\nCode: 400. Errors:\n\n* missing SHA-256 value\n"
        )
    );
    let asked = fake.asked();
    assert_eq!(
        asked[0].body,
        r#"{"command":"tp","sha256":"aa","args":["--a","b"]}"#
    );
    assert!(asked[0].head.contains("x-vault-token: t"), "{asked:?}");
}

#[test]
fn namespace_and_headers_are_sent_and_shown() {
    let fake = Fake::new(vec![Answered::new(
        "GET /v1/x",
        403,
        r#"{"errors":["permission denied"]}"#,
    )]);
    let ended = against(
        &fake,
        "read -namespace=team -header=X-Trace=7 -wrap-ttl=60s x",
    );
    assert!(
        ended.err.contains("\n\nNamespace: team/\nURL: GET "),
        "{ended:?}"
    );
    let head = &fake.asked()[0].head;
    for header in [
        "x-vault-namespace: team/",
        "x-trace: 7",
        "x-vault-wrap-ttl: 60s",
    ] {
        assert!(head.contains(header), "{head}");
    }
}

#[test]
fn a_server_that_is_not_ready_is_asked_again() {
    let fake = Fake::new(vec![
        Answered::new("GET /v1/x", 503, r#"{"errors":["starting"]}"#).header("Retry-After: 0"),
        Answered::new("GET /v1/x", 200, r#"{"data":{"a":"b"}}"#),
    ]);
    let ended = against(&fake, "read -field=a x");
    assert_eq!((ended.code, ended.out.as_str()), (0, "b"), "{ended:?}");
}

#[test]
fn data_is_written_from_pairs_files_and_standard_input() {
    let done = || Answered::new("PUT /v1/kv/a", 204, "");
    let fake = Fake::new(vec![done(), done(), done()]);
    let address = fake.address();
    let variables = [("BAO_ADDR", address.as_str())];
    let ended = command("write kv/a b=1 a=x a=y z=\\@q e=", "", &variables);
    assert_eq!(ended.out, "Success! Data written to: kv/a\n", "{ended:?}");
    command("write kv/a -", r#"{"n":1.50,"m":{"x":null}}"#, &variables);
    command(
        "write -format=json /kv/a/ secret=-",
        "from input\n",
        &variables,
    );
    let bodies: Vec<String> = fake.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(
        bodies,
        [
            r#"{"a":["x","y"],"b":"1","e":"","z":"@q"}"#,
            r#"{"m":{"x":null},"n":1.50}"#,
            r#"{"secret":"from input\n"}"#,
        ]
    );
}

#[test]
fn calls_are_printed_for_curl_without_the_token() {
    let ended = command(
        "write -output-curl-string x a=it's",
        "",
        &[
            ("VAULT_ADDR", "http://127.0.0.1:1"),
            ("VAULT_TOKEN", "canary"),
        ],
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        ended.out,
        "curl -X PUT -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $VAULT_TOKEN\" -d '{\"a\":\"it'\"'\"'s\"}' \
         \"http://127.0.0.1:1/v1/x\"\n"
    );
}

#[test]
fn nothing_there_is_exit_code_2() {
    let fake = Fake::new(vec![
        Answered::new("GET /v1/x", 404, r#"{"errors":[]}"#),
        Answered::new("GET /v1/x?list=true", 404, r#"{"errors":[]}"#),
        Answered::new("GET /v1/x?list=true", 404, r#"{"errors":[]}"#),
    ]);
    let ended = against(&fake, "read x");
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (2, "No value found at x\n")
    );
    let ended = against(&fake, "list x");
    assert_eq!(
        (ended.code, ended.err.as_str()),
        (2, "No value found at x\n")
    );
    let ended = against(&fake, "list -format=json x");
    assert_eq!(
        (ended.code, ended.out.as_str(), ended.err.as_str()),
        (2, "{}\n", "")
    );
}

const FAILED: &str = r#"{"errors":["1 error occurred:\n\t* cannot reload plugin on \"b/\": it failed\n\n"],"data":{"reload_id":"id",
    "count":1,"results":[{"mount":"a/","from_version":"v1.0.0","to_version":"v1.1.0","status":"reloaded","error":"","milliseconds":1},
    {"mount":"b/","from_version":"v1.0.0","to_version":"v1.1.0","status":"failed","error":"it failed","milliseconds":2}]}}"#;

#[test]
fn a_failed_reload_names_every_mount() {
    let fake = Fake::new(vec![Answered::new(
        "PUT /v1/sys/plugins/reload/unknown/tp",
        400,
        FAILED,
    )]);
    let ended = against(&fake, "plugin reload -plugin=tp");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(
        ended
            .err
            .contains("b/       v1.0.0          v1.1.0        failed"),
        "{}",
        ended.err
    );
    assert!(
        ended
            .err
            .contains("Error reloading plugin/mounts: Error making API request."),
        "{}",
        ended.err
    );
}

#[test]
fn reloads_say_what_vaults_do_and_more_when_asked() {
    let ok = r#"{"data":{"reload_id":"id","count":1,"results":[{"mount":"a/","from_version":"v1.0.0","to_version":"v1.1.0",
        "status":"reloaded","error":"","milliseconds":1}]},"warnings":null}"#;
    let backend = || Answered::new("PUT /v1/sys/plugins/reload/backend", 200, ok);
    let fake = Fake::new(vec![
        backend(),
        Answered::new("PUT /v1/sys/plugins/reload/secret/tp", 202, ok),
        Answered::new("PUT /v1/sys/plugins/reload/unknown/tp", 200, ok),
        backend(),
    ]);
    let ended = against(&fake, "plugin reload -mounts=a,b -mounts=c");
    assert_eq!(
        ended.out, "Success! Reloaded mounts: [a b c]\n",
        "{ended:?}"
    );
    let ended = against(&fake, "plugin reload -plugin=tp -type=secret -scope=global");
    assert_eq!(ended.out, "Success! Reloading plugin: tp, reload_id: id\n");
    let ended = against(&fake, "plugin reload -plugin=tp -detailed -force");
    assert!(
        ended
            .out
            .starts_with("Success! Reloaded plugin: tp\n\nMount"),
        "{ended:?}"
    );
    // With a namespace, only the older call acts on that namespace alone.
    let ended = against(&fake, "plugin reload -plugin=tp -ns=team");
    assert_eq!(ended.code, 0, "{ended:?}");
    let bodies: Vec<String> = fake.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(
        bodies[0],
        r#"{"scope":"","plugin":"","mounts":["a","b","c"]}"#
    );
    assert_eq!(bodies[2], r#"{"scope":"","force":true}"#);
}
