//! The plugin directory, and which file in it a command names (plugin-lifecycle §2.5 rows 12-15).
//!
//! The directory is resolved once, at start, and resolved paths are compared: a plugin directory
//! that is itself reached through a symlink works, which it does not in Vault (§11 item 14).

use crate::Error;
use crate::error::errno_text;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The one directory that plugin files are taken from.
#[derive(Debug, Clone)]
pub struct PluginDirectory {
    resolved: PathBuf,
}

/// A command that passed every check, at the moment it was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFile {
    /// The absolute path that names it: what the process gets as its `argv[0]`.
    pub path: PathBuf,
    /// The same with symlinks resolved: what is opened.
    pub file: PathBuf,
}

impl PluginDirectory {
    /// Resolves the configured directory. Reads the file system; call it at start only.
    ///
    /// # Errors
    /// [`Error::Directory`] when it is missing or no directory.
    pub fn open(configured: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Directory {
            path: configured.to_owned(),
            reason,
        };
        let resolved = configured
            .canonicalize()
            .map_err(|e| refuse(errno_text(&e)))?;
        if !resolved.is_dir() {
            return Err(refuse("not a directory".to_owned()));
        }
        Ok(Self { resolved })
    }

    /// The directory, symlinks resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.resolved
    }

    /// Finds the file of `command` for the plugin `name`. A directory passes, as it does in Vault,
    /// and fails when it is started.
    ///
    /// # Errors
    /// [`Error::ParentReference`], [`Error::Lstat`] or [`Error::OutsideDirectory`], in this order.
    pub fn resolve(&self, name: &str, command: &str) -> Result<CommandFile, Error> {
        if name.contains("..") || command.contains("..") {
            return Err(Error::ParentReference);
        }
        // An absolute command is taken below the directory, never instead of it.
        let below: PathBuf = Path::new(command)
            .components()
            .filter(|c| matches!(c, Component::Normal(_)))
            .collect();
        let path = self.resolved.join(below);
        let file = path.canonicalize().map_err(|e| Error::Lstat {
            path: missing_part(&path, &e),
            reason: errno_text(&e),
        })?;
        if file.parent() != Some(self.resolved.as_path()) {
            return Err(Error::OutsideDirectory);
        }
        Ok(CommandFile { path, file })
    }
}

/// The path that the error is about: what a dangling symlink points at, else the path itself.
fn missing_part(path: &Path, error: &io::Error) -> PathBuf {
    if error.kind() != io::ErrorKind::NotFound {
        return path.to_owned();
    }
    match path.read_link() {
        Ok(target) => path.parent().unwrap_or(path).join(target),
        Err(_) => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use std::os::unix::fs::symlink;

    #[test]
    fn h43_only_files_directly_in_the_directory_are_commands() {
        let scratch = Scratch::new();
        let root = scratch.path();
        let plugins = root.join("plugins");
        std::fs::create_dir_all(plugins.join("sub")).unwrap();
        for file in ["plugins/tp1", "plugins/sub/tp1", "outside"] {
            std::fs::write(root.join(file), "x").unwrap();
        }
        symlink("tp1", plugins.join("inside-link")).unwrap();
        symlink(root.join("outside"), plugins.join("outside-link")).unwrap();
        symlink("gone", plugins.join("dangling")).unwrap();
        symlink(&plugins, root.join("link-to-plugins")).unwrap();

        let resolved = plugins.canonicalize().unwrap();
        let missing = |file: &str| {
            format!(
                "error while validating the command path: lstat {}/{file}: no such file or directory",
                resolved.display()
            )
        };
        let outside = "cannot execute files outside of configured plugin directory".to_owned();
        let parent = "path cannot contain parent references".to_owned();
        for directory in [&plugins, &root.join("link-to-plugins")] {
            let directory = PluginDirectory::open(directory).unwrap();
            for (command, expected) in [
                ("tp1", Ok("tp1")),
                ("/tp1", Ok("tp1")),
                ("inside-link", Ok("tp1")),
                ("../outside", Err(parent.clone())),
                ("tp1..", Err(parent.clone())),
                ("nope", Err(missing("nope"))),
                ("dangling", Err(missing("gone"))),
                ("outside-link", Err(outside.clone())),
                ("sub/tp1", Err(outside.clone())),
            ] {
                let found = directory.resolve("tp", command);
                match expected {
                    Ok(file) => assert_eq!(found.unwrap().file, resolved.join(file), "{command}"),
                    Err(text) => assert_eq!(found.unwrap_err().to_string(), text, "{command}"),
                }
            }
            let named = directory.resolve("..", "tp1").unwrap_err();
            assert_eq!(named.to_string(), parent);
        }
    }
}
