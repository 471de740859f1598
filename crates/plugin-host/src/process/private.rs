//! The private directory of one process: its sockets, its temporary files, nothing else's.

use crate::Error;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The longest path of a unix socket without its terminator, less the longest name that a plugin
/// or the broker gives one.
const LONGEST: usize = 107 - 32;

/// A directory, mode 0700, that goes away with this value and takes everything in it along: Go
/// plugins leave their socket behind when they are stopped (plugin-protocol §1.5).
#[derive(Debug)]
pub(crate) struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    /// A new one below `parent`. Blocks for a moment.
    pub(crate) fn create(parent: &Path) -> Result<Self, Error> {
        let path = parent.join(format!("lp-{}", linchpin_crypto::random::base62(8)));
        if path.as_os_str().len() > LONGEST {
            return Err(Error::Temporary {
                path,
                reason: "too long for the path of a unix socket".to_owned(),
            });
        }
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|e| Error::Temporary {
                reason: crate::error::errno_text(&e),
                path: path.clone(),
            })?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "cannot remove a plugin's directory");
        }
    }
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
}
