//! `plugin upgrade`: register, pin, reload and verify as one step (plugin-lifecycle §11 item 22). What fails is undone: the pin
//! is put back as it was and mounts that had moved are reloaded back, and the answer says what stands now, mount by mount, as
//! read from the server and not as hoped for.
//!
//! It is built on calls that Vault has too, and each of its steps may be repeated: a second run after a broken-off one finds what
//! is there already.

mod fleet;
mod report;

use linchpin_model::PluginVersion;

use super::catalog::{
    self, ARGS, Artefact, COMMAND, ENV, EXECUTION, FILE, OVERLAP, SHA256, artefact,
};
use super::reload::results_table;
use super::{Entry, FORMAT, HTTP, pins, plugin_type};
use crate::call::{Call, Interrupt};
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::session::{Ask, CallError};
use crate::tree::Tree;
use fleet::{Fleet, mounts};
use report::{Outcome, Report};

pub(crate) const ENTRIES: &[Entry] = &[Entry {
    command: Command {
        name: "plugin upgrade",
        arguments: "TYPE NAME",
        synopsis: "Register, pin, reload and verify in one step",
        about: "Moves every mount of a plugin to a new version: registers it, pins it, reloads the mounts, and verifies that each\n\
                runs exactly the new version and digest. The plan is printed before anything is changed. Requests wait while\n\
                their mount is switched; none fails.\n\
                When a step fails, or on Ctrl-C, the pin is put back as it was and the mounts that had moved are reloaded back;\n\
                the last lines say what stands now and what is left to do. The new version stays in the catalog, unless\n\
                -deregister-on-failure is given. The same command may be given again: what is done already is kept.\n\
                To go back later: plugin pin -version=OLD -reload TYPE NAME.\n\
                The file must be in the server's plugin directory on every node already: nothing is copied there.\n\
                TYPE is auth, database or secret. What a database plugin's connections run is not verified: they are not mounts.\n\
                Exit code 0: every mount runs the new version. 1: typed wrongly, nothing was asked. 2: at least one mount does\n\
                not run it. Plan and progress go to standard error; with -format=json standard output is one document, whose\n\
                outcome is upgraded, rolled_back, not_rolled_back, not_started or planned.",
        examples: &[
            (
                "Upgrade every mount of a plugin:",
                "plugin upgrade -version=1.1.0 -sha256=d3f0a8b… -command=my-kv-1.1.0 secret my-kv",
            ),
            (
                "The same, with the digest of a local copy of the file:",
                "plugin upgrade -version=1.1.0 -file=build/my-kv-1.1.0 secret my-kv",
            ),
            (
                "See what it would do:",
                "plugin upgrade -dry-run -version=1.1.0 -file=build/my-kv-1.1.0 secret my-kv",
            ),
        ],
        flags: &[
            Flag::value("version", "VERSION", "The new version. Required."),
            SHA256,
            FILE,
            COMMAND,
            ARGS,
            ENV,
            OVERLAP,
            EXECUTION,
            Flag::switch(
                "force",
                "Cancel requests that still run at the drain limit.",
            ),
            Flag::switch(
                "deregister-on-failure",
                "Remove the new version from the catalog again when the upgrade fails.",
            ),
            Flag::switch("dry-run", "Print the plan, and change nothing."),
        ],
        groups: &[&FORMAT, &HTTP],
    },
    run: upgrade,
}];

/// What every mount is to run.
struct Wanted {
    kind: String,
    name: String,
    version: PluginVersion,
    artefact: Artefact,
}

impl Wanted {
    fn entry(&self) -> String {
        catalog::entry_of(&self.kind, &self.name)
    }

    fn of(call: &Call<'_, '_>) -> Result<Self, Failure> {
        if call.prints_calls() {
            return Err(Failure::usage(
                "-output-curl-string: an upgrade is several calls, each of which depends on the one before",
            ));
        }
        let kind = plugin_type(call.typed.argument(0))?.to_owned();
        let name = call.typed.argument(1).to_owned();
        let version = call.typed.value("version").unwrap_or_default();
        if version.is_empty() {
            return Err(Failure::usage("-version is required to upgrade a plugin"));
        }
        let version = version
            .parse()
            .map_err(|error| Failure::usage(format!("-version: {error}")))?;
        let artefact = artefact(call, &name)?;
        Ok(Self {
            kind,
            name,
            version,
            artefact,
        })
    }
}

