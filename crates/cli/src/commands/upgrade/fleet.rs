//! What the mounts of a plugin run, and its pin, as the server says.

use crate::call::Call;
use crate::session::{Ask, CallError};
use crate::tree::Tree;

/// One mount and what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its path, as lists show it.
    pub(super) path: String,
    /// Its path as a reload takes it.
    pub(super) reload_path: String,
    /// Version and digest of what runs; empty where there is none.
    pub(super) version: String,
    pub(super) sha256: String,
}

impl Mount {
    /// Whether it runs exactly this.
    pub(super) fn runs(&self, version: &str, sha256: &str) -> bool {
        self.version == version && self.sha256.eq_ignore_ascii_case(sha256)
    }

    /// The version that runs, in words.
    pub(super) fn shown(&self) -> &str {
        match self.version.as_str() {
            "" => "no version",
            version => version,
        }
    }
}

/// The mounts of one plugin, and its pin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fleet {
    /// The pinned version.
    pub(super) pin: Option<String>,
    /// Sorted by path. Empty for a database plugin, whose connections are not mounts.
    pub(super) mounts: Vec<Mount>,
}

impl Fleet {
    pub(super) fn read(call: &Call<'_, '_>, kind: &str, name: &str) -> Result<Self, CallError> {
        let pin = match call.ask(&Ask::get(&super::pins::path(kind, name))) {
            Ok(answer) => Some(answer.data().get("version").text().to_owned()),
            Err(error) if error.status() == Some(404) => None,
            Err(error) => return Err(error),
        };
        let (list, before) = match kind {
            "secret" => ("sys/mounts", ""),
            "auth" => ("sys/auth", "auth/"),
            _ => {
                return Ok(Self {
                    pin,
                    mounts: Vec::new(),
                });
            }
        };
        let answer = call.ask(&Ask::get(list))?;
        Ok(Self {
            pin,
            mounts: of_plugin(answer.data(), name, before),
        })
    }

    /// The mount at that path.
    pub(super) fn mount(&self, path: &str) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.path == path)
    }

    /// Those that do not run what they ran at the time of `before`.
    pub(super) fn moved_since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a Mount> {
        self.mounts.iter().filter(|mount| {
            before
                .mount(&mount.path)
                .is_some_and(|old| !mount.runs(&old.version, &old.sha256))
        })
    }
}

fn of_plugin(list: &Tree, name: &str, before: &str) -> Vec<Mount> {
    let mounts = list.members().iter();
    mounts
        .filter(|(_, mount)| mount.get("type").text() == name)
        .map(|(path, mount)| Mount {
            path: path.clone(),
            reload_path: format!("{before}{path}"),
            version: mount.get("running_plugin_version").text().to_owned(),
            sha256: mount.get("running_sha256").text().to_owned(),
        })
        .collect()
}

/// A number of mounts in words.
pub(super) fn mounts(count: usize) -> String {
    match count {
        1 => "1 mount".to_owned(),
        count => format!("{count} mounts"),
    }
}
