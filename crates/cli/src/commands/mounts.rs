//! What `secrets` and `auth` share: the flags of mounts, the bodies made of them, and the list of mounts.

use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::Flag;
use crate::print::Format;
use crate::table::Table;
use crate::tree::Tree;

/// Flags of enabling and tuning alike.
pub(super) const SHARED: [Flag; 10] = [
    Flag::value("description", "TEXT", "What it is for, for people."),
    Flag::value(
        "default-lease-ttl",
        "DURATION",
        "Default time to live of leases.",
    ),
    Flag::value(
        "max-lease-ttl",
        "DURATION",
        "Longest time to live of leases.",
    ),
    Flag::value(
        "options",
        "KEY=VALUE",
        "An option of the engine. May be given several times.",
    ),
    Flag::value(
        "plugin-version",
        "VERSION",
        "The version of the plugin to run.",
    ),
    Flag::value(
        "listing-visibility",
        "WORD",
        "Whether the mount is listed to those without a token: unauth or hidden.",
    ),
    Flag::value(
        "audit-non-hmac-request-keys",
        "KEY",
        "A request key that audit logs show as it is. May be given several times.",
    ),
    Flag::value(
        "audit-non-hmac-response-keys",
        "KEY",
        "A response key that audit logs show as it is. May be given several times.",
    ),
    Flag::value(
        "passthrough-request-headers",
        "NAME",
        "A request header that the plugin sees. May be given several times.",
    ),
    Flag::value(
        "allowed-response-headers",
        "NAME",
        "A response header that the plugin may set. May be given several times.",
    ),
];

/// Flags of enabling alone.
pub(super) const ENABLING: [Flag; 6] = [
    Flag::value(
        "path",
        "PATH",
        "Where to mount it. The default is its type.",
    ),
    Flag::value(
        "plugin-name",
        "NAME",
        "The plugin's name, where TYPE is `plugin`.",
    ),
    Flag::switch("local", "Not replicated to other clusters."),
    Flag::switch("seal-wrap", "Wrap critical values with the seal."),
    Flag::switch(
        "external-entropy-access",
        "Allow the external source of entropy.",
    ),
    Flag::switch("force-no-cache", "Do not cache its reads."),
];

/// Concatenates two lists of flags, for a static table.
pub(super) const fn joined<const A: usize, const B: usize, const N: usize>(
    first: [Flag; A],
    second: [Flag; B],
) -> [Flag; N] {
    assert!(A + B == N);
    let mut all = [Flag::switch("", ""); N];
    let mut i = 0;
    while i < N {
        #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
        {
            all[i] = if i < A { first[i] } else { second[i - A] };
        }
        i += 1;
    }
    all
}

/// Members of a mount's configuration and the flags that set them.
const LISTS: [&str; 4] = [
    "audit-non-hmac-request-keys",
    "audit-non-hmac-response-keys",
    "passthrough-request-headers",
    "allowed-response-headers",
];

/// The members of a mount's configuration that were typed.
pub(super) fn config(call: &Call<'_, '_>) -> Result<Vec<(String, Tree)>, Failure> {
    let typed = &call.typed;
    let mut config = Vec::new();
    let mut add = |flag: &str, value: Tree| config.push((flag.replace('-', "_"), value));
    for flag in ["default-lease-ttl", "max-lease-ttl"] {
        if let Some(ttl) = typed.value(flag) {
            linchpin_model::duration::parse(ttl).map_err(|error| {
                Failure::usage(format!("invalid value {ttl:?} for flag -{flag}: {error}"))
            })?;
            add(flag, Tree::text_of(ttl));
        }
    }
    for flag in ["plugin-version", "listing-visibility", "token-type"] {
        if let Some(value) = typed.value(flag) {
            add(flag, Tree::text_of(value));
        }
    }
    for flag in LISTS {
        let values: Vec<&str> = typed.values(flag).collect();
        if !values.is_empty() {
            add(flag, Tree::texts(values));
        }
    }
    Ok(config)
}

