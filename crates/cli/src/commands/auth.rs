//! `auth list`, `enable`, `disable` and `tune`: the mount table of auth methods, as far as the server has them.

use super::mounts::{self, ENABLING, Kind, SHARED, joined};
use super::{Entry, FORMAT, HTTP};
use crate::grammar::{Command, Flag};

const OF_AUTH: [Flag; 1] = [Flag::value(
    "token-type",
    "TYPE",
    "Type of the tokens that the method issues: service or batch.",
)];
static ENABLE: [Flag; 17] = joined::<10, 7, 17>(SHARED, joined::<6, 1, 7>(ENABLING, OF_AUTH));
static TUNE: [Flag; 11] = joined::<10, 1, 11>(SHARED, OF_AUTH);

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "auth list",
            arguments: "",
            synopsis: "List the auth methods",
            about: "Lists the auth methods that are enabled.",
            examples: &[("With running versions:", "auth list -detailed")],
            flags: &[Flag::switch(
                "detailed",
                "Show everything that is known of each method.",
            )],
            groups: &[&FORMAT, &HTTP],
        },
        run: |call| mounts::list(call, Kind::Auth),
    },
    Entry {
        command: Command {
            name: "auth enable",
            arguments: "TYPE",
            synopsis: "Enable an auth method",
            about: "Enables an auth method: a built-in one, or a plugin of the catalog by its name.",
            examples: &[("Enable a plugin:", "auth enable -path=corp my-auth")],
            flags: &ENABLE,
            groups: &[&HTTP],
        },
        run: |call| mounts::enable(call, Kind::Auth),
    },
    Entry {
        command: Command {
            name: "auth disable",
            arguments: "PATH",
            synopsis: "Disable an auth method",
            about: "Disables the auth method at the given path. Its tokens are revoked.",
            examples: &[("Disable:", "auth disable corp/")],
            flags: &[],
            groups: &[&HTTP],
        },
        run: |call| mounts::disable(call, Kind::Auth),
    },
    Entry {
        command: Command {
            name: "auth tune",
            arguments: "PATH",
            synopsis: "Change the settings of an auth method",
            about: "Changes settings of the method at the given path. Another version starts with the next reload.",
            examples: &[("Another version:", "auth tune -plugin-version=1.1.0 corp/")],
            flags: &TUNE,
            groups: &[&HTTP],
        },
        run: |call| mounts::tune(call, Kind::Auth),
    },
];
