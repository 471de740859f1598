//! `plugin upgrade`: register, pin, reload and verify as one step (plugin-lifecycle §11 item 22). What fails is undone: the pin
//! is put back as it was and mounts that had moved are reloaded back, and the answer says what stands now, mount by mount, as
//! read from the server and not as hoped for.
//!
//! It is built on calls that Vault has too, and each of its steps may be repeated: a second run after a broken-off one finds what
//! is there already.

mod fleet;
mod report;

use linchpin_model::PluginVersion;

use super::catalog::{Artefact, FILE_HELP, artefact, registration};
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
                runs exactly the new version and digest. When a step fails, the pin is put back as it was and the mounts that\n\
                had moved are reloaded back; the answer says what happened to each mount. The new version stays in the\n\
                catalog, unless -deregister-on-failure is given. The file must be in the server's plugin directory already.\n\
                TYPE is auth, database or secret. Exit code 0: every mount runs the new version. 2: it does not.",
        examples: &[
            (
                "Upgrade every mount of a plugin:",
                "plugin upgrade -version=1.1.0 -sha256=d3f0a8b… -command=my-kv-1.1.0 secret my-kv",
            ),
            (
                "The same, with the digest of a local copy of the file:",
                "plugin upgrade -version=1.1.0 -file=build/my-kv-1.1.0 secret my-kv",
            ),
        ],
        flags: &[
            Flag::value("version", "VERSION", "The new version. Required."),
            Flag::value(
                "sha256",
                "HEX",
                "SHA-256 of the new binary. Required, unless -file is given.",
            ),
            Flag::value("file", "PATH", FILE_HELP),
            Flag::value(
                "command",
                "FILE",
                "The file in the plugin directory. The default is NAME, with -file its last path segment.",
            ),
            Flag::value(
                "args",
                "WORD",
                "An argument for the plugin. May be given several times.",
            ),
            Flag::value(
                "env",
                "KEY=VALUE",
                "A variable for the plugin. May be given several times.",
            ),
            Flag::switch(
                "overlap",
                "-overlap=false: two versions of this plugin cannot run at the same time.",
            ),
            Flag::value(
                "execution",
                "MODE",
                "How the file is run: sealed, descriptor or path.",
            ),
            Flag::switch(
                "force",
                "Cancel requests that still run at the drain limit.",
            ),
            Flag::switch(
                "deregister-on-failure",
                "Remove the new version from the catalog again when the upgrade fails.",
            ),
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
        format!("sys/plugins/catalog/{}/{}", self.kind, self.name)
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
    let what = format!("Error upgrading plugin {}", wanted.name);
    let before = Fleet::read(call, &wanted.kind, &wanted.name)
        .map_err(|error| error.during(format!("{what}: cannot see what runs now")))?;
    let mut interrupt = call.watch_interrupt()?;
    let is_new = register(call, &wanted, &what)?;
    let mut report = Report::new(&wanted.kind, &wanted.name, wanted.version.as_str(), before);
    report.sha256 = wanted.artefact.sha256.to_ascii_lowercase();
    report.registered = is_new;
    match switch(call, &wanted, &mut report, &mut interrupt) {
        Ok(()) => {
            report.outcome = Outcome::Upgraded;
            report.show(call)?;
            if call.format == crate::print::Format::Table {
                let mounts = report.fleet_now.mounts.len();
                call.say(format!(
                    "Success! Upgraded plugin: {} to version {} ({mounts} {})",
                    wanted.name,
                    wanted.version.as_str(),
                    if mounts == 1 { "mount" } else { "mounts" },
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

/// Makes sure that the version is in the catalog, and says whether it was not before. A version that is there with another
/// content is left alone: what a version is must not change.
fn register(call: &mut Call<'_, '_>, wanted: &Wanted, what: &str) -> Result<bool, Failure> {
    let version = wanted.version.as_str();
    let found = call.ask(&Ask::get(&wanted.entry()).with("version", version));
    match found {
        Ok(answer) => {
            let entry = answer.data();
            let args: Vec<&str> = call.typed.values("args").collect();
            let same_args = args.is_empty() || Tree::texts(args) == *entry.get("args");
            let same_sha = entry
                .get("sha256")
                .text()
                .eq_ignore_ascii_case(&wanted.artefact.sha256);
            if !same_sha || entry.get("command").text() != wanted.artefact.command || !same_args {
                return Err(Failure::refused(format!(
                    "{what}: {version} is registered already, as {} with SHA-256 {}; nothing was changed. Choose another version, \
                     or deregister that one first",
                    entry.get("command").text(),
                    entry.get("sha256").text(),
                )));
            }
            call.note(format!(
                "==> {} {version} is registered already",
                wanted.name
            ));
            if call.typed.values("env").next().is_some() {
                call.note("    Its environment cannot be read back: -env was not looked at.");
            }
            Ok(false)
        }
        Err(error) if error.status() == Some(404) => {
            call.note(format!("==> Registering {} {version}", wanted.name));
            let body = registration(call, &wanted.artefact);
            let answer = call
                .ask(&Ask::put(&wanted.entry(), body))
                .map_err(|error| error.during(format!("{what}: registering failed")))?;
            call.warn(&answer.warnings());
            Ok(true)
        }
        Err(error) => Err(error.during(format!("{what}: cannot read the catalog"))),
    }
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

    let count = report.before.mounts.len();
    call.note(format!("==> Reloading {}", mounts(count)));
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
        let ask = Ask::delete(&wanted.entry()).with("version", wanted.version.as_str());
        match call.ask(&ask) {
            Ok(_) => report.registered = false,
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
