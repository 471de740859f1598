//! The plugins and what is done with each. `docs/plugins.md` says which libraries are inside.

use linchpin_testkit::Fixture;
use linchpin_testkit::client::Method;
use serde_json::{Value, json};

use super::step::Step::{self, Delete, Fails, Gone, List, Login, Read, Refuses, Seen, Write};

/// One version of a plugin.
pub(super) struct Release {
    pub(super) fixture: Fixture,
    /// What it is registered as: the module's version.
    pub(super) version: &'static str,
    /// Whether it can serve several mounts from one process.
    pub(super) multiplexes: bool,
}

/// A plugin in two versions.
pub(super) struct Plugin {
    pub(super) name: &'static str,
    pub(super) old: Release,
    pub(super) new: Release,
    /// Whether its process gets the fake as its proxy.
    pub(super) proxy: bool,
    /// Done by the old version on each mount.
    pub(super) first: Vec<Step>,
    /// Done by the new version, after the upgrade.
    pub(super) second: Vec<Step>,
    /// Done by the old version, after the roll-back.
    pub(super) third: Vec<Step>,
    /// Reads whose answers neither the upgrade nor the roll-back may change.
    pub(super) kept: Vec<&'static str>,
    /// What a version stores again by itself when it starts: ends of keys.
    pub(super) restored: Vec<&'static str>,
    /// The read that is sent without a pause while versions change.
    pub(super) load: &'static str,
}

const fn release(fixture: &'static str, version: &'static str, multiplexes: bool) -> Release {
    Release {
        fixture: Fixture::GoPlugin(fixture),
        version,
        multiplexes,
    }
}

/// What would need a lease is taken back at once, and the caller is told.
const NO_LEASES: &str = "does not keep leases yet";

/// Unversioned secrets. The versioned form is out of reach for every host: it is chosen by a mount option that only the built-in `kv` may have.
fn kv(old: Release) -> Plugin {
    Plugin {
        name: "go-kv",
        old,
        new: release("kv-new", "v0.25.0", true),
        proxy: false,
        first: vec![
            Write(
                "app",
                json!({"color": "red", "n": 7, "nested": {"a": [1, 2]}}),
            ),
            Write("app", json!({"color": "green", "ttl": "5m"})),
            Write("deep/er/still", json!({"text": "\u{fc}"})),
            Write("gone", json!({"text": "soon"})),
            Read(
                "app",
                vec![("/color", json!("green")), ("/nested", Value::Null)],
            ),
            List("", vec!["app", "deep/", "gone"]),
            List("deep", vec!["er/"]),
            Delete("gone"),
            Gone("gone"),
            Fails(Method::POST, "none", "missing data fields"),
        ],
        second: vec![
            Write("later", json!({"by": "the new one"})),
            Write("deep/er/more", json!({"big": "x".repeat(500_000)})),
            List("deep/er", vec!["more", "still"]),
            Delete("deep/er/more"),
        ],
        third: vec![
            Read("later", vec![("/by", json!("the new one"))]),
            Delete("later"),
            List("", vec!["app", "deep/"]),
        ],
        kept: vec!["app", "deep/er/still"],
        restored: vec![],
        load: "deep/er/still",
    }
}

/// Two versions that are close to each other.
pub(super) fn kv_near() -> Plugin {
    kv(release("kv-old", "v0.24.1", true))
}

/// Two and a half years between them: the old one keeps every mount in a process of its own.
pub(super) fn kv_far() -> Plugin {
    kv(release("kv-oldest", "v0.14.2", false))
}

/// Tokens of Terraform's API, against a fake of it.
pub(super) fn terraform() -> Plugin {
    Plugin {
        name: "go-terraform",
        old: release("terraform-old", "v0.7.1", true),
        new: release("terraform-new", "v0.13.0", true),
        proxy: false,
        first: vec![
            Write("config", json!({"token": "t", "address": "{api}"})),
            Read(
                "config",
                vec![
                    ("/address", json!("{api}")),
                    ("/base_path", json!("/api/v2/")),
                ],
            ),
            // The plugin asks for the organisation's token when the role is written, and keeps it.
            Write("role/org", json!({"organization": "acme"})),
            Seen("POST /api/v2/organizations/acme/authentication-token"),
            Write(
                "role/person",
                json!({"user_id": "user-1", "ttl": "1m", "max_ttl": "2m"}),
            ),
            List("role", vec!["org", "person"]),
            Read(
                "role/person",
                vec![("/user_id", json!("user-1")), ("/max_ttl", json!(120))],
            ),
            Read("creds/org", vec![("/organization", json!("acme"))]),
            Fails(
                Method::POST,
                "role/none",
                "must provide an organization name",
            ),
        ],
        second: vec![
            Read("creds/org", vec![("/role", json!("org"))]),
            Write(
                "role/later",
                json!({"user_id": "user-2", "description": "by the new"}),
            ),
            Read("role/later", vec![("/description", json!("by the new"))]),
            Fails(Method::GET, "creds/person", NO_LEASES),
            Seen("POST /api/v2/users/user-1/authentication-tokens"),
            Seen("DELETE /api/v2/authentication-tokens/at-"),
        ],
        third: vec![
            Read("role/later", vec![("/user_id", json!("user-2"))]),
            Delete("role/later"),
            Gone("role/later"),
            List("role", vec!["org", "person"]),
        ],
        kept: vec!["config", "role/org", "role/person", "creds/org"],
        restored: vec![],
        load: "role/person",
    }
}

