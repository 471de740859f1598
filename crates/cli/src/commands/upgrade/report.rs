//! What an upgrade came to, mount by mount.

use super::fleet::{Fleet, mounts};
use crate::call::Call;
use crate::failure::Failure;
use crate::print::Format;
use crate::table::Table;
use crate::tree::Tree;

/// The end of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every mount runs the new version.
    Upgraded,
    /// Pin and mounts are as they were.
    RolledBack,
    /// Something is not as it was.
    NotRolledBack,
    /// It failed before the pin or a mount was touched.
    NotStarted,
    /// Only the plan was asked for.
    Planned,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::RolledBack => "rolled_back",
            Self::NotRolledBack => "not_rolled_back",
            Self::NotStarted => "not_started",
            Self::Planned => "planned",
        }
    }
}

/// Everything that the answer says.
pub(super) struct Report {
    kind: String,
    name: String,
    version: String,
    pub(super) sha256: String,
    pub(super) before: Fleet,
    pub(super) fleet_now: Fleet,
    /// The server's results of the reload, one a mount.
    pub(super) results: Tree,
    pub(super) outcome: Outcome,
    /// Whether this upgrade has added the version to the catalog, and it is still there.
    pub(super) registered: bool,
    /// Whether the pin may have changed.
    pub(super) pin_touched: bool,
    /// Whether mounts may have moved.
    pub(super) reload_tried: bool,
    /// What could not be put back.
    pub(super) problems: Vec<String>,
}

