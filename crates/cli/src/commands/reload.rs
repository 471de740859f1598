//! `plugin reload` and `plugin reload-status`. The lines on standard output are Vault's; what Linchpin says beyond them, one
//! result a mount, is a table below them with `-detailed`, and on standard error when the reload failed.

use super::{Entry, FORMAT, HTTP, TYPES, cell};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::print::Format;
use crate::session::{Ask, CallError};
use crate::table::Table;
use crate::tree::Tree;

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "plugin reload",
            arguments: "",
            synopsis: "Start the version that should run",
            about: "Gives mounts a new instance of their plugin: of the pinned version, or of the one each is tuned to. Requests\n\
                    wait while their mount is switched, and a mount whose new instance does not come up goes on as it was;\n\
                    the command then fails and names every such mount with the reason.",
            examples: &[
                (
                    "Every mount of a plugin:",
                    "plugin reload -type=secret -plugin=my-kv",
                ),
                (
                    "Some mounts, with what became of each:",
                    "plugin reload -mounts=a,b -detailed",
                ),
            ],
            flags: &[
                Flag::value("plugin", "NAME", "The plugin whose mounts are reloaded."),
                Flag::value(
                    "type",
                    "TYPE",
                    "auth, database, secret or unknown; with -plugin. The default is unknown: all three.",
                ),
                Flag::value(
                    "mounts",
                    "PATH",
                    "A mount to reload. May be given several times, or be a list with commas.",
                ),
                Flag::value(
                    "scope",
                    "SCOPE",
                    "global: on every node. The default is this node.",
                ),
                Flag::switch(
                    "force",
                    "Cancel requests that still run at the drain limit.",
                ),
                Flag::switch("detailed", "Show what became of each mount."),
            ],
            groups: &[&FORMAT, &HTTP],
        },
        run: reload,
    },
    Entry {
        command: Command {
            name: "plugin reload-status",
            arguments: "RELOAD_ID",
            synopsis: "Say what a reload came to",
            about: "Shows the outcome of a reload, by node. Outcomes are kept for 24 hours.",
            examples: &[(
                "By the id that a reload printed:",
                "plugin reload-status d60a3e83-a598-4f3a-879d-0ddd95f11d4e",
            )],
            flags: &[],
            groups: &[&FORMAT, &HTTP],
        },
        run: status,
    },
];

fn reload(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let typed = &call.typed;
    let plugin = typed.value("plugin").unwrap_or_default().to_owned();
    let mounts: Vec<String> = typed
        .values("mounts")
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|mount| !mount.is_empty())
        .map(str::to_owned)
        .collect();
    let scope = typed.value("scope").unwrap_or_default().to_owned();
    let kind = typed.value("type").map(str::to_owned);
    match (plugin.is_empty(), mounts.is_empty()) {
        (true, true) => {
            return Err(Failure::usage(
                "No plugins specified, must specify exactly one of -plugin or -mounts",
            ));
        }
        (false, false) => {
            return Err(Failure::usage(
                "Must specify exactly one of -plugin or -mounts",
            ));
        }
        _ => {}
    }
    if !["", "global"].contains(&scope.as_str()) {
        return Err(Failure::usage(format!("Invalid reload scope: {scope}")));
    }
    if kind.is_some() && !mounts.is_empty() {
        return Err(Failure::usage("Cannot specify -type with -mounts"));
    }
    let kind = kind.unwrap_or_else(|| "unknown".to_owned());
    if kind != "unknown" && !TYPES.contains(&kind.as_str()) {
        return Err(Failure::refused(format!(
            "{kind:?} is not a supported plugin type"
        )));
    }
    let mut body = vec![("scope", Tree::text_of(&scope))];
    if typed.on("force") {
        body.push(("force", true.into()));
    }
    // By type and name where that exists: in the root namespace. It reaches the mounts of every namespace.
    let path = if mounts.is_empty() && call.namespace().is_empty() {
        format!("sys/plugins/reload/{kind}/{plugin}")
    } else {
        body.push(("plugin", Tree::text_of(&plugin)));
        body.push(("mounts", Tree::texts(&mounts)));
        "sys/plugins/reload/backend".to_owned()
    };
    let answer = match call.ask(&Ask::put(&path, Tree::map(body))) {
        Ok(answer) => answer,
        Err(error) => return Err(failed(call, error, "Error reloading plugin/mounts")),
    };
    call.warn(&answer.warnings());
    if call.format != Format::Table {
        return call.show(&Table::of_values(), answer.data());
    }
    let id = answer.data().get("reload_id").plain();
    let (begins, what) = if mounts.is_empty() {
        ("plugin", plugin)
    } else {
        ("mounts", format!("[{}]", mounts.join(" ")))
    };
    if scope.is_empty() {
        call.say(format!("Success! Reloaded {begins}: {what}"))?;
    } else {
        call.say(format!(
            "Success! Reloading {begins}: {what}, reload_id: {id}"
        ))?;
    }
    let results = answer.data().get("results");
    if call.typed.on("detailed") && !results.elements().is_empty() {
        let table = results_table(results).print();
        call.print(&format!("\n{table}"))?;
    }
    Ok(())
}

/// A failed reload: what became of each mount goes before the error.
pub(crate) fn failed(call: &mut Call<'_, '_>, error: CallError, what: &str) -> Failure {
    let results = error.body().get("data").get("results");
    if !results.elements().is_empty() {
        let table = results_table(results).print();
        call.note(table);
    }
    error.during(what)
}

/// One row a mount.
pub(crate) fn results_table(results: &Tree) -> Table {
    let mut table = Table::new([
        "Mount",
        "From Version",
        "To Version",
        "Status",
        "Milliseconds",
        "Error",
    ]);
    for result in results.elements() {
        // An error may be a list of several lines, which would break the row.
        let error = cell(result, "error");
        let error: Vec<&str> = error.split_whitespace().collect();
        table.row([
            cell(result, "mount"),
            cell(result, "from_version"),
            cell(result, "to_version"),
            cell(result, "status"),
            cell(result, "milliseconds"),
            error.join(" "),
        ]);
    }
    table
}

fn status(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let id = call.typed.argument(0).to_owned();
    let ask = Ask::get("sys/plugins/reload/backend/status").with("reload_id", id);
    let answer = call
        .ask(&ask)
        .map_err(|error| error.during("Error retrieving plugin reload status"))?;
    let mut table = Table::new(["Time", "Participant", "Success", "Message"]);
    for (node, outcome) in answer.data().get("results").members() {
        let error = cell(outcome, "error");
        let time = cell(outcome, "timestamp");
        let clock = time.split_once('T').map_or("", |(_, clock)| clock);
        let clock = clock.get(..8).unwrap_or(&time);
        let success = error.is_empty().to_string();
        table.row([clock, node, &success, &error]);
    }
    call.show(&table, answer.data())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_one_row_a_mount() {
        let results = Tree::parse(
            br#"[{"mount":"a/","from_version":"v1.0.0","to_version":"v1.1.0","status":"reloaded","error":"",
            "milliseconds":31},{"mount":"b/","from_version":"v1.0.0","to_version":"","status":"failed",
            "error":"2 errors occurred:\n\t* x\n\t* y\n\n","milliseconds":7}]"#,
        );
        let expected = "\
Mount    From Version    To Version    Status      Milliseconds    Error
-----    ------------    ----------    ------      ------------    -----
a/       v1.0.0          v1.1.0        reloaded    31              n/a
b/       v1.0.0          n/a           failed      7               2 errors occurred: * x * y
";
        assert_eq!(results_table(&results.unwrap()).print(), expected);
    }
}
