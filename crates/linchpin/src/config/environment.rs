//! What the environment says, which wins over the file. Each variable is looked for as `LINCHPIN_…`, `BAO_…` and
//! `VAULT_…`, in this order.

use std::path::PathBuf;

use super::{Config, Error};

/// OpenBao too reads its own names before Vault's.
const PREFIXES: [&str; 3] = ["LINCHPIN_", "BAO_", "VAULT_"];

/// The first variable of this name, without its prefix, that has a value: the value, and the variable's whole name.
pub(crate) fn find(name: &str, look: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let named = PREFIXES.iter().map(|prefix| format!("{prefix}{name}"));
    named
        .filter_map(|variable| Some((look(&variable)?, variable)))
        .find(|(value, _)| !value.is_empty())
}

impl Config {
    /// Applies the environment, which `look` reads: the process's own in the binary, a table in tests.
    ///
    /// # Errors
    /// A variable has a value that it cannot have.
    pub(crate) fn apply_environment(
        &mut self,
        look: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Error> {
        let find = |name: &str| find(name, &look);
        if let Some((value, _)) = find("PLUGIN_TMPDIR") {
            self.plugins.tmpdir = Some(PathBuf::from(value));
        }
        if let Some((value, variable)) = find("ENABLE_FILE_PERMISSIONS_CHECK") {
            self.plugins.check_file_permissions = flag(&value, &variable)?;
        }
        if let Some((value, _)) = find("PLUGIN_MULTIPLEXING_OPT_OUT") {
            let names = value
                .split(',')
                .map(str::trim)
                .filter(|name| !name.is_empty());
            self.plugins.multiplexing_opt_out = names.map(str::to_owned).collect();
        }
        if let Some((value, variable)) = find("PLUGIN_USE_LEGACY_ENV_LAYERING") {
            self.plugins.legacy_env_layering = flag(&value, &variable)?;
        }
        if let Some((value, variable)) = find("LOG_LEVEL") {
            self.log_level = Some(word(&value, &variable)?);
        }
        if let Some((value, variable)) = find("LOG_FORMAT") {
            self.log_format = Some(word(&value, &variable)?);
        }
        if let Some((value, _)) = find("API_ADDR") {
            self.api_addr = value;
        }
        Ok(())
    }
}

fn flag(value: &str, variable: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" => Ok(false),
        _ => Err(refuse(
            variable,
            format!("must be true or false, found {value:?}"),
        )),
    }
}

fn word<T: std::str::FromStr<Err: std::fmt::Display>>(
    value: &str,
    variable: &str,
) -> Result<T, Error> {
    value
        .parse()
        .map_err(|e: T::Err| refuse(variable, format!("is wrong: {e}")))
}

fn refuse(variable: &str, problem: String) -> Error {
    Error::Variable {
        variable: variable.to_owned(),
        problem,
    }
}