/// `-options` and `-version` as one object.
fn options(call: &Call<'_, '_>) -> Result<Option<Tree>, Failure> {
    let mut options = Vec::new();
    for pair in call.typed.values("options") {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failure::usage(format!(
                "invalid value {pair:?} for flag -options: missing = in KV pair: {pair:?}"
            ))
        })?;
        options.push((key, Tree::text_of(value)));
    }
    if let Some(version) = call.typed.value("version") {
        options.push(("version", Tree::text_of(version)));
    }
    Ok((!options.is_empty()).then(|| Tree::map(options)))
}

/// The body of enabling a mount of `kind`.
pub(super) fn enabling(call: &Call<'_, '_>, kind: &str) -> Result<Tree, Failure> {
    let typed = &call.typed;
    let mut config = config(call)?;
    if typed.on("force-no-cache") {
        config.push(("force_no_cache".to_owned(), true.into()));
    }
    let mut body = vec![
        ("type".to_owned(), Tree::text_of(kind)),
        (
            "description".to_owned(),
            Tree::text_of(typed.value("description").unwrap_or_default()),
        ),
        ("config".to_owned(), Tree::Map(config)),
    ];
    for flag in ["local", "seal-wrap", "external-entropy-access"] {
        body.push((flag.replace('-', "_"), typed.on(flag).into()));
    }
    if let Some(options) = options(call)? {
        body.push(("options".to_owned(), options));
    }
    Ok(Tree::Map(body))
}

/// The body of tuning a mount.
pub(super) fn tuning(call: &Call<'_, '_>) -> Result<Tree, Failure> {
    let mut body = config(call)?;
    if let Some(description) = call.typed.value("description") {
        body.push(("description".to_owned(), Tree::text_of(description)));
    }
    if let Some(options) = options(call)? {
        body.push(("options".to_owned(), options));
    }
    if call.typed.on("reload") {
        body.push(("reload".to_owned(), true.into()));
    }
    Ok(Tree::Map(body))
}

/// What a list of mounts differs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Secrets,
    Auth,
}

/// Prints the mounts of an answer.
pub(super) fn list(call: &mut Call<'_, '_>, kind: Kind, data: &Tree) -> Result<(), Failure> {
    if call.format != Format::Table {
        let mounts = data
            .members()
            .iter()
            .map(|(path, mount)| (path.clone(), ordered(mount)));
        let whole = Tree::map(mounts);
        return call.show(&Table::of_values(), &whole);
    }
    let table = if call.typed.on("detailed") {
        detailed(kind, data)
    } else {
        plain(kind, data)
    };
    call.show(&table, data)
}

/// A mount with its members in the order of Vault's client; members that it does not know come last.
fn ordered(mount: &Tree) -> Tree {
    let order = [
        "uuid",
        "type",
        "description",
        "accessor",
        "config",
        "options",
        "local",
        "seal_wrap",
        "external_entropy_access",
        "plugin_version",
        "running_plugin_version",
        "running_sha256",
        "deprecation_status",
    ];
    let known = order.iter().filter_map(|name| {
        let member = mount.find(name)?.clone();
        let member = match *name {
            "config" => ordered_config(&member),
            "options" if member.members().is_empty() => Tree::Null,
            _ => member,
        };
        Some(((*name).to_owned(), member))
    });
    let mut members: Vec<(String, Tree)> = known.collect();
    if mount.find("deprecation_status").is_none() {
        members.push(("deprecation_status".to_owned(), Tree::text_of("")));
    }
    let others = mount.members().iter();
    let others = others.filter(|(name, _)| !order.contains(&name.as_str()));
    members.extend(others.cloned());
    Tree::Map(members)
}

fn ordered_config(config: &Tree) -> Tree {
    let order = ["default_lease_ttl", "max_lease_ttl", "force_no_cache"];
    let first = order
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), config.find(name)?.clone())));
    let others = config.members().iter();
    let others = others.filter(|(name, _)| !order.contains(&name.as_str()));
    Tree::map(first.chain(others.cloned()))
}

fn plain(kind: Kind, data: &Tree) -> Table {
    let mut headings = vec!["Path", "Type", "Accessor", "Description"];
    let mut members = vec!["type", "accessor", "description"];
    if kind == Kind::Auth {
        headings.push("Version");
        members.push("plugin_version");
    }
    let mut table = Table::new(headings);
    for (path, mount) in data.members() {
        let cells = members.iter().map(|name| super::cell(mount, name));
        table.row(std::iter::once(path.clone()).chain(cells));
    }
    table
}

