//! `read`, `write`, `list` and `delete`: any path of the API.

use super::pairs::pairs;
use super::{Entry, FIELD, FORMAT, HTTP, trimmed};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::print::Format;
use crate::session::Ask;
use crate::table::Table;
use crate::tree::Tree;

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "read",
            arguments: "PATH [K=V...]",
            synopsis: "Read a path",
            about: "Reads the given path: a secret, a configuration, a generated credential. Pairs after the path become\n\
                    parameters of the request.",
            examples: &[
                ("Read a secret of a key-value engine:", "read secret/app"),
                (
                    "One field of it, for a script:",
                    "read -field=password secret/app",
                ),
                ("What runs on a mount:", "read -format=json sys/mounts/app"),
            ],
            flags: &[],
            groups: &[&FORMAT, &FIELD, &HTTP],
        },
        run: read,
    },
    Entry {
        command: Command {
            name: "write",
            arguments: "PATH [DATA...]",
            synopsis: "Write to a path",
            about: "Writes the given pairs to the path. A value `@FILE` is the content of the file, `-` what standard input\n\
                    holds; a word `@FILE` or `-` in place of a pair is a whole JSON object. A value that begins with an at\n\
                    sign itself is written \\@.",
            examples: &[
                (
                    "Store a secret:",
                    "write secret/app user=alice password=@password.txt",
                ),
                (
                    "Everything from a JSON object:",
                    "write secret/app - < app.json",
                ),
                ("A call that takes no data:", "write -force app/rotate"),
            ],
            flags: &[
                Flag::switch("force", "Write without any data. -f is the same."),
                Flag::switch("f", "Write without any data."),
            ],
            groups: &[&FORMAT, &FIELD, &HTTP],
        },
        run: write,
    },
    Entry {
        command: Command {
            name: "list",
            arguments: "PATH",
            synopsis: "List what is below a path",
            about: "Lists the names below the given path. Names that end in a slash are themselves lists.",
            examples: &[("List the secrets of an engine:", "list secret/")],
            flags: &[],
            groups: &[&FORMAT, &HTTP],
        },
        run: list,
    },
    Entry {
        command: Command {
            name: "delete",
            arguments: "PATH [K=V...]",
            synopsis: "Delete a path",
            about: "Deletes what is at the given path. Deleting what is not there succeeds.",
            examples: &[("Delete a secret:", "delete secret/app")],
            flags: &[],
            groups: &[&FORMAT, &FIELD, &HTTP],
        },
        run: delete,
    },
];

fn with_pairs(call: &mut Call<'_, '_>, ask: Ask) -> Result<Ask, Failure> {
    let pairs = pairs(call, 1)?;
    let with = |ask: Ask, (name, value): &(String, Tree)| match value {
        Tree::List(values) => values
            .iter()
            .fold(ask, |ask, value| ask.with(name, value.plain())),
        value => ask.with(name, value.plain()),
    };
    Ok(pairs.members().iter().fold(ask, with))
}

fn nothing_at(path: &str) -> Failure {
    Failure::refused(format!("No value found at {path}"))
}

fn read(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let ask = with_pairs(call, Ask::get(&path))?;
    match call.ask(&ask) {
        Ok(answer) if answer.is_empty() => Err(nothing_at(&path)),
        Ok(answer) => call.show_secret(&answer),
        // A path where nothing is. What the server has to say of it, such as that there is no pin, is worth reading.
        Err(error) if error.status() == Some(404) => {
            let warnings = error.body().get("warnings").elements().iter();
            let warnings: Vec<String> = warnings.map(|text| text.text().to_owned()).collect();
            call.warn(&warnings);
            Err(nothing_at(&path))
        }
        Err(error) => Err(error.during(format!("Error reading {path}"))),
    }
}

fn write(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let data = pairs(call, 1)?;
    let force = call.typed.on("force") || call.typed.on("f");
    if data.members().is_empty() && !force {
        return Err(Failure::usage("Must supply data or use -force"));
    }
    let answer = call
        .ask(&Ask::put(&path, data))
        .map_err(|error| error.during(format!("Error writing data to {path}")))?;
    if !answer.is_empty() {
        return call.show_secret(&answer);
    }
    match call.format {
        Format::Table => call.say(format!("Success! Data written to: {path}")),
        _ => Ok(()),
    }
}

fn list(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let answer = match call.ask(&Ask::list(&path)) {
        Ok(answer) => answer,
        Err(error) if error.status() == Some(404) => return nothing_listed(call, &path),
        Err(error) => return Err(error.during(format!("Error listing {path}"))),
    };
    call.warn(&answer.warnings());
    let keys = answer.data().get("keys").clone();
    if keys.elements().is_empty() {
        return nothing_listed(call, &path);
    }
    let mut table = Table::new(["Keys"]);
    for key in keys.elements() {
        table.row([key.plain()]);
    }
    call.show(&table, &keys)
}

fn nothing_listed(call: &mut Call<'_, '_>, path: &str) -> Result<(), Failure> {
    if call.format == Format::Json {
        call.say("{}")?;
        return Err(Failure::said());
    }
    Err(nothing_at(path))
}

fn delete(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let ask = with_pairs(call, Ask::delete(&path))?;
    let answer = call
        .ask(&ask)
        .map_err(|error| error.during(format!("Error deleting {path}")))?;
    if !answer.is_empty() {
        return call.show_secret(&answer);
    }
    call.say(format!("Success! Data deleted (if it existed) at: {path}"))
}
