//! What the launcher is told on its command line. Written and read by the same executable, so the
//! form is free to change; it is strict because it decides what is executed.

use super::{Containment, SUBCOMMAND};
use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::path::PathBuf;

/// Everything that the launcher needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The server's process id: when the parent is another one, the server is gone already.
    pub(crate) parent: u32,
    /// The inherited descriptor that takes the report.
    pub(crate) status: RawFd,
    /// The inherited descriptor to execute; `None` = `file`.
    pub(crate) artefact: Option<RawFd>,
    /// The profile.
    pub(crate) containment: Containment,
    /// The private directory of the process.
    pub(crate) private: PathBuf,
    /// What else it may write below.
    pub(crate) writable: Vec<PathBuf>,
    /// The file to execute by path.
    pub(crate) file: PathBuf,
    /// What the plugin sees as its own name.
    pub(crate) argv0: OsString,
    /// Exactly the registered arguments.
    pub(crate) args: Vec<OsString>,
}

impl Plan {
    /// The command line for it, without the executable's own name.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![SUBCOMMAND.into()];
        let mut option = |name: &str, value: &OsStr| {
            words.push(name.into());
            words.push(value.into());
        };
        option("--parent", self.parent.to_string().as_ref());
        option("--status", self.status.to_string().as_ref());
        if let Some(fd) = self.artefact {
            option("--artefact", fd.to_string().as_ref());
        }
        option("--containment", self.containment.as_str().as_ref());
        option("--private", self.private.as_ref());
        for path in &self.writable {
            option("--writable", path.as_ref());
        }
        words.push("--".into());
        words.push(self.file.clone().into());
        words.push(self.argv0.clone());
        words.extend(self.args.iter().cloned());
        words
    }

    /// Reads what follows the sub-command.
    pub(super) fn parse(mut words: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let (mut parent, mut status, mut artefact) = (None, None, None);
        let (mut containment, mut private, mut writable) = (None, None, Vec::new());
        loop {
            let name = words.next().ok_or("arguments end before --")?;
            if name == "--" {
                break;
            }
            let value = words.next().ok_or("an option has no value")?;
            match name.to_str() {
                Some("--parent") => parent = Some(number(&value)?),
                Some("--status") => status = Some(descriptor(&value)?),
                Some("--artefact") => artefact = Some(descriptor(&value)?),
                Some("--containment") => {
                    containment = value.to_str().and_then(Containment::parse);
                }
                Some("--private") => private = Some(PathBuf::from(value)),
                Some("--writable") => writable.push(PathBuf::from(value)),
                _ => return Err(format!("unknown option {}", name.display())),
            }
        }
        Ok(Self {
            parent: parent.ok_or("no --parent")?,
            status: status.ok_or("no --status")?,
            artefact,
            containment: containment.ok_or("no --containment")?,
            private: private.ok_or("no --private")?,
            writable,
            file: words.next().ok_or("no file")?.into(),
            argv0: words.next().ok_or("no name")?,
            args: words.collect(),
        })
    }
}

fn number<T: std::str::FromStr>(word: &OsStr) -> Result<T, String> {
    word.to_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| format!("{} is not a number", word.display()))
}

/// A descriptor's number: never negative, which [`super::restrict::borrow`] relies on.
fn descriptor(word: &OsStr) -> Result<RawFd, String> {
    number::<u16>(word).map(RawFd::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_reads_back_as_it_was_written() {
        let full = Plan {
            parent: 7,
            status: 3,
            artefact: Some(4),
            containment: Containment::Compat,
            private: "/run/p 1".into(),
            writable: vec!["/a".into(), "--".into()],
            file: "/plugins/tp1".into(),
            argv0: "/plugins/tp1".into(),
            args: vec!["--".into(), "--parent".into(), "".into()],
        };
        let bare = Plan {
            artefact: None,
            containment: Containment::Off,
            writable: Vec::new(),
            args: Vec::new(),
            ..full.clone()
        };
        for plan in [full, bare] {
            let mut words = plan.arguments().into_iter();
            assert_eq!(words.next(), Some("plugin-exec".into()));
            assert_eq!(Plan::parse(words), Ok(plan));
        }
    }

    #[test]
    fn an_incomplete_plan_is_refused() {
        for (words, reason) in [
            ("", "arguments end before --"),
            ("--parent x", "x is not a number"),
            ("--status -1", "-1 is not a number"),
            ("--odd 1", "unknown option --odd"),
            ("--parent 1 -- /f n", "no --status"),
        ] {
            let given = words.split_whitespace().map(OsString::from);
            assert_eq!(Plan::parse(given), Err(reason.to_owned()), "{words}");
        }
    }
}
