//! What `secrets` and `auth` share: a mount table is listed, and one mount is enabled, tuned or disabled. The two differ in paths
//! and words alone, which are Vault's to the letter.

mod flags;
mod listing;

use super::reload::{failed, results_table};
use super::trimmed;
use crate::call::Call;
use crate::failure::Failure;
use crate::session::Ask;
use flags::{enabling, tuning};

pub(super) use flags::{ENABLING, SHARED, joined};

/// Which mount table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Secrets,
    Auth,
}

impl Kind {
    /// The path of the table, below which its mounts are enabled and disabled.
    fn table(self) -> &'static str {
        match self {
            Self::Secrets => "sys/mounts",
            Self::Auth => "sys/auth",
        }
    }

    /// What one of its mounts is called.
    fn noun(self) -> &'static str {
        match self {
            Self::Secrets => "secrets engine",
            Self::Auth => "auth method",
        }
    }

    /// Where a mount is tuned: also that of auth methods is below `sys/mounts`.
    fn tuned_at(self, path: &str) -> String {
        match self {
            Self::Secrets => format!("sys/mounts/{path}/tune"),
            Self::Auth => format!("sys/mounts/auth/{path}/tune"),
        }
    }
}

/// Prints the table.
pub(super) fn list(call: &mut Call<'_, '_>, kind: Kind) -> Result<(), Failure> {
    let what = match kind {
        Kind::Secrets => "Error listing secrets engines",
        Kind::Auth => "Error listing enabled authentications",
    };
    let answer = call
        .ask(&Ask::get(kind.table()))
        .map_err(|error| error.during(what))?;
    call.warn(&answer.warnings());
    listing::print(call, kind, answer.data())
}

/// Enables the engine that TYPE names, or with the type `plugin` the one of `-plugin-name`.
pub(super) fn enable(call: &mut Call<'_, '_>, kind: Kind) -> Result<(), Failure> {
    let engine = call.typed.argument(0).trim().to_owned();
    let name = match (engine.as_str(), call.typed.value("plugin-name")) {
        ("plugin", Some(name)) => name.to_owned(),
        ("plugin", None) => {
            return Err(Failure::usage(
                "Must specify -plugin-name when enabling a plugin",
            ));
        }
        _ => engine,
    };
    let path = trimmed(call.typed.value("path").unwrap_or(&name)).to_owned();
    let body = enabling(call, &name)?;
    let answer = call
        .ask(&Ask::post(&format!("{}/{path}", kind.table()), body))
        .map_err(|error| match kind {
            Kind::Secrets => error.during("Error enabling"),
            Kind::Auth => error.during(format!("Error enabling {name} auth")),
        })?;
    call.warn(&answer.warnings());
    let what = match kind {
        Kind::Secrets => format!("the {name} secrets engine"),
        Kind::Auth => format!("{name} auth method"),
    };
    let version = call.typed.value("plugin-version");
    let version = version.map_or_else(String::new, |version| format!(" version {version}"));
    call.say(format!("Success! Enabled {what}{version} at: {path}/"))
}

/// Disables the mount at PATH.
pub(super) fn disable(call: &mut Call<'_, '_>, kind: Kind) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let noun = kind.noun();
    let answer = call
        .ask(&Ask::delete(&format!("{}/{path}", kind.table())))
        .map_err(|error| error.during(format!("Error disabling {noun} at {path}/")))?;
    call.warn(&answer.warnings());
    call.say(format!(
        "Success! Disabled the {noun} (if it existed) at: {path}/"
    ))
}

/// Tunes the mount at PATH. Where it is reloaded too, the result of the reload goes to the standard error.
pub(super) fn tune(call: &mut Call<'_, '_>, kind: Kind) -> Result<(), Failure> {
    let path = trimmed(call.typed.argument(0)).to_owned();
    let noun = kind.noun();
    let body = tuning(call)?;
    let answer = match call.ask(&Ask::post(&kind.tuned_at(&path), body)) {
        Ok(answer) => answer,
        Err(error) => {
            let what = format!("Error tuning {noun} {path}/");
            return Err(failed(call, error, &what));
        }
    };
    call.warn(&answer.warnings());
    call.say(format!("Success! Tuned the {noun} at: {path}/"))?;
    let results = answer.data().get("results");
    if call.typed.on("reload") && !results.elements().is_empty() {
        call.note(results_table(results).print());
    }
    Ok(())
}