fn detailed(kind: Kind, data: &Tree) -> Table {
    let special = match kind {
        Kind::Secrets => "Force No Cache",
        Kind::Auth => "Token Type",
    };
    let mut table = Table::new([
        "Path",
        "Plugin",
        "Accessor",
        "Default TTL",
        "Max TTL",
        special,
        "Replication",
        "Seal Wrap",
        "External Entropy Access",
        "Options",
        "Description",
        "UUID",
        "Version",
        "Running Version",
        "Running SHA256",
        "Deprecation Status",
    ]);
    for (path, mount) in data.members() {
        let of = |name: &str| super::cell(mount, name);
        let config = mount.get("config");
        let engine = of("type");
        let ttl = |name: &str| match config.get(name).number() {
            _ if ["system", "cubbyhole"].contains(&engine.as_str()) => String::new(),
            None | Some(0) => "system".to_owned(),
            Some(seconds) => seconds.to_string(),
        };
        let special = match kind {
            Kind::Secrets => config.get("force_no_cache").is_true().to_string(),
            Kind::Auth => super::cell(config, "token_type"),
        };
        let replication = if mount.get("local").is_true() {
            "local"
        } else {
            "replicated"
        };
        let options = match mount.get("options") {
            Tree::Null => "map[]".to_owned(),
            options => options.plain(),
        };
        let plugin = match engine.as_str() {
            "plugin" => super::cell(config, "plugin_name"),
            engine => engine.to_owned(),
        };
        table.row([
            path.clone(),
            plugin,
            of("accessor"),
            ttl("default_lease_ttl"),
            ttl("max_lease_ttl"),
            special,
            replication.to_owned(),
            mount.get("seal_wrap").is_true().to_string(),
            mount.get("external_entropy_access").is_true().to_string(),
            options,
            of("description"),
            of("uuid"),
            of("plugin_version"),
            of("running_plugin_version"),
            of("running_sha256"),
            of("deprecation_status"),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from OpenBao's command line.
    #[test]
    fn mounts_are_listed_as_recorded() {
        let data = Tree::parse(
            br#"{"m/":{"accessor":"tp_1","config":{"default_lease_ttl":3600,"force_no_cache":false,"max_lease_ttl":0},
            "description":"","external_entropy_access":false,"local":false,"options":{"a":"b"},"plugin_version":"v1.0.0",
            "running_plugin_version":"v1.0.0","running_sha256":"bbfc","seal_wrap":false,"type":"tp","uuid":"u1"},
            "sys/":{"accessor":"system_2","config":{"default_lease_ttl":0,"force_no_cache":false,"max_lease_ttl":0},
            "description":"system","local":false,"options":null,"type":"system","uuid":"u2","seal_wrap":true}}"#,
        )
        .unwrap();
        let expected = "\
Path    Type      Accessor    Description
----    ----      --------    -----------
m/      tp        tp_1        n/a
sys/    system    system_2    system
";
        assert_eq!(plain(Kind::Secrets, &data).print(), expected);
        let expected = "\
Path    Plugin    Accessor    Default TTL    Max TTL    Force No Cache    Replication    Seal Wrap    External Entropy Access    Options     Description    UUID    Version    Running Version    Running SHA256    Deprecation Status
----    ------    --------    -----------    -------    --------------    -----------    ---------    -----------------------    -------     -----------    ----    -------    ---------------    --------------    ------------------
m/      tp        tp_1        3600           system     false             replicated     false        false                      map[a:b]    n/a            u1      v1.0.0     v1.0.0             bbfc              n/a
sys/    system    system_2    n/a            n/a        false             replicated     true         false                      map[]       system         u2      n/a        n/a                n/a               n/a
";
        assert_eq!(detailed(Kind::Secrets, &data).print(), expected);
        let mount = ordered(data.get("m/"));
        let names: Vec<&str> = mount
            .members()
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names.first(), Some(&"uuid"));
        assert_eq!(names.last(), Some(&"deprecation_status"));
    }
}