/// Keys of MongoDB's cloud, which is not asked: the way there is refused.
pub(super) fn mongodbatlas() -> Plugin {
    Plugin {
        name: "go-mongodbatlas",
        old: release("mongodbatlas-old", "v0.9.1", false),
        new: release("mongodbatlas-new", "v0.16.0", true),
        proxy: true,
        first: vec![
            Write(
                "config",
                json!({"public_key": "public", "private_key": "private"}),
            ),
            Read("config", vec![("/public_key", json!("public"))]),
            Write(
                "roles/app",
                json!({"organization_id": "org", "roles": "ORG_MEMBER", "ip_addresses": "192.0.2.1,192.0.2.2", "ttl": "2h", "max_ttl": "4h"}),
            ),
            Write(
                "roles/gone",
                json!({"project_id": "p", "roles": ["A", "B"]}),
            ),
            List("roles", vec!["app", "gone"]),
            Read(
                "roles/app",
                vec![
                    ("/ip_addresses", json!(["192.0.2.1", "192.0.2.2"])),
                    ("/ttl", json!(7200)),
                ],
            ),
            Delete("roles/gone"),
            Gone("roles/gone"),
            Fails(
                Method::POST,
                "roles/none",
                "organization_id or project_id are required",
            ),
            Fails(Method::GET, "creds/app", "Forbidden"),
            Seen("CONNECT cloud.mongodb.com:443"),
        ],
        second: vec![
            Write("roles/later", json!({"project_id": "p", "roles": ["C"]})),
            List("roles", vec!["app", "later"]),
            Fails(Method::GET, "creds/app", "Forbidden"),
        ],
        third: vec![
            Read("roles/later", vec![("/roles", json!(["C"]))]),
            Delete("roles/later"),
            List("roles", vec!["app"]),
        ],
        kept: vec!["config", "roles/app"],
        restored: vec![],
        load: "roles/app",
    }
}

/// Keys of Alibaba's cloud, which is not asked: the way there is refused.
pub(super) fn alicloud() -> Plugin {
    Plugin {
        name: "go-alicloud",
        old: release("alicloud-old", "v0.14.1", false),
        new: release("alicloud-new", "v0.21.0", true),
        proxy: true,
        first: vec![
            Write(
                "config",
                json!({"access_key": "key", "secret_key": "secret"}),
            ),
            Read("config", vec![("/access_key", json!("key"))]),
            Write("role/sts", json!({"role_arn": "acs:ram::1:role/r"})),
            Write(
                "role/ram",
                json!({
                    "remote_policies": ["name:ReadOnly,type:System"],
                    "inline_policies": "[{\"Statement\": [{\"Action\": \"rds:Describe*\", \"Effect\": \"Allow\", \"Resource\": \"*\"}], \"Version\": \"1\"}]",
                    "ttl": "1h",
                }),
            ),
            List("role", vec!["ram", "sts"]),
            Read(
                "role/ram",
                vec![
                    ("/remote_policies/0/name", json!("ReadOnly")),
                    ("/ttl", json!(3600)),
                ],
            ),
            Fails(Method::POST, "role/none", "must include an arn"),
            Fails(Method::GET, "creds/sts", ""),
        ],
        second: vec![
            Write("role/later", json!({"role_arn": "acs:ram::1:role/l"})),
            Write("role/ram", json!({"max_ttl": "2h"})),
            Read(
                "role/ram",
                vec![("/ttl", json!(3600)), ("/max_ttl", json!(7200))],
            ),
            List("role", vec!["later", "ram", "sts"]),
        ],
        third: vec![
            Read(
                "role/later",
                vec![("/role_arn", json!("acs:ram::1:role/l"))],
            ),
            Delete("role/later"),
            Gone("role/later"),
            Delete("config"),
            Gone("config"),
        ],
        kept: vec!["config", "role/sts"],
        restored: vec![],
        load: "role/ram",
    }
}

