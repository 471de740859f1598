//! `login`: where the token comes from, how it is checked, and where it stays.

use std::path::PathBuf;

use super::{Answered, Ended, Fake, command};

/// A home for one test.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let home = format!("linchpin-cli-login-{name}-{}", std::process::id());
        let home = std::env::temp_dir().join(home);
        std::fs::create_dir_all(&home).unwrap();
        Self(home)
    }

    fn token(&self) -> Option<String> {
        std::fs::read_to_string(self.0.join(".vault-token")).ok()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn login(fake: &Fake, home: &Home, line: &str, input: &str, more: &[(&str, &str)]) -> Ended {
    let (address, home) = (fake.address(), home.0.display().to_string());
    let mut variables = vec![("VAULT_ADDR", address.as_str()), ("HOME", home.as_str())];
    variables.extend(more);
    command(line, input, &variables)
}

fn looked_up() -> Answered {
    let body = r#"{"data":{"id":"s.abc","accessor":"acc","ttl":0,"renewable":false,"policies":["root"],
        "identity_policies":null,"meta":null,"orphan":true,"entity_id":""}}"#;
    Answered::new("GET /v1/auth/token/lookup-self", 200, body)
}

#[test]
fn a_token_is_looked_up_and_stored() {
    let (fake, home) = (Fake::new(vec![looked_up()]), Home::new("stored"));
    let ended = login(&fake, &home, "login -", "s.abc\n", &[]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    let expected = "\
Success! You are now authenticated. The token is stored, and the commands that
follow use it: you do NOT need to run \"linchpin login\" again.

Key                  Value
---                  -----
token                s.abc
token_accessor       acc
token_duration       ∞
token_renewable      false
token_policies       [\"root\"]
identity_policies    []
policies             [\"root\"]
";
    assert_eq!(ended.out, expected);
    assert_eq!(home.token().as_deref(), Some("s.abc"));
    let asked = fake.asked();
    assert!(asked[0].head.contains("x-vault-token: s.abc"), "{asked:?}");
}

#[test]
fn a_refused_token_is_not_stored() {
    let home = Home::new("refused");
    let refused = r#"{"errors":["permission denied"]}"#;
    let fake = Fake::new(vec![Answered::new(
        "GET /v1/auth/token/lookup-self",
        403,
        refused,
    )]);
    let ended = login(&fake, &home, "login s.bad", "", &[]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(
        ended
            .err
            .starts_with("Error authenticating: error looking up token: Error making API request."),
        "{ended:?}"
    );
    assert!(!ended.err.contains("s.bad"), "{ended:?}");
    assert_eq!(home.token(), None);
}

#[test]
fn where_tokens_cannot_be_looked_up_another_call_says_whether_this_one_is_good() {
    let none = || Answered::new("GET /v1/auth/token/lookup-self", 404, r#"{"errors":[]}"#);
    let mounts = |status, body| Answered::new("GET /v1/sys/mounts", status, body);
    let fake = Fake::new(vec![
        none(),
        mounts(200, r#"{"data":{}}"#),
        none(),
        mounts(403, r#"{"errors":["permission denied"]}"#),
    ]);
    let home = Home::new("unknown");
    let ended = login(&fake, &home, "login root", "", &[]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.starts_with("Success!"), "{ended:?}");
    let ended = login(&fake, &home, "login other", "", &[]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert_eq!(home.token().as_deref(), Some("root"));
    fake.asked();
}

#[test]
fn what_is_printed_and_stored_can_be_chosen() {
    let fake = Fake::new((0..5).map(|_| looked_up()).collect());
    let home = Home::new("chosen");
    let ended = login(&fake, &home, "login -token-only token=s.abc", "", &[]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "s.abc\n"));
    let ended = login(&fake, &home, "login -no-store s.abc", "", &[]);
    assert!(ended.out.contains("It was not stored"), "{ended:?}");
    let ended = login(&fake, &home, "login -no-store -field=token s.abc", "", &[]);
    assert_eq!(ended.out, "s.abc", "{ended:?}");
    let ended = login(&fake, &home, "login -no-store -format=json s.abc", "", &[]);
    assert!(
        ended.out.contains("\"client_token\": \"s.abc\""),
        "{ended:?}"
    );
    assert_eq!(home.token(), None);
    let variable = [("BAO_TOKEN", "s.old")];
    let ended = login(&fake, &home, "login -no-print s.abc", "", &variable);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{ended:?}");
    assert!(
        ended.err.contains("The variable BAO_TOKEN is set and wins"),
        "{ended:?}"
    );
    assert_eq!(home.token().as_deref(), Some("s.abc"));
}
