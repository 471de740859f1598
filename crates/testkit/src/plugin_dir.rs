//! One server's private plugin directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::sha256;

/// A directory of plugin binaries below the build folder, where they can be hard links.
#[derive(Clone, Debug)]
pub struct PluginDir(PathBuf);

impl PluginDir {
    pub(crate) fn create(path: PathBuf) -> Self {
        must(&path, fs::create_dir_all(&path));
        Self(path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Puts `binary` there as `name`, in place of what had that name, and returns its digest. The old file's content is left alone:
    /// it may be a link to what cargo built, and a process may run from it.
    pub fn install(&self, name: &str, binary: &Path) -> String {
        let file = self.file(name);
        self.remove(name);
        if fs::hard_link(binary, &file).is_err() {
            must(&file, fs::copy(binary, &file));
        }
        sha256(&file)
    }

    /// Puts a file of these bytes there, executable, and returns its digest.
    pub fn write(&self, name: &str, content: &[u8]) -> String {
        let file = self.file(name);
        self.remove(name);
        must(&file, fs::write(&file, content));
        must(
            &file,
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)),
        );
        sha256(&file)
    }

    /// A symbolic link `name` to `to`.
    pub fn link(&self, name: &str, to: &Path) {
        must(to, symlink(to, self.file(name)));
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) {
        let file = self.file(name);
        if file.symlink_metadata().is_ok() {
            must(&file, fs::remove_file(&file));
        }
    }
}

fn must<T>(path: &Path, outcome: std::io::Result<T>) -> T {
    outcome.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
