//! What the environment says: variables as `LINCHPIN_…`, `BAO_…` and `VAULT_…`, in this order, and the file `~/.vault-token`.

use std::path::Path;

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

/// The token: the variable, else the file that `login` and a development server leave. None where there is neither.
pub(crate) fn token(look: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>, Failure> {
    if let Some(token) = find(look, "TOKEN") {
        return Ok(Some(token.trim().to_owned()));
    }
    let Some(home) = look("HOME").filter(|home| !home.is_empty()) else {
        return Ok(None);
    };
    let file = Path::new(&home).join(".vault-token");
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
        std::fs::remove_dir_all(&home).unwrap();
    }
}