/// Passwords of an LDAP server, which is OpenLDAP's own.
pub(super) fn openldap() -> Plugin {
    const ENTRY: &str = "dn: cn={{.Username}},ou=users,dc=example,dc=org\n";
    let creation = format!(
        "{ENTRY}objectClass: inetOrgPerson\ncn: {{{{.Username}}}}\nsn: {{{{.Username}}}}\nuserPassword: {{{{.Password}}}}"
    );
    let deletion = format!("{ENTRY}changetype: delete");
    Plugin {
        name: "go-openldap",
        old: release("openldap-old", "v0.10.1", false),
        new: release("openldap-new", "v0.17.0", true),
        proxy: false,
        first: vec![
            Write(
                "config",
                json!({"url": "{ldap}", "binddn": super::slapd::ADMIN, "bindpass": super::slapd::PASSWORD, "userdn": "ou=users,dc=example,dc=org"}),
            ),
            Read(
                "config",
                vec![("/url", json!("{ldap}")), ("/schema", json!("openldap"))],
            ),
            // From here on the plugin knows their password and nobody else does.
            Write(
                "static-role/person",
                json!({"username": "person-{mount}", "dn": "cn=person-{mount},ou=users,dc=example,dc=org", "rotation_period": "24h"}),
            ),
            Login("static-cred/person"),
            Write("rotate-role/person", json!({})),
            Login("static-cred/person"),
            List("static-role", vec!["person"]),
            Write(
                "role/made",
                json!({"creation_ldif": creation, "deletion_ldif": deletion, "default_ttl": "1h", "max_ttl": "24h"}),
            ),
            Read("role/made", vec![("/default_ttl", json!(3600))]),
            // Made in the directory, and taken back.
            Fails(Method::GET, "creds/made", NO_LEASES),
            Write(
                "library/team",
                json!({"service_account_names": ["service-{mount}"], "ttl": "1h"}),
            ),
            Read(
                "library/team/status",
                vec![("/service-{mount}/available", json!(true))],
            ),
            Fails(Method::POST, "library/team/check-out", NO_LEASES),
            Read(
                "library/team/status",
                vec![("/service-{mount}/available", json!(true))],
            ),
        ],
        second: vec![
            Login("static-cred/person"),
            Fails(Method::GET, "creds/made", NO_LEASES),
            Fails(Method::POST, "library/team/check-out", NO_LEASES),
            Write(
                "static-role/later",
                json!({"username": "later-{mount}", "dn": "cn=later-{mount},ou=users,dc=example,dc=org", "rotation_period": "24h"}),
            ),
            Login("static-cred/later"),
            List("static-role", vec!["later", "person"]),
        ],
        third: vec![
            Login("static-cred/later"),
            Login("static-cred/person"),
            Write("rotate-role/later", json!({})),
            Login("static-cred/later"),
            Delete("static-role/later"),
            Gone("static-role/later"),
            Delete("library/team"),
            List("static-role", vec!["person"]),
        ],
        // Not the password's own read: it counts the seconds to the next rotation.
        kept: vec!["config", "static-role/person", "role/made", "library/team"],
        restored: vec!["/static-role/person"],
        load: "static-cred/person",
    }
}

/// Accounts, kept with OpenBao's SDK: several keys change in one transaction or none does, and lists come in pages.
pub(super) fn openbao() -> Plugin {
    let moves =
        |from: &str, to: &str, amount: i32| json!({"from": from, "to": to, "amount": amount});
    let fails = json!({"from": "a", "to": "b", "amount": 5, "fail": true});
    Plugin {
        name: "go-openbao",
        old: release("openbao-old", "v1.0.0", true),
        new: release("openbao-new", "v1.1.0", true),
        proxy: false,
        first: vec![
            Write("account/a", json!({"amount": 100})),
            Write("account/b", json!({"amount": 10})),
            Write("account/c", json!({"amount": 7})),
            List("account", vec!["a", "b", "c"]),
            List("account?after=a&limit=1", vec!["b"]),
            List("account?after=b", vec!["c"]),
            Write("transfer", moves("a", "b", 30)),
            Read("account/a", vec![("/amount", json!(70))]),
            Read("account/b", vec![("/amount", json!(40))]),
            // Both were written, and then it failed.
            Refuses("transfer", fails.clone(), "failed as told"),
            Read("account/a", vec![("/amount", json!(70))]),
            Read("account/b", vec![("/amount", json!(40))]),
            Refuses("transfer", moves("a", "nobody", 5), "there is no account"),
            Read("account/a", vec![("/amount", json!(70))]),
            Read(
                "total",
                vec![
                    ("/amount", json!(117)),
                    ("/accounts", json!(3)),
                    ("/writable", json!(false)),
                ],
            ),
        ],
        second: vec![
            Write("transfer", moves("b", "a", 20)),
            Refuses("transfer", fails, "failed as told"),
            Read("account/a", vec![("/amount", json!(90))]),
            Read("account/b", vec![("/amount", json!(20))]),
            Write("account/d", json!({"amount": 1})),
            List("account?limit=2", vec!["a", "b"]),
            List("account?after=c&limit=5", vec!["d"]),
            Delete("account/d"),
        ],
        third: vec![
            Read("account/a", vec![("/amount", json!(90))]),
            Write("transfer", moves("a", "c", 90)),
            Read("account/c", vec![("/amount", json!(97))]),
            List("account", vec!["a", "b", "c"]),
        ],
        kept: vec!["account/c", "total"],
        restored: vec![],
        load: "total",
    }
}
