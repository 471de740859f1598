//! How lists of mounts are printed.

use super::Kind;
use crate::call::Call;
use crate::commands::cell;
use crate::failure::Failure;
use crate::print::Format;
use crate::table::Table;
use crate::tree::Tree;

/// Prints the mounts of an answer.
pub(super) fn print(call: &mut Call<'_, '_>, kind: Kind, data: &Tree) -> Result<(), Failure> {
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
        let cells = members.iter().map(|name| cell(mount, name));
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
        let of = |name: &str| cell(mount, name);
        let config = mount.get("config");
        let engine = of("type");
        let ttl = |name: &str| match config.get(name).number() {
            _ if ["system", "cubbyhole"].contains(&engine.as_str()) => String::new(),
            None | Some(0) => "system".to_owned(),
            Some(seconds) => seconds.to_string(),
        };
        let special = match kind {
            Kind::Secrets => config.get("force_no_cache").is_true().to_string(),
            Kind::Auth => cell(config, "token_type"),
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
            "plugin" => cell(config, "plugin_name"),
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
