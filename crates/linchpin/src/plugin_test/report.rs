//! What was found out about a plugin, and how it is printed.

use serde::Serialize;
use std::fmt::Write as _;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it should be.
    Ok,
    /// Works, with something to know.
    Warning,
    /// Some server or mount will fail with it.
    Failed,
    /// Could not be tried, because something before it failed.
    Skipped,
}

/// One check.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// Its name, stable for scripts.
    pub(super) id: &'static str,
    /// What holds when it is ok.
    pub(super) title: &'static str,
    pub(super) outcome: Outcome,
    /// What was seen.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) seen: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) mend: &'static str,
}

/// Everything about one file. What could not be learned is absent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) file: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) multiplexing: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) handshake_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) containment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) overlap: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) special_paths: Option<SpecialPaths>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) paths: Option<usize>,
    pub(super) checks: Vec<Check>,
    /// The last lines that it wrote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) log: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SpecialPaths {
    pub(super) root: Vec<String>,
    pub(super) unauthenticated: Vec<String>,
    pub(super) local_storage: Vec<String>,
    pub(super) seal_wrap_storage: Vec<String>,
}

impl Report {
    pub(super) fn ok(&mut self, id: &'static str, title: &'static str, seen: impl Into<String>) {
        self.add(id, title, Outcome::Ok, seen.into(), "");
    }

    pub(super) fn add(
        &mut self,
        id: &'static str,
        title: &'static str,
        outcome: Outcome,
        seen: String,
        mend: &'static str,
    ) {
        self.checks.push(Check {
            id,
            title,
            outcome,
            seen,
            mend,
        });
    }

    pub(super) fn count(&self, outcome: Outcome) -> usize {
        let like = |check: &&Check| check.outcome == outcome;
        self.checks.iter().filter(like).count()
    }

    /// The text for people. Writing to a string cannot fail.
    pub(super) fn text(&self, colour: bool) -> String {
        let mut out = String::new();
        for (name, value) in self.facts() {
            let _ = writeln!(out, "{name:<16}{value}");
        }
        out.push('\n');
        for check in &self.checks {
            let (word, code) = match check.outcome {
                Outcome::Ok => ("ok", "32"),
                Outcome::Warning => ("note", "33"),
                Outcome::Failed => ("FAILED", "31"),
                Outcome::Skipped => ("skipped", "2"),
            };
            let word = format!("{word:<8}");
            let word = if colour {
                format!("\x1b[{code}m{word}\x1b[0m")
            } else {
                word
            };
            let _ = write!(out, "{word}{}", check.title);
            match (check.outcome, check.seen.as_str()) {
                (_, "") => out.push('\n'),
                (Outcome::Ok, seen) => {
                    let _ = writeln!(out, " ({seen})");
                }
                (_, seen) => {
                    let _ = writeln!(out, "\n          {}", seen.replace('\n', "\n          "));
                }
            }
            if !check.mend.is_empty() {
                let _ = writeln!(out, "        → {}", check.mend);
            }
        }
        if self.count(Outcome::Failed) > 0 && !self.log.is_empty() {
            out.push_str("\nThe last lines that it wrote:\n");
            for line in &self.log {
                let _ = writeln!(out, "    {line}");
            }
        }
        let _ = writeln!(out, "\n{}", self.verdict());
        out
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("File", format!("{} ({})", self.file, size(self.size_bytes))),
            ("SHA-256", self.sha256.clone()),
        ];
        let mut add = |name, value: Option<String>| facts.extend(value.map(|value| (name, value)));
        add("Type", self.r#type.map(str::to_owned));
        add(
            "Version",
            self.version.as_ref().map(|version| match version.as_str() {
                "" => "none reported".to_owned(),
                version => version.to_owned(),
            }),
        );
        add(
            "Protocol",
            self.protocol
                .map(|p| format!("{p}, mutual TLS with one-time certificates")),
        );
        add("Multiplexing", self.multiplexing.map(yes_or_no));
        add("Overlap", self.overlap.map(yes_or_no));
        add("Handshake", self.handshake_ms.map(|ms| format!("{ms} ms")));
        add("Memory", self.memory_bytes.map(size));
        add("Containment", self.containment.clone());
        if let Some(special) = &self.special_paths {
            for (name, paths) in [
                ("Root paths", &special.root),
                ("Without token", &special.unauthenticated),
                ("Local storage", &special.local_storage),
                ("Seal-wrapped", &special.seal_wrap_storage),
            ] {
                if !paths.is_empty() {
                    add(name, Some(paths.join(" ")));
                }
            }
        }
        facts
    }

    fn verdict(&self) -> String {
        let failed = self.count(Outcome::Failed);
        let total = self.checks.len();
        if failed > 0 {
            return format!("{failed} of {total} checks failed.");
        }
        let file = self.file.rsplit('/').next().unwrap_or_default();
        let version = match self.version.as_deref() {
            None | Some("") => String::new(),
            Some(version) => format!(" -version={version}"),
        };
        let overlap = match self.overlap {
            Some(false) => " -overlap=false",
            _ => "",
        };
        let result = match self.count(Outcome::Warning) {
            0 => format!("All {total} checks hold."),
            1 => format!("None of {total} checks failed; one has a note."),
            notes => format!("None of {total} checks failed; {notes} have a note."),
        };
        format!(
            "{result} Copy it into the plugin directory, then:\n    \
             linchpin plugin register -sha256={} -command={file}{version}{overlap} {} {}",
            self.sha256,
            self.r#type.unwrap_or("secret"),
            without_version(file),
        )
    }
}

/// The name of a plugin whose file is named after its version too: `kv-v1.2.0` → `kv`.
fn without_version(file: &str) -> &str {
    let is_version = |end: &str| {
        let digits = end.strip_prefix('v').unwrap_or(end);
        digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    match file.rsplit_once('-') {
        Some((name, end)) if !name.is_empty() && is_version(end) => name,
        _ => file,
    }
}

fn yes_or_no(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let mebibytes = bytes as f64 / (1024.0 * 1024.0);
    format!("{mebibytes:.1} MiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_as_a_person_would_write_it() {
        let mut report = Report {
            file: "/p/tp-v1.0.0".into(),
            size_bytes: 3 << 19,
            sha256: "ab".into(),
            r#type: Some("secret"),
            version: Some("v1.0.0".into()),
            multiplexing: Some(true),
            log: vec!["boom".into()],
            ..Report::default()
        };
        report.ok("start", "starts", "12 ms");
        let all_good = report.text(false);
        assert!(all_good.contains("ok      starts (12 ms)\n"), "{all_good}");
        assert!(
            all_good.ends_with(
                "linchpin plugin register -sha256=ab -command=tp-v1.0.0 -version=v1.0.0 secret tp\n"
            ),
            "{all_good}"
        );
        assert!(!all_good.contains("boom"));
        report.add("x", "does x", Outcome::Failed, "it said y".into(), "do z");
        let bad = report.text(true);
        assert!(
            bad.contains("\x1b[31mFAILED  \x1b[0mdoes x\n          it said y\n        → do z\n"),
            "{bad}"
        );
        assert!(
            bad.contains("    boom\n") && bad.ends_with("1 of 2 checks failed.\n"),
            "{bad}"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checks"][1]["outcome"], "failed");
        assert!(json.get("memory_bytes").is_none());
    }
}
