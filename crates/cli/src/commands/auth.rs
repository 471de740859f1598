//! `auth list`, `enable`, `disable` and `tune`: the mount table of auth methods, as far as the server has them.

use super::mounts::{self, ENABLING, Kind, SHARED, enabling, joined, tuning};
use super::{Entry, FORMAT, HTTP, trimmed};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::session::Ask;

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
        run: list,
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
        run: enable,
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
        run: disable,
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
        run: tune,
    },
];

fn list(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let answer = call
        .ask(&Ask::get("sys/auth"))
        .map_err(|error| error.during("Error listing enabled authentications"))?;
    call.warn(&answer.warnings());
    mounts::list(call, Kind::Auth, answer.data())
}

fn enable(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let kind = call.typed.argument(0).trim().to_owned();
    let name = match (kind.as_str(), call.typed.value("plugin-name")) {
        ("plugin", Some(name)) => name.to_owned(),
        ("plugin", None) => {
            return Err(Failure::usage(
                "Must specify -plugin-name when enabling a plugin",
            ));
        }
        _ => kind,
    };
    let path = trimmed(call.typed.value("path").unwrap_or(&name)).to_owned();
    let body = enabling(call, &name)?;
    let answer = call
        .ask(&Ask::post(&format!("sys/auth/{path}"), body))
        .map_err(|error| error.during(format!("Error enabling {name} auth")))?;
    call.warn(&answer.warnings());
    let version = call.typed.value("plugin-version");
    let version = version.map_or_else(String::new, |version| format!(" version {version}"));
    call.say(format!(
        "Success! Enabled {name} auth method{version} at: {path}/"
    ))
}

fn disable(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let answer = call
        .ask(&Ask::delete(&format!("sys/auth/{path}")))
        .map_err(|error| error.during(format!("Error disabling auth method at {path}/")))?;
    call.warn(&answer.warnings());
    call.say(format!(
        "Success! Disabled the auth method (if it existed) at: {path}/"
    ))
}

fn tune(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let body = tuning(call)?;
    let answer = call
        .ask(&Ask::post(&format!("sys/mounts/auth/{path}/tune"), body))
        .map_err(|error| error.during(format!("Error tuning auth method {path}/")))?;
    call.warn(&answer.warnings());
    call.say(format!("Success! Tuned the auth method at: {path}/"))
}
