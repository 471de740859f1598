//! The root token where Vault's and OpenBao's clients look for it: `~/.vault-token`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes `token` to the home directory `home`, readable by its owner alone, and says where.
///
/// # Errors
/// The file cannot be written; an old one is then as it was.
pub(crate) fn write(home: &Path, token: &str) -> io::Result<PathBuf> {
    let file = home.join(".vault-token");
    let draft = home.join(format!(".vault-token.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut opened| opened.write_all(token.as_bytes()))
        .and_then(|()| fs::rename(&draft, &file));
    if let Err(error) = written {
        // Nothing to do when even that fails: the first error is the one to tell.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_token_replaces_an_older_one_and_is_private() {
        let home = std::env::temp_dir().join(format!("linchpin-home-{}", std::process::id()));
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join(".vault-token"), "an older, longer token").unwrap();
        let file = write(&home, "token").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "token");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
        fs::remove_dir_all(&home).unwrap();
        assert!(write(&home, "token").is_err());
    }
}
