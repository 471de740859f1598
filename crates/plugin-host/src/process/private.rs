//! The private directory of one process: its sockets, its temporary files, nothing else's.
//!
//! It is locked for as long as the server that made it lives: what a server has left that was killed
//! is found by that, and removed by the next one.

use crate::Error;
use crate::error::errno_text;
use crate::spawner::orphans;
use rustix::fs::{FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The longest path of a unix socket without its terminator, less the longest name that a plugin
/// or the broker gives one.
const LONGEST: usize = 107 - 32;
/// What the name of one begins with.
const PREFIX: &str = "lp-";
/// How many random characters follow.
const RANDOM: usize = 9;
/// How often another name is tried when somebody takes the directory away at once.
const ATTEMPTS: usize = 16;

/// A directory, mode 0700, that goes away with this value and takes everything in it along: Go
/// plugins leave their socket behind when they are stopped (plugin-protocol §1.5).
#[derive(Debug)]
pub(crate) struct PrivateDirectory {
    path: PathBuf,
    /// The lock that says that the directory has an owner. The kernel releases it with the process.
    _lock: File,
}

impl PrivateDirectory {
    /// A new one below `parent`. Blocks for a moment.
    pub(crate) fn create(parent: &Path) -> Result<Self, Error> {
        let random = || linchpin_crypto::random::base62(RANDOM);
        for _ in 0..ATTEMPTS {
            let path = parent.join(format!("{PREFIX}{}", random()));
            if path.as_os_str().len() > LONGEST {
                return Err(Error::Temporary {
                    path,
                    reason: "too long for the path of a unix socket".to_owned(),
                });
            }
            let made = std::fs::DirBuilder::new().mode(0o700).create(&path);
            // Between these two steps a server that is just starting may take it for an abandoned
            // one.
            let locked = made.and_then(|()| lock(&path));
            match locked {
                Ok(Some(lock)) => return Ok(Self { path, _lock: lock }),
                Ok(None) => {}
                Err(error) => {
                    return Err(Error::Temporary {
                        reason: errno_text(&error),
                        path,
                    });
                }
            }
        }
        Err(Error::Temporary {
            path: parent.to_owned(),
            reason: "somebody removes what is made in it".to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a plugin's directory");
        }
    }
}

/// Locks a directory; `None` when another process has it, or when it is gone or another one by now.
fn lock(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(directory) => File::from(directory),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(e) => return Err(e.into()),
    };
    match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
        Err(e) => return Err(e.into()),
    }
    let (ours, there) = (directory.metadata()?, path.symlink_metadata());
    let same = there.is_ok_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev());
    Ok(same.then_some(directory))
}

/// Removes the private directories below `parent` whose server has gone, and ends what their plugins
/// have left running. Directories of servers that live, of other users, and whatever else is there
/// are not touched. Blocks.
pub(crate) fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    let ours = rustix::process::geteuid().as_raw();
    for entry in entries.flatten() {
        let path = entry.path();
        let is_named_so = entry.file_name().to_str().is_some_and(is_name);
        let is_ours = |facts: std::fs::Metadata| facts.is_dir() && facts.uid() == ours;
        if !is_named_so || !entry.metadata().is_ok_and(is_ours) {
            continue;
        }
        let Ok(Some(_abandoned)) = lock(&path) else {
            continue;
        };
        orphans::end_anywhere(&path);
        match std::fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(
                path = %path.display(), "removed the private directory of a plugin whose server has gone"
            ),
            Err(error) => tracing::warn!(
                path = %path.display(), %error, "cannot remove the directory of a plugin whose server has gone"
            ),
        }
    }
}

fn is_name(name: &str) -> bool {
    let random = name.strip_prefix(PREFIX);
    random.is_some_and(|r| r.len() == RANDOM && r.bytes().all(|b| b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn it_is_private_and_leaves_nothing() {
        let scratch = Scratch::new();
        let directory = PrivateDirectory::create(scratch.path()).unwrap();
        let path = directory.path().to_owned();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::create_dir(path.join("left")).unwrap();
        std::fs::write(path.join("left/behind"), "x").unwrap();
        drop(directory);
        assert!(!path.exists());
    }

    #[test]
    fn a_path_that_no_socket_fits_is_refused() {
        let long = Path::new("/tmp").join("x".repeat(80));
        let refusal = PrivateDirectory::create(&long).unwrap_err().to_string();
        assert!(refusal.contains("too long"), "{refusal}");
    }

    #[test]
    fn only_what_a_dead_server_has_left_is_swept_away() {
        let scratch = Scratch::new();
        let in_use = PrivateDirectory::create(scratch.path()).unwrap();
        std::fs::write(in_use.path().join("socket"), "x").unwrap();
        let abandoned = scratch.path().join("lp-AbAnDoNeD");
        std::fs::create_dir_all(abandoned.join("exe")).unwrap();
        let others = ["lp-it-99-1", "lp-short", "abandoned", "lp-file12345"];
        for name in &others[..3] {
            std::fs::create_dir(scratch.path().join(name)).unwrap();
        }
        std::fs::write(scratch.path().join(others[3]), "x").unwrap();
        std::os::unix::fs::symlink(in_use.path(), scratch.path().join("lp-symlink12")).unwrap();
        sweep(scratch.path());
        assert!(!abandoned.exists());
        assert!(in_use.path().join("socket").exists());
        assert!(scratch.path().join("lp-symlink12").is_symlink());
        for name in others {
            assert!(scratch.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_directory_that_was_replaced_is_not_locked() {
        let scratch = Scratch::new();
        let path = scratch.path().join("lp-replaced1");
        assert!(lock(&path).unwrap().is_none());
        std::fs::create_dir(&path).unwrap();
        let held = lock(&path).unwrap();
        assert!(held.is_some());
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }
}