fn upgrade(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let wanted = Wanted::of(call)?;
    let (name, version) = (&wanted.name, wanted.version.as_str());
    let what = format!("Error upgrading plugin {name}");
    let before = Fleet::read(call, &wanted.kind, name)
        .map_err(|error| error.during(format!("{what}: cannot see what runs now")))?;
    let mut report = Report::new(&wanted.kind, name, version, before);
    report.sha256 = wanted.artefact.sha256.to_ascii_lowercase();
    let is_new = match is_new(call, &wanted) {
        Ok(is_new) => is_new,
        Err(reason) => return not_started(call, &mut report, &what, &reason),
    };
    report.plan(call, &wanted.artefact.command, is_new);
    if call.typed.on("dry-run") {
        report.outcome = Outcome::Planned;
        report.document(call)?;
        call.note("==> Dry run: nothing was changed");
        return Ok(());
    }

    let mut interrupt = call.watch_interrupt()?;
    if is_new {
        call.note(format!("==> Registering {name} {version}"));
        if let Err(error) = catalog::put(call, &wanted.entry(), &wanted.artefact) {
            let reason = format!("registering failed: {}", error.short());
            return not_started(call, &mut report, &what, &reason);
        }
    }
    report.registered = is_new;
    match switch(call, &wanted, &mut report, &mut interrupt) {
        Ok(()) => {
            report.outcome = Outcome::Upgraded;
            report.show(call)?;
            if call.format == crate::print::Format::Table {
                call.say(format!(
                    "Success! Upgraded plugin: {name} to version {version} ({})",
                    report.moved()
                ))?;
            }
            Ok(())
        }
        Err(reason) => {
            roll_back(call, &wanted, &mut report, &reason);
            report.show(call)?;
            Err(Failure::refused(format!(
                "{what}: {}",
                report.verdict(&reason)
            )))
        }
    }
}

/// The end of an upgrade that has changed neither the pin nor a mount.
fn not_started(
    call: &mut Call<'_, '_>,
    report: &mut Report,
    what: &str,
    reason: &str,
) -> Result<(), Failure> {
    report.outcome = Outcome::NotStarted;
    report.document(call)?;
    Err(Failure::refused(format!(
        "{what}: {reason}\nNothing was changed: neither the pin nor a mount."
    )))
}

/// Whether the version has to be registered. One that is in the catalog with another content is left alone: what a version is
/// must not change.
fn is_new(call: &mut Call<'_, '_>, wanted: &Wanted) -> Result<bool, String> {
    let version = wanted.version.as_str();
    let entry = match call.ask(&Ask::get(&wanted.entry()).with("version", version)) {
        Ok(answer) => answer.body.get("data").clone(),
        Err(error) if error.status() == Some(404) => return Ok(true),
        Err(error) => return Err(format!("cannot read the catalog: {}", error.short())),
    };
    let (command, sha256) = (entry.get("command").text(), entry.get("sha256").text());
    let args: Vec<&str> = call.typed.values("args").collect();
    let same_args = args.is_empty() || Tree::texts(args) == *entry.get("args");
    let same_sha256 = sha256.eq_ignore_ascii_case(&wanted.artefact.sha256);
    if !same_sha256 || command != wanted.artefact.command || !same_args {
        return Err(format!(
            "{version} is registered already, as {command} with SHA-256 {sha256}, which is not what was asked for. Choose another \
             version, or remove that one first:\n  linchpin plugin deregister -version={version} {} {}",
            wanted.kind, wanted.name,
        ));
    }
    if call.typed.values("env").next().is_some() {
        call.note(format!(
            "{version} is registered already. Its environment cannot be read back: -env was not looked at."
        ));
    }
    Ok(false)
}

