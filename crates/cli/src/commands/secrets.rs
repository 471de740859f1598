//! `secrets list`, `enable`, `disable`, `tune` and `move`: the mount table of secrets engines.

use super::mounts::{self, ENABLING, Kind, SHARED, joined};
use super::{Entry, FORMAT, HTTP, trimmed};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::session::Ask;
use crate::tree::Tree;

const VERSION: [Flag; 1] = [Flag::value(
    "version",
    "NUMBER",
    "Version of the engine, such as 1 or 2 of kv.",
)];
const TUNING: [Flag; 2] = [
    VERSION[0],
    Flag::switch(
        "reload",
        "Reload the mount at once, and wait until it is done.",
    ),
];
static ENABLE: [Flag; 17] = joined::<10, 7, 17>(SHARED, joined::<6, 1, 7>(ENABLING, VERSION));
static TUNE: [Flag; 12] = joined::<10, 2, 12>(SHARED, TUNING);

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "secrets list",
            arguments: "",
            synopsis: "List the secrets engines",
            about: "Lists the mounts. -detailed shows which version each runs, and by which digest.",
            examples: &[("With running versions:", "secrets list -detailed")],
            flags: &[Flag::switch(
                "detailed",
                "Show everything that is known of each mount.",
            )],
            groups: &[&FORMAT, &HTTP],
        },
        run: |call| mounts::list(call, Kind::Secrets),
    },
    Entry {
        command: Command {
            name: "secrets enable",
            arguments: "TYPE",
            synopsis: "Mount a secrets engine",
            about: "Mounts an engine: a built-in one, or a plugin of the catalog by its name.",
            examples: &[
                (
                    "Mount a plugin:",
                    "secrets enable -path=app -plugin-version=1.1.0 my-kv",
                ),
                (
                    "Mount the built-in key-value engine:",
                    "secrets enable -version=1 kv",
                ),
            ],
            flags: &ENABLE,
            groups: &[&HTTP],
        },
        run: |call| mounts::enable(call, Kind::Secrets),
    },
    Entry {
        command: Command {
            name: "secrets disable",
            arguments: "PATH",
            synopsis: "Unmount a secrets engine",
            about: "Unmounts the engine at the given path. Its data is deleted.",
            examples: &[("Unmount:", "secrets disable app/")],
            flags: &[],
            groups: &[&HTTP],
        },
        run: |call| mounts::disable(call, Kind::Secrets),
    },
    Entry {
        command: Command {
            name: "secrets tune",
            arguments: "PATH",
            synopsis: "Change the settings of a secrets engine",
            about: "Changes settings of the mount at the given path. Another version starts with the next reload.",
            examples: &[
                ("Longer leases:", "secrets tune -default-lease-ttl=72h app/"),
                (
                    "Another version, now:",
                    "secrets tune -plugin-version=1.1.0 -reload app/",
                ),
            ],
            flags: &TUNE,
            groups: &[&HTTP],
        },
        run: |call| mounts::tune(call, Kind::Secrets),
    },
    Entry {
        command: Command {
            name: "secrets move",
            arguments: "SOURCE DESTINATION",
            synopsis: "Move a secrets engine to another path",
            about: "Moves a mount with all its data. Its leases are revoked.",
            examples: &[("Move:", "secrets move app/ team/app/")],
            flags: &[],
            groups: &[&HTTP],
        },
        run: move_,
    },
];

fn move_(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let from = trimmed(call.typed.argument(0)).to_owned();
    let to = trimmed(call.typed.argument(1)).to_owned();
    let body = Tree::map([
        ("from", Tree::text_of(format!("{from}/"))),
        ("to", Tree::text_of(format!("{to}/"))),
    ]);
    let what = format!("Error moving secrets engine {from}/ to {to}/");
    let answer = call
        .ask(&Ask::post("sys/remount", body))
        .map_err(|error| error.during(&what))?;
    call.warn(&answer.warnings());
    let id = answer.data().get("migration_id").text().to_owned();
    call.say(format!(
        "Started moving secrets engine {from}/ to {to}/, with migration ID {id}"
    ))?;
    let ask = Ask::get(&format!("sys/remount/status/{id}"));
    loop {
        let answer = call.ask(&ask).map_err(|error| error.during(&what))?;
        let info = answer.data().get("migration_info");
        match info.get("status").text() {
            "success" => {
                return call.say(format!(
                    "Success! Finished moving secrets engine {from}/ to {to}/, with migration ID {id}"
                ));
            }
            "failure" => {
                return Err(Failure::refused(format!(
                    "Failure! Error encountered moving secrets engine {from}/ to {to}/, with migration ID {id}"
                )));
            }
            _ => call.pause(),
        }
    }
}
