//! `status`: whether the server is sealed. Its exit code is the answer: 0 unsealed, 1 error, 2 sealed.

use super::{Entry, FIELD, FORMAT, HTTP};
use crate::call::Call;
use crate::failure::{Failure, USAGE};
use crate::grammar::Command;
use crate::session::Ask;
use crate::table::Table;
use crate::tree::Tree;

pub(crate) const ENTRIES: &[Entry] = &[Entry {
    command: Command {
        name: "status",
        arguments: "",
        synopsis: "Say whether the server is sealed",
        about: "Prints the state of the server. The exit code is 0 when it is unsealed, 2 when it is sealed and 1 when it\n\
                cannot be asked.",
        examples: &[("Wait until a server is there:", "status -format=json")],
        flags: &[],
        groups: &[&FORMAT, &FIELD, &HTTP],
    },
    run: status,
}];

fn status(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let seal = match call.ask(&Ask::get("sys/seal-status")) {
        Ok(answer) => answer.body,
        Err(error) => {
            let failure = error.during("Error checking seal status");
            // 2 would mean sealed. A call that was to be printed is no failure.
            let code = if failure.is_answer { 0 } else { USAGE };
            return Err(Failure { code, ..failure });
        }
    };
    // A sealed server cannot say who leads.
    let leader = call.ask(&Ask::get("sys/leader")).map(|answer| answer.body);
    let leader = leader.unwrap_or(Tree::Null);
    let has_ha = leader.get("ha_enabled").is_true();
    let whole = ordered(&seal, has_ha);
    let is_sealed = seal.get("sealed").is_true();
    if let Some(name) = call.typed.value("field").map(str::to_owned) {
        let value = whole
            .find(&name)
            .cloned()
            .ok_or_else(|| Failure::usage(format!("Field {name:?} not present in the status")))?;
        call.show_field(&value)?;
    } else {
        call.show(&table(&seal, has_ha), &whole)?;
    }
    if is_sealed {
        return Err(Failure::said());
    }
    Ok(())
}

/// The status with its members in the order of Vault's client; members that it does not know come last.
fn ordered(seal: &Tree, has_ha: bool) -> Tree {
    let order = [
        "type",
        "initialized",
        "sealed",
        "t",
        "n",
        "progress",
        "nonce",
        "version",
        "commit_date",
        "build_date",
        "migration",
        "cluster_name",
        "cluster_id",
        "recovery_seal",
        "storage_type",
    ];
    let known = order
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), seal.find(name)?.clone())));
    let others = seal.members().iter();
    let others = others.filter(|(name, _)| !order.contains(&name.as_str()));
    let mut members: Vec<(String, Tree)> = known.chain(others.cloned()).collect();
    members.push(("ha_enabled".to_owned(), has_ha.into()));
    Tree::Map(members)
}

fn table(seal: &Tree, has_ha: bool) -> Table {
    let mut table = Table::of_values();
    let mut row = |name: &str, value: &Tree| {
        if !matches!(value, Tree::Null) && !value.plain().is_empty() {
            table.row([name, &value.plain()]);
        }
    };
    row("Seal Type", seal.get("type"));
    row("Initialized", seal.get("initialized"));
    row("Sealed", seal.get("sealed"));
    row("Total Shares", seal.get("n"));
    row("Threshold", seal.get("t"));
    if seal.get("sealed").is_true() {
        let (done, of) = (seal.get("progress").plain(), seal.get("t").plain());
        row("Unseal Progress", &Tree::text_of(format!("{done}/{of}")));
        row("Unseal Nonce", seal.get("nonce"));
    }
    row("Version", seal.get("version"));
    row("Build Date", seal.get("build_date"));
    row("Commit Date", seal.get("commit_date"));
    row("Storage Type", seal.get("storage_type"));
    row("Cluster Name", seal.get("cluster_name"));
    row("Cluster ID", seal.get("cluster_id"));
    row("HA Enabled", &has_ha.into());
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_server_shows_how_far_unsealing_is() {
        let seal = Tree::parse(
            br#"{"type":"shamir","initialized":true,"sealed":true,"t":3,"n":5,"progress":1,"nonce":"x","version":"1.21.0",
            "build_date":"","storage_type":"inmem"}"#,
        );
        let expected = "\
Key                Value
---                -----
Seal Type          shamir
Initialized        true
Sealed             true
Total Shares       5
Threshold          3
Unseal Progress    1/3
Unseal Nonce       x
Version            1.21.0
Storage Type       inmem
HA Enabled         false
";
        assert_eq!(table(&seal.unwrap(), false).print(), expected);
    }
}