/// Pins, reloads and verifies; `Err` says what went wrong, and leaves everything else to be undone.
fn switch(
    call: &mut Call<'_, '_>,
    wanted: &Wanted,
    report: &mut Report,
    interrupt: &mut Interrupt,
) -> Result<(), String> {
    let (name, version) = (&wanted.name, wanted.version.as_str());
    call.note(format!("==> Pinning {name} to {version}"));
    let body = Tree::map([("version", Tree::text_of(version))]);
    let pinned = call.ask(&Ask::put(&pins::path(&wanted.kind, name), body));
    // A refusal leaves the pin as it was; no answer at all leaves it unknown.
    report.pin_touched = !matches!(&pinned, Err(error) if error.status().is_some());
    pinned.map_err(|error| format!("pinning failed: {}", error.short()))?;
    if call.was_interrupted(interrupt) {
        return Err("interrupted before the reload".to_owned());
    }

    let reloading = match (wanted.kind.as_str(), report.before.mounts.len()) {
        ("database", _) => format!("the connections of {name}"),
        (_, count) => mounts(count),
    };
    call.note(format!("==> Reloading {reloading}"));
    report.reload_tried = true;
    let mut body = vec![("scope", Tree::text_of(""))];
    if call.typed.on("force") {
        body.push(("force", true.into()));
    }
    let path = format!("sys/plugins/reload/{}/{name}", wanted.kind);
    let reloaded = call.ask(&Ask::put(&path, Tree::map(body)));
    match reloaded {
        Ok(answer) => report.results = answer.data().get("results").clone(),
        Err(error) => {
            report.results = error.body().get("data").get("results").clone();
            return Err(format!("the reload failed: {}", one_line(&error.short())));
        }
    }
    if call.was_interrupted(interrupt) {
        return Err("interrupted after the reload".to_owned());
    }

    call.note("==> Verifying what runs");
    report.fleet_now = Fleet::read(call, &wanted.kind, name)
        .map_err(|error| format!("cannot verify what runs: {}", error.short()))?;
    let wrong: Vec<String> = report
        .fleet_now
        .mounts
        .iter()
        .filter(|mount| !mount.runs(version, &report.sha256))
        .map(|mount| format!("{} runs {}", mount.path, mount.shown()))
        .collect();
    if !wrong.is_empty() {
        return Err(format!("verification failed: {}", wrong.join(", ")));
    }
    Ok(())
}

/// Puts pin and mounts back. What cannot be put back is in the report.
fn roll_back(call: &mut Call<'_, '_>, wanted: &Wanted, report: &mut Report, reason: &str) {
    let (kind, name) = (&wanted.kind, &wanted.name);
    call.note(format!("==> Failed: {reason}"));
    if !report.results.elements().is_empty() {
        call.note(format!("\n{}", results_table(&report.results).print()));
    }
    if report.pin_touched {
        let path = pins::path(kind, name);
        let ask = match &report.before.pin {
            Some(version) => {
                call.note(format!(
                    "==> Rolling back: pinning {name} to {version} again"
                ));
                Ask::put(&path, Tree::map([("version", Tree::text_of(version))]))
            }
            None => {
                call.note(format!("==> Rolling back: removing the pin of {name}"));
                Ask::delete(&path)
            }
        };
        if let Err(error) = call.ask(&ask) {
            report.problem(format!("the pin could not be put back: {}", error.short()));
        }
    }
    if report.reload_tried
        && let Err(error) = reload_back(call, wanted, report)
    {
        report.problem(format!(
            "mounts could not be reloaded back: {}",
            one_line(&error.short())
        ));
    }
    match Fleet::read(call, kind, name) {
        Ok(fleet) => report.compare(fleet),
        Err(error) => report.problem(format!("cannot see what runs now: {}", error.short())),
    }
    report.outcome = if report.problems.is_empty() {
        Outcome::RolledBack
    } else {
        Outcome::NotRolledBack
    };
    if report.registered && call.typed.on("deregister-on-failure") {
        call.note(format!(
            "==> Deregistering {name} {}",
            wanted.version.as_str()
        ));
        match catalog::remove(call, &wanted.entry(), wanted.version.as_str()) {
            Ok(()) => report.registered = false,
            Err(error) => report.problem(format!(
                "the new version could not be deregistered: {}",
                error.short()
            )),
        }
    }
}

/// Reloads the mounts that do not run what they ran before.
fn reload_back(call: &mut Call<'_, '_>, wanted: &Wanted, report: &Report) -> Result<(), CallError> {
    let name = &wanted.name;
    if wanted.kind == "database" {
        // Connections are not in the mount table: all of them are re-created, with the pin that is back.
        call.note(format!(
            "==> Rolling back: reloading the connections of {name}"
        ));
        let path = format!("sys/plugins/reload/database/{name}");
        return call
            .ask(&Ask::put(&path, Tree::map([("scope", Tree::text_of(""))])))
            .map(drop);
    }
    let now = Fleet::read(call, &wanted.kind, name)?;
    let moved: Vec<String> = now
        .moved_since(&report.before)
        .map(|mount| mount.reload_path.clone())
        .collect();
    if moved.is_empty() {
        call.note("==> No mount had moved");
        return Ok(());
    }
    call.note(format!(
        "==> Rolling back: reloading {}",
        mounts(moved.len())
    ));
    let body = Tree::map([
        ("plugin", Tree::text_of("")),
        ("mounts", Tree::texts(moved)),
        ("scope", Tree::text_of("")),
    ]);
    call.ask(&Ask::put("sys/plugins/reload/backend", body))
        .map(drop)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
