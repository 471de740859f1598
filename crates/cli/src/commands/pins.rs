//! `plugin pin`, `plugin unpin` and `plugin pins`: which version must run. Vault's command line has no commands for them.

use super::reload::{failed, results_table};
use super::{Entry, FORMAT, HTTP, cell, plugin_type};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::print::Format;
use crate::session::{Answer, Ask};
use crate::table::Table;
use crate::tree::Tree;

const RELOAD: Flag = Flag::switch(
    "reload",
    "Reload the plugin's mounts at once, and wait until they are done. When no mount moves, the pin is put back.",
);
const DETAILED: Flag = Flag::switch("detailed", "With -reload: show what became of each mount.");

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "plugin pin",
            arguments: "TYPE NAME",
            synopsis: "Pin the version that must run",
            about: "Pins a registered version: every mount of the plugin runs it, whatever the mount asks for, from its next\n\
                    reload on. TYPE is auth, database or secret.",
            examples: &[
                (
                    "Pin a version and let it run now:",
                    "plugin pin -version=1.1.0 -reload secret my-kv",
                ),
                (
                    "Pin a version, and reload later:",
                    "plugin pin -version=1.1.0 secret my-kv",
                ),
            ],
            flags: &[
                Flag::value("version", "VERSION", "The version to pin. Required."),
                RELOAD,
                DETAILED,
            ],
            groups: &[&FORMAT, &HTTP],
        },
        run: pin,
    },
    Entry {
        command: Command {
            name: "plugin unpin",
            arguments: "TYPE NAME",
            synopsis: "Remove a pin",
            about: "Removes the pin of a plugin: from their next reload on, mounts run the version that each is tuned to.",
            examples: &[(
                "Remove a pin and go back now:",
                "plugin unpin -reload secret my-kv",
            )],
            flags: &[RELOAD, DETAILED],
            groups: &[&FORMAT, &HTTP],
        },
        run: unpin,
    },
    Entry {
        command: Command {
            name: "plugin pins",
            arguments: "[TYPE]",
            synopsis: "List the pins",
            about: "Lists the pinned versions. TYPE is auth, database or secret.",
            examples: &[("List them all:", "plugin pins")],
            flags: &[],
            groups: &[&FORMAT, &HTTP],
        },
        run: pins,
    },
];

/// The path of a plugin's pin.
pub(crate) fn path(kind: &str, name: &str) -> String {
    format!("sys/plugins/pins/{kind}/{name}")
}

fn named(call: &Call<'_, '_>) -> Result<(String, String), Failure> {
    let kind = plugin_type(call.typed.argument(0))?.to_owned();
    Ok((kind, call.typed.argument(1).to_owned()))
}

fn pin(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (kind, name) = named(call)?;
    let Some(version) = call.typed.value("version").map(str::to_owned) else {
        return Err(Failure::usage("-version is required to pin a plugin"));
    };
    let mut body = vec![("version", Tree::text_of(&version))];
    if call.typed.on("reload") {
        body.push(("reload", true.into()));
    }
    let ask = Ask::put(&path(&kind, &name), Tree::map(body));
    let done = format!("Success! Pinned {kind} plugin {name} to version {version}");
    change(call, &ask, &name, &done, "Error pinning")
}

fn unpin(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (kind, name) = named(call)?;
    let mut ask = Ask::delete(&path(&kind, &name));
    if call.typed.on("reload") {
        ask = ask.with("reload", "true");
    }
    let done = format!("Success! Unpinned {kind} plugin (if it was pinned): {name}");
    change(call, &ask, &name, &done, "Error unpinning")
}

fn change(
    call: &mut Call<'_, '_>,
    ask: &Ask,
    name: &str,
    done: &str,
    what: &str,
) -> Result<(), Failure> {
    let answer = match call.ask(ask) {
        Ok(answer) => answer,
        Err(error) => return Err(failed(call, error, &format!("{what} plugin {name}"))),
    };
    call.warn(&answer.warnings());
    if call.format != Format::Table {
        return call.show(&Table::of_values(), answer.data());
    }
    call.say(done)?;
    reloaded(call, &answer, name)
}

fn reloaded(call: &mut Call<'_, '_>, answer: &Answer, name: &str) -> Result<(), Failure> {
    let data = answer.data();
    if !call.typed.on("reload") {
        return Ok(());
    }
    if data.find("reload_id").is_none() {
        return Err(Failure::refused(
            "The server knows no -reload here: nothing was reloaded. Use plugin reload.",
        ));
    }
    call.say(format!("Success! Reloaded plugin: {name}"))?;
    if call.typed.on("detailed") {
        let table = results_table(data.get("results")).print();
        call.print(&format!("\n{table}"))?;
    }
    Ok(())
}

fn pins(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let wanted = call.typed.argument(0).to_owned();
    if !wanted.is_empty() {
        plugin_type(&wanted)?;
    }
    let answer = call
        .ask(&Ask::get("sys/plugins/pins"))
        .map_err(|error| error.during("Error listing pinned versions"))?;
    call.warn(&answer.warnings());
    let pins = answer.data().get("pinned_versions").elements().iter();
    let pins: Vec<Tree> = pins
        .filter(|pin| wanted.is_empty() || pin.get("type").text() == wanted)
        .cloned()
        .collect();
    let mut table = Table::new(["Name", "Type", "Version"]);
    for pin in &pins {
        table.row([cell(pin, "name"), cell(pin, "type"), cell(pin, "version")]);
    }
    call.show(&table, &Tree::map([("pinned_versions", Tree::List(pins))]))
}