impl Report {
    pub(super) fn new(kind: &str, name: &str, version: &str, before: Fleet) -> Self {
        Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            sha256: String::new(),
            fleet_now: before.clone(),
            before,
            results: Tree::Null,
            outcome: Outcome::NotRolledBack,
            registered: false,
            pin_touched: false,
            reload_tried: false,
            problems: Vec::new(),
        }
    }

    /// Notes something that could not be put back.
    pub(super) fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// Takes what runs after a rollback, and notes every difference to what ran before.
    pub(super) fn compare(&mut self, now: Fleet) {
        if now.pin != self.before.pin {
            let shown = |pin: &Option<String>| pin.clone().unwrap_or_else(|| "none".to_owned());
            self.problems.push(format!(
                "the pin is {} (before: {})",
                shown(&now.pin),
                shown(&self.before.pin)
            ));
        }
        for mount in now.moved_since(&self.before) {
            let old = self.before.mount(&mount.path);
            let old = old.map_or("nothing", |old| old.shown());
            self.problems.push(format!(
                "{} runs {} (before: {old})",
                mount.path,
                mount.shown()
            ));
        }
        self.fleet_now = now;
    }

    /// Says what is going to happen, before anything does.
    pub(super) fn plan(&self, call: &mut Call<'_, '_>, command: &str, is_new: bool) {
        let (name, version) = (&self.name, &self.version);
        call.note(format!(
            "==> Plan: {} plugin {name} to {version}",
            self.kind
        ));
        let registration = if is_new {
            "which will be registered"
        } else {
            "which is registered already"
        };
        call.note(format!(
            "    file {command}, SHA-256 {}, {registration}",
            self.sha256
        ));
        call.note(match self.before.pin.as_deref() {
            Some(pin) if pin == version => format!("    pin: {pin} already"),
            Some(pin) => format!("    pin: {pin} -> {version}"),
            None => format!("    pin: none -> {version}"),
        });
        for mount in &self.before.mounts {
            let (path, runs) = (&mount.path, mount.shown());
            call.note(if mount.runs(version, &self.sha256) {
                format!("    {path}: {runs} already, reloaded all the same")
            } else {
                format!("    {path}: {runs} -> {version}")
            });
        }
        if self.is_of_databases() {
            call.note(
                "    all connections: re-created. What they run cannot be verified: they are not mounts",
            );
        } else if self.before.mounts.is_empty() {
            call.note("    no mount uses this plugin: there is nothing to reload or to verify");
        }
    }

    /// What has moved, in words.
    pub(super) fn moved(&self) -> String {
        if self.is_of_databases() {
            "its connections were re-created, and not verified".to_owned()
        } else {
            mounts(self.fleet_now.mounts.len())
        }
    }

    fn is_of_databases(&self) -> bool {
        self.kind == "database"
    }

    /// What an operator may do when the rollback did not get through.
    fn way_out(&self) -> String {
        let (kind, name) = (&self.kind, &self.name);
        let back = match &self.before.pin {
            Some(version) => format!("plugin pin -version={version} -reload {kind} {name}"),
            None => format!("plugin unpin -reload {kind} {name}"),
        };
        format!(
            "\nSee what runs:  linchpin plugin status {kind} {name}\nGo back:        linchpin {back}"
        )
    }

    /// How it ended, after what went wrong.
    pub(super) fn verdict(&self, reason: &str) -> String {
        let stays = if self.registered {
            format!("\n{} stays in the catalog.", self.version)
        } else {
            String::new()
        };
        if self.problems.is_empty() {
            let pin = match &self.before.pin {
                Some(version) => format!("the pin is {version}"),
                None => "there is no pin".to_owned(),
            };
            return format!(
                "{reason}\nRolled back: {pin}, and every mount runs what it ran before.{stays}"
            );
        }
        let problems: Vec<String> = self
            .problems
            .iter()
            .map(|text| format!("  * {text}"))
            .collect();
        format!(
            "{reason}\nNOT rolled back completely:\n{}{stays}{}",
            problems.join("\n"),
            self.way_out()
        )
    }

    /// Prints the mounts: a table for people on standard error, a document on standard output in the other formats.
    pub(super) fn show(&self, call: &mut Call<'_, '_>) -> Result<(), Failure> {
        if call.format != Format::Table {
            return self.document(call);
        }
        let mut table = Table::new(["Mount", "Before", "Now", "SHA256"]);
        for mount in &self.fleet_now.mounts {
            let before = self.before.mount(&mount.path);
            table.row([
                mount.path.as_str(),
                before.map_or("", |before| before.version.as_str()),
                &mount.version,
                &mount.sha256,
            ]);
        }
        if !table.is_empty() {
            call.note(format!("\n{}", table.print()));
        }
        Ok(())
    }

    /// Prints the document, where a format for programs was asked for.
    pub(super) fn document(&self, call: &mut Call<'_, '_>) -> Result<(), Failure> {
        if call.format == Format::Table {
            return Ok(());
        }
        call.show(&Table::of_values(), &self.tree())
    }

    fn tree(&self) -> Tree {
        let text = |text: &str| Tree::text_of(text);
        let pin = |pin: &Option<String>| pin.as_deref().map_or(Tree::Null, text);
        let rows = self.fleet_now.mounts.iter().map(|mount| {
            let result = self.results.elements().iter();
            let result = result
                .into_iter()
                .find(|result| result.get("mount").text().ends_with(&mount.path));
            let before = self.before.mount(&mount.path);
            Tree::map([
                ("mount", text(&mount.path)),
                (
                    "before_version",
                    text(before.map_or("", |before| &before.version)),
                ),
                (
                    "before_sha256",
                    text(before.map_or("", |before| &before.sha256)),
                ),
                ("running_version", text(&mount.version)),
                ("running_sha256", text(&mount.sha256)),
                (
                    "error",
                    text(result.map_or("", |result| result.get("error").text())),
                ),
            ])
        });
        Tree::map([
            ("type", text(&self.kind)),
            ("name", text(&self.name)),
            ("version", text(&self.version)),
            ("sha256", text(&self.sha256)),
            ("outcome", text(self.outcome.as_str())),
            ("registered", self.registered.into()),
            ("pin_before", pin(&self.before.pin)),
            ("pin_now", pin(&self.fleet_now.pin)),
            ("mounts", Tree::List(rows.collect())),
            ("problems", Tree::texts(&self.problems)),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::super::fleet::Mount;
    use super::*;

    fn fleet(pin: Option<&str>, versions: &[(&str, &str)]) -> Fleet {
        let mounts = versions.iter().map(|(path, version)| Mount {
            path: (*path).to_owned(),
            reload_path: (*path).to_owned(),
            version: (*version).to_owned(),
            sha256: format!("sha of {version}"),
        });
        Fleet {
            pin: pin.map(str::to_owned),
            mounts: mounts.collect(),
        }
    }

    #[test]
    fn a_rollback_says_what_stands_now() {
        let before = fleet(Some("v1.0.0"), &[("a/", "v1.0.0"), ("b/", "v1.0.0")]);
        let mut report = Report::new("secret", "tp", "v1.1.0", before.clone());
        report.registered = true;
        report.compare(before.clone());
        assert_eq!(
            report.verdict("the reload failed: x"),
            "the reload failed: x\nRolled back: the pin is v1.0.0, and every mount runs what it ran before.\n\
             v1.1.0 stays in the catalog."
        );
        let mut report = Report::new("secret", "tp", "v1.1.0", before);
        report.compare(fleet(None, &[("a/", "v1.1.0"), ("b/", "v1.0.0")]));
        assert_eq!(
            report.verdict("x"),
            "x\nNOT rolled back completely:\n  * the pin is none (before: v1.0.0)\n  * a/ runs v1.1.0 (before: v1.0.0)\n\
             See what runs:  linchpin plugin status secret tp\n\
             Go back:        linchpin plugin pin -version=v1.0.0 -reload secret tp"
        );
    }
}
