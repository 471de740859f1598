//! `plugin runtime list`, `info`, `register` and `deregister`: container runtimes.

use super::{Entry, FIELD, FORMAT, HTTP, cell};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::session::Ask;
use crate::table::Table;
use crate::tree::Tree;

const CATALOG: &str = "sys/plugins/runtimes/catalog";
const TYPE: Flag = Flag::value("type", "TYPE", "Type of the runtime: container. Required.");

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "plugin runtime list",
            arguments: "",
            synopsis: "List the container runtimes",
            about: "Lists the runtimes that container plugins can be registered with.",
            examples: &[("List them all:", "plugin runtime list")],
            flags: &[Flag::value(
                "type",
                "TYPE",
                "Only runtimes of this type: container.",
            )],
            groups: &[&FORMAT, &HTTP],
        },
        run: list,
    },
    Entry {
        command: Command {
            name: "plugin runtime info",
            arguments: "NAME",
            synopsis: "Show one container runtime",
            about: "Shows a registered runtime.",
            examples: &[("Show one:", "plugin runtime info -type=container sandbox")],
            flags: &[TYPE],
            groups: &[&FORMAT, &FIELD, &HTTP],
        },
        run: info,
    },
    Entry {
        command: Command {
            name: "plugin runtime register",
            arguments: "NAME",
            synopsis: "Add a container runtime",
            about: "Registers a runtime for container plugins, or replaces one.",
            examples: &[(
                "Register one with a limit:",
                "plugin runtime register -type=container -oci_runtime=runc -memory_bytes=268435456 sandbox",
            )],
            flags: &[
                TYPE,
                Flag::value(
                    "oci_runtime",
                    "NAME",
                    "The OCI runtime. The server's default is runsc.",
                ),
                Flag::value(
                    "cgroup_parent",
                    "PATH",
                    "Parent control group of the containers.",
                ),
                Flag::value(
                    "cpu_nanos",
                    "NUMBER",
                    "Limit of CPU time, in billionths of a core. 0 = no limit.",
                ),
                Flag::value(
                    "memory_bytes",
                    "NUMBER",
                    "Limit of memory in bytes. 0 = no limit.",
                ),
                Flag::switch(
                    "rootless",
                    "Whether the container engine runs without root.",
                ),
            ],
            groups: &[&HTTP],
        },
        run: register,
    },
    Entry {
        command: Command {
            name: "plugin runtime deregister",
            arguments: "NAME",
            synopsis: "Remove a container runtime",
            about: "Removes a runtime that no plugin refers to.",
            examples: &[(
                "Remove one:",
                "plugin runtime deregister -type=container sandbox",
            )],
            flags: &[TYPE],
            groups: &[&HTTP],
        },
        run: deregister,
    },
];

fn list(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let mut ask = Ask::get(CATALOG);
    if let Some(kind) = call.typed.value("type") {
        ask = ask.with("type", kind);
    }
    let answer = call
        .ask(&ask)
        .map_err(|error| error.during("Error listing available plugin runtimes"))?;
    let runtimes = answer.data().get("runtimes");
    let mut table = Table::new([
        "Name",
        "Type",
        "OCI Runtime",
        "Parent Cgroup",
        "CPU Nanos",
        "Memory Bytes",
    ]);
    for runtime in runtimes.elements() {
        let names = [
            "name",
            "type",
            "oci_runtime",
            "cgroup_parent",
            "cpu_nanos",
            "memory_bytes",
        ];
        table.row(names.map(|name| cell(runtime, name)));
    }
    call.show(&table, answer.data())
}

/// The path of the named runtime; `doing` is what the command does, for the error when there is no type.
fn path(call: &Call<'_, '_>, doing: &str) -> Result<(String, String), Failure> {
    let name = call.typed.argument(0).to_owned();
    match call.typed.value("type") {
        Some("container") => Ok((format!("{CATALOG}/container/{name}"), name)),
        Some(other) => Err(Failure::refused(format!(
            "{other:?} is not a supported plugin runtime type"
        ))),
        None => Err(Failure::usage(format!(
            "-type is required for plugin runtime {doing}"
        ))),
    }
}

fn info(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (path, name) = path(call, "info retrieval")?;
    let answer = call
        .ask(&Ask::get(&path))
        .map_err(|error| error.during(format!("Error reading plugin runtime named {name}")))?;
    let found = answer.data();
    if let Some(field) = call.typed.value("field").map(str::to_owned) {
        let value = found.find(&field).cloned();
        let value =
            value.ok_or_else(|| Failure::usage(format!("Field {field:?} not present in map")))?;
        return call.show_field(&value);
    }
    let mut table = Table::of_values();
    for (name, member) in found.members() {
        table.row([name.as_str(), &member.plain()]);
    }
    call.show(&table, found)
}

fn register(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (path, name) = path(call, "registration")?;
    let mut body = Vec::new();
    for flag in ["oci_runtime", "cgroup_parent"] {
        if let Some(value) = call.typed.value(flag) {
            body.push((flag, Tree::text_of(value)));
        }
    }
    for flag in ["cpu_nanos", "memory_bytes"] {
        if let Some(value) = call.typed.value(flag) {
            let number: i64 = value.parse().map_err(|_| {
                Failure::usage(format!("-{flag} must be a number, found {value:?}"))
            })?;
            body.push((flag, Tree::Number(number.to_string())));
        }
    }
    if let Some(rootless) = call.typed.switch("rootless") {
        body.push(("rootless", rootless.into()));
    }
    let answer = call
        .ask(&Ask::put(&path, Tree::map(body)))
        .map_err(|error| error.during(format!("Error registering plugin runtime {name}")))?;
    call.warn(&answer.warnings());
    call.say(format!("Success! Registered plugin runtime: {name}"))
}

fn deregister(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (path, name) = path(call, "deregistration")?;
    let answer = call.ask(&Ask::delete(&path)).map_err(|error| {
        error.during(format!("Error deregistering plugin runtime named {name}"))
    })?;
    call.warn(&answer.warnings());
    call.say(format!("Success! Deregistered plugin runtime: {name}"))
}
