//! `plugin list`, `info`, `register` and `deregister`: the catalog.

mod digest;

use super::{Entry, FIELD, FORMAT, HTTP, cell, plugin_type};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::session::{Ask, CallError};
use crate::table::Table;
use crate::tree::Tree;

pub(crate) use digest::{ARGS, Artefact, COMMAND, ENV, EXECUTION, FILE, OVERLAP, SHA256, artefact};

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "plugin list",
            arguments: "[TYPE]",
            synopsis: "List the plugins of the catalog",
            about: "Lists what is registered, one row a version; not what runs: `plugin instances` does that.\n\
                    TYPE is auth, database or secret.",
            examples: &[
                ("List the secrets engines:", "plugin list secret"),
                (
                    "Everything, with digests, for a script:",
                    "plugin list -format=json",
                ),
            ],
            flags: &[Flag::switch(
                "detailed",
                "Show type and deprecation status too.",
            )],
            groups: &[&FORMAT, &HTTP],
        },
        run: list,
    },
    Entry {
        command: Command {
            name: "plugin info",
            arguments: "[TYPE] NAME",
            synopsis: "Show one plugin of the catalog",
            about: "Shows what is registered under a name. TYPE is auth, database or secret.",
            examples: &[
                ("Show a version:", "plugin info -version=1.1.0 secret my-kv"),
                (
                    "Its digest alone:",
                    "plugin info -version=1.1.0 -field=sha256 secret my-kv",
                ),
            ],
            flags: &[Flag::value("version", "VERSION", "The version to show.")],
            groups: &[&FORMAT, &FIELD, &HTTP],
        },
        run: info,
    },
    Entry {
        command: Command {
            name: "plugin register",
            arguments: "[TYPE] NAME",
            synopsis: "Add a plugin to the catalog",
            about: "Registers a file of the server's plugin directory, or an image. TYPE is auth, database or secret. Nothing\n\
                    starts: enable, tune, pin and reload do that, or `plugin upgrade` all in one.",
            examples: &[
                (
                    "Register a file by its digest:",
                    "plugin register -sha256=d3f0a8b… -version=1.1.0 -command=my-kv-1.1.0 secret my-kv",
                ),
                (
                    "The same, with the digest of a local copy of the file:",
                    "plugin register -file=build/my-kv-1.1.0 -version=1.1.0 secret my-kv",
                ),
            ],
            flags: &[
                SHA256,
                FILE,
                COMMAND,
                ARGS,
                ENV,
                Flag::value("version", "VERSION", "Semantic version of the plugin."),
                Flag::value(
                    "oci_image",
                    "IMAGE",
                    "A container image to run in place of a file.",
                ),
                Flag::value("runtime", "NAME", "The container runtime for -oci_image."),
                Flag::switch(
                    "download",
                    "Have the server fetch the plugin. Linchpin refuses it.",
                ),
                OVERLAP,
                EXECUTION,
            ],
            groups: &[&HTTP],
        },
        run: register,
    },
    Entry {
        command: Command {
            name: "plugin deregister",
            arguments: "TYPE NAME",
            synopsis: "Remove a plugin from the catalog",
            about: "Removes a version from the catalog. Mounts that run it keep running it until they are reloaded.",
            examples: &[(
                "Remove a version:",
                "plugin deregister -version=1.0.0 secret my-kv",
            )],
            flags: &[Flag::value(
                "version",
                "VERSION",
                "The version to remove. Without it: the entry without a version.",
            )],
            groups: &[&HTTP],
        },
        run: deregister,
    },
];

fn list(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let wanted = call.typed.argument(0).to_owned();
    if !wanted.is_empty() {
        plugin_type(&wanted)
            .map_err(|failure| Failure::refused(format!("Error parsing type: {}", failure.text)))?;
    }
    let answer = call
        .ask(&Ask::get("sys/plugins/catalog"))
        .map_err(|error| error.during("Error listing available plugins"))?;
    call.warn(&answer.warnings());
    let is_wanted = |kind: &str| wanted.is_empty() || kind == wanted;
    let details: Vec<&Tree> = answer
        .data()
        .get("detailed")
        .elements()
        .iter()
        .filter(|entry| is_wanted(entry.get("type").text()))
        .collect();
    let headings: &[&str] = match (call.typed.on("detailed"), wanted.is_empty()) {
        (true, _) => &["Name", "Type", "Version", "Deprecation Status"],
        (false, true) => &["Name", "Type", "Version"],
        (false, false) => &["Name", "Version"],
    };
    let member = |heading: &str| match heading {
        "Name" => "name",
        "Type" => "type",
        "Version" => "version",
        _ => "deprecation_status",
    };
    let mut table = Table::new(headings.iter().copied());
    for entry in &details {
        table.row(headings.iter().map(|heading| cell(entry, member(heading))));
    }
    let mut whole = Vec::new();
    for kind in super::TYPES {
        if let Some(names) = answer.data().find(kind).filter(|_| is_wanted(kind)) {
            whole.push((kind, names.clone()));
        }
    }
    let details = details.into_iter().map(detail).collect();
    whole.push(("details", Tree::List(details)));
    whole.sort_by_key(|(name, _)| *name);
    call.show(&table, &Tree::map(whole))
}

/// An entry with its members in the order of Vault's client.
fn detail(entry: &Tree) -> Tree {
    let order = [
        "type",
        "name",
        "oci_image",
        "runtime",
        "version",
        "builtin",
        "sha256",
        "deprecation_status",
    ];
    let members = order.iter().filter_map(|name| {
        let member = entry.find(name).filter(|member| **member != Tree::Null)?;
        Some((*name, member.clone()))
    });
    Tree::map(members)
}

