//! What the environment says: variables as `LINCHPIN_…`, `BAO_…` and `VAULT_…`, in this order, and the file `~/.vault-token`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// OpenBao too reads its own names before Vault's.
const PREFIXES: [&str; 3] = ["LINCHPIN_", "BAO_", "VAULT_"];

/// The first variable of this name, without its prefix, that has a value.
pub(crate) fn find(look: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let values = PREFIXES
        .iter()
        .filter_map(|prefix| look(&format!("{prefix}{name}")));
    values.into_iter().find(|value| !value.is_empty())
}

/// The name of the variable that [`find`] takes the value from.
pub(crate) fn name(look: &dyn Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let names = PREFIXES.iter().map(|prefix| format!("{prefix}{name}"));
    names
        .into_iter()
        .find(|name| look(name).is_some_and(|value| !value.is_empty()))
}

/// The file of the token; none where there is no home.
fn token_file(look: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let home = look("HOME").filter(|home| !home.is_empty())?;
    Some(Path::new(&home).join(".vault-token"))
}

/// Stores a token in the file, which its owner alone may read. Whoever reads it meanwhile finds the old one or the new one.
pub(crate) fn store_token(
    look: &dyn Fn(&str) -> Option<String>,
    token: &str,
) -> Result<(), Failure> {
    let file = token_file(look).ok_or_else(|| {
        Failure::refused("Error storing token: HOME is not set. -no-store leaves the token alone")
    })?;
    let new = file.with_extension(format!("new-{}", std::process::id()));
    let stored = write_private(&new, token).and_then(|()| std::fs::rename(&new, &file));
    stored.map_err(|error| {
        // What is left of it holds a secret.
        let _ = std::fs::remove_file(&new);
        Failure::refused(format!(
            "Error storing token in {}: {error}",
            file.display()
        ))
    })
}

/// Writes a new file with the mode 0600; one that is there already is not ours to write to.
fn write_private(file: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The token: the variable, else the file that `login` and a development server leave. None where there is neither.
pub(crate) fn token(look: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, Failure> {
    if let Some(token) = find(look, "TOKEN") {
        return Ok(Some(token.trim().to_owned()));
    }
    let Some(file) = token_file(look) else {
        return Ok(None);
    };
    match std::fs::read_to_string(&file) {
        Ok(token) => Ok(Some(token.trim().to_owned()).filter(|token| !token.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::refused(format!(
            "Error reading the token in {}: {error}",
            file.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn our_own_names_win_and_empty_ones_do_not_count() {
        let look = |name: &str| match name {
            "LINCHPIN_ADDR" => Some(String::new()),
            "BAO_ADDR" => Some("bao".to_owned()),
            "VAULT_ADDR" => Some("vault".to_owned()),
            _ => None,
        };
        assert_eq!(find(&look, "ADDR").as_deref(), Some("bao"));
        assert_eq!(find(&look, "TOKEN"), None);
    }

    #[test]
    fn the_token_file_is_read_when_no_variable_says_it() {
        let home = std::env::temp_dir().join(format!("linchpin-cli-home-{}", std::process::id()));
        std::fs::create_dir_all(&home).unwrap();
        let text = home.display().to_string();
        let look = |name: &str| (name == "HOME").then(|| text.clone());
        assert!(token(&look).unwrap().is_none());
        std::fs::write(home.join(".vault-token"), "from-file\n").unwrap();
        assert_eq!(token(&look).unwrap().as_deref(), Some("from-file"));
        let both = |name: &str| match name {
            "VAULT_TOKEN" => Some("from-variable".to_owned()),
            name => look(name),
        };
        assert_eq!(token(&both).unwrap().as_deref(), Some("from-variable"));
        store_token(&look, "new").unwrap();
        assert_eq!(token(&look).unwrap().as_deref(), Some("new"));
        let mode = std::fs::metadata(home.join(".vault-token")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&home).unwrap().count(), 1);
        assert_eq!(name(&both, "TOKEN").as_deref(), Some("VAULT_TOKEN"));
        std::fs::remove_dir_all(&home).unwrap();
    }
}
