//! The check of owner and mode of the plugin directory and the plugins' files (plugin-lifecycle
//! §7.7). Off unless it is asked for; the texts are Vault's.

use crate::error::errno_text;
use crate::{Error, FilePermissions};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The bits that group and others must not have.
const WRITE_OF_OTHERS: u32 = 0o022;
/// Read, write and execute of everybody, without the special bits.
const MODE: u32 = 0o777;

/// Checks what `path` names, and the link itself where it is one: who owns the link can change what
/// it names. Blocks.
///
/// # Errors
/// [`Error::Permissions`], [`Error::Lstat`] when there is nothing.
pub(crate) fn check(path: &Path, wanted: &FilePermissions) -> Result<(), Error> {
    let missing = |e: std::io::Error| Error::Lstat {
        path: path.to_owned(),
        reason: errno_text(&e),
    };
    let itself = path.symlink_metadata().map_err(missing)?;
    if itself.is_symlink() {
        check_owner(path, &itself, wanted)?;
    }
    let named = path.metadata().map_err(missing)?;
    check_owner(path, &named, wanted)?;
    let mode = named.mode() & MODE;
    match wanted.mode.filter(|mode| *mode != 0) {
        Some(exact) if exact != mode => Err(Error::Permissions(format!(
            "path {:?} does not have permissions {exact:o}",
            path.display().to_string()
        ))),
        None if mode & WRITE_OF_OTHERS != 0 => Err(Error::Permissions(format!(
            "path {:?} has insecure permissions {mode:o}. Vault expects no write permissions for \
             group or others",
            path.display().to_string()
        ))),
        _ => Ok(()),
    }
}

fn check_owner(path: &Path, facts: &Metadata, wanted: &FilePermissions) -> Result<(), Error> {
    let path = path.display().to_string();
    match wanted.uid.filter(|uid| *uid != 0) {
        Some(uid) if facts.uid() != uid => Err(Error::Permissions(format!(
            "path {path:?} is not owned by uid {uid}"
        ))),
        Some(_) => Ok(()),
        None => {
            let mine = rustix::process::getuid().as_raw();
            if facts.uid() == mine {
                return Ok(());
            }
            Err(Error::Permissions(format!(
                "path {path:?} is not owned by my uid {mine}"
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Scratch;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn each_violation_has_its_own_text() {
        let scratch = Scratch::new();
        let file = scratch.path().join("tp");
        std::fs::write(&file, "x").unwrap();
        let mine = rustix::process::getuid().as_raw();
        let quoted = format!("{:?}", file.display().to_string());
        let insecure = |mode| {
            format!(
                "path {quoted} has insecure permissions {mode}. Vault expects no write permissions \
                 for group or others"
            )
        };
        for (mode, uid, wanted_mode, expected) in [
            (0o755, None, None, Ok(())),
            (0o755, Some(0), Some(0), Ok(())),
            (0o755, Some(mine), Some(0o755), Ok(())),
            (0o775, None, None, Err(insecure("775"))),
            (0o757, None, None, Err(insecure("757"))),
            (0o777, None, Some(0o777), Ok(())),
            (
                0o700,
                None,
                Some(0o755),
                Err(format!("path {quoted} does not have permissions 755")),
            ),
            (
                0o755,
                Some(mine + 1),
                None,
                Err(format!("path {quoted} is not owned by uid {}", mine + 1)),
            ),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let wanted = FilePermissions {
                uid,
                mode: wanted_mode,
            };
            let checked = check(&file, &wanted).map_err(|e| e.to_string());
            assert_eq!(checked, expected, "{mode:o} {wanted:?}");
        }
    }

    #[test]
    fn a_link_counts_with_what_it_names() {
        let scratch = Scratch::new();
        let (file, link) = (scratch.path().join("tp"), scratch.path().join("link"));
        std::fs::write(&file, "x").unwrap();
        symlink(&file, &link).unwrap();
        let wanted = FilePermissions::default();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o777)).unwrap();
        let text = check(&link, &wanted).unwrap_err().to_string();
        assert!(
            text.contains("/link\" has insecure permissions 777"),
            "{text}"
        );
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        check(&link, &wanted).unwrap();
        std::fs::remove_file(&file).unwrap();
        let text = check(&link, &wanted).unwrap_err().to_string();
        assert!(text.ends_with("/link: no such file or directory"), "{text}");
    }

    #[test]
    fn a_file_of_another_user_is_not_mine() {
        // `/proc/1` and `/` are root's; as root, nothing here belongs to anybody else.
        let mine = rustix::process::getuid().as_raw();
        let checked = check(Path::new("/"), &FilePermissions::default());
        if mine == 0 {
            checked.unwrap();
        } else {
            let text = checked.unwrap_err().to_string();
            assert_eq!(text, format!("path \"/\" is not owned by my uid {mine}"));
        }
    }
}