/// The path of an entry.
pub(crate) fn entry_of(kind: &str, name: &str) -> String {
    format!("sys/plugins/catalog/{kind}/{name}")
}

/// TYPE and NAME, or NAME alone: the path of the entry and its name.
fn entry_path(call: &Call<'_, '_>) -> Result<(String, String), Failure> {
    match call.typed.arguments() {
        [name] => Ok((format!("sys/plugins/catalog/{name}"), name.clone())),
        [kind, name, ..] => Ok((entry_of(plugin_type(kind)?, name), name.clone())),
        [] => Err(Failure::usage(
            "Not enough arguments (expected 1 or 2, got 0)",
        )),
    }
}

fn info(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (path, name) = entry_path(call)?;
    let mut ask = Ask::get(&path);
    if let Some(version) = call.typed.value("version") {
        ask = ask.with("version", version);
    }
    let answer = call
        .ask(&ask)
        .map_err(|error| error.during(format!("Error reading plugin named {name}")))?;
    call.warn(&answer.warnings());
    let found = answer.data();
    let mut members: Vec<(String, Tree)> = found.members().to_vec();
    for name in ["oci_image", "runtime", "deprecation_status"] {
        if found.find(name).is_none() {
            members.push((name.to_owned(), Tree::text_of("")));
        }
    }
    for (name, member) in &mut members {
        if name == "args" && *member == Tree::Null {
            *member = Tree::List(Vec::new());
        }
    }
    members.sort_by(|(a, _), (b, _)| a.cmp(b));
    let whole = Tree::Map(members);
    if let Some(name) = call.typed.value("field").map(str::to_owned) {
        let value = whole.find(&name).cloned();
        let value =
            value.ok_or_else(|| Failure::usage(format!("Field {name:?} not present in map")))?;
        return call.show_field(&value);
    }
    let mut table = Table::of_values();
    for (name, member) in whole.members() {
        table.row([name.as_str(), &member.plain()]);
    }
    call.show(&table, &whole)
}

/// Registers `artefact` at an entry's path, with what the flags say of it.
pub(crate) fn put(
    call: &mut Call<'_, '_>,
    path: &str,
    artefact: &Artefact,
) -> Result<(), CallError> {
    let body = registration(call, artefact);
    let answer = call.ask(&Ask::put(path, body))?;
    call.warn(&answer.warnings());
    Ok(())
}

/// Removes one version from an entry's path; the empty one is that of an entry without a version.
pub(crate) fn remove(call: &mut Call<'_, '_>, path: &str, version: &str) -> Result<(), CallError> {
    let answer = call.ask(&Ask::delete(path).with("version", version))?;
    call.warn(&answer.warnings());
    Ok(())
}

/// The body of a registration, from the flags.
fn registration(call: &Call<'_, '_>, artefact: &Artefact) -> Tree {
    let typed = &call.typed;
    let mut body = vec![
        ("command", Tree::text_of(&artefact.command)),
        ("sha256", Tree::text_of(&artefact.sha256)),
    ];
    for name in ["version", "oci_image", "runtime", "execution"] {
        if let Some(value) = typed.value(name) {
            body.push((name, Tree::text_of(value)));
        }
    }
    for name in ["args", "env"] {
        let values: Vec<&str> = typed.values(name).collect();
        if !values.is_empty() {
            body.push((name, Tree::texts(values)));
        }
    }
    for name in ["download", "overlap"] {
        if let Some(on) = typed.switch(name) {
            body.push((name, on.into()));
        }
    }
    Tree::map(body)
}

fn register(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (path, name) = entry_path(call)?;
    let artefact = artefact(call, &name)?;
    put(call, &path, &artefact)
        .map_err(|error| error.during(format!("Error registering plugin {name}")))?;
    call.say(format!("Success! Registered plugin: {name}"))
}

fn deregister(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (path, name) = entry_path(call)?;
    let kind = call.typed.argument(0).to_owned();
    let version = call.typed.value("version").unwrap_or_default().to_owned();
    // The deletion succeeds whether or not there was something to delete, so that is looked up first. Whoever may delete but not
    // read is not kept from it.
    let found = (!call.prints_calls()).then(|| {
        let ask = match version.as_str() {
            "" => Ask::get(&path),
            version => Ask::get(&path).with("version", version),
        };
        call.ask(&ask)
    });
    match found {
        Some(Ok(answer)) if answer.data().get("builtin").is_true() => {
            return Err(Failure::refused(format!(
                "Plugin {name:?} (type: {kind:?}) is a builtin plugin and cannot be deregistered"
            )));
        }
        Some(Ok(answer)) => {
            let registered = answer.data().get("version").text();
            if version.is_empty() && !registered.is_empty() {
                call.note(format!(
                    "Plugin {name:?} (type: {kind:?}) has no entry without a version; -version={registered} names the one there is"
                ));
            }
        }
        Some(Err(error)) if error.status() == Some(404) => call.note(format!(
            "Plugin {name:?} (type: {kind:?}, version {version:?}) does not exist in the catalog"
        )),
        Some(Err(_)) | None => {}
    }
    remove(call, &path, &version)
        .map_err(|error| error.during(format!("Error deregistering plugin named {name}")))?;
    call.say(format!(
        "Success! Deregistered plugin (if it was registered): {name}"
    ))
}
