//! What a dev server prints when it is ready. People read it and scripts search it, so every fact is on a line of its
//! own: `Root Token: …`, `Unseal Key: …`, `Api Address: …`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The facts.
pub(crate) struct Banner<'a> {
    /// The URL for clients.
    pub(crate) api_addr: &'a str,
    /// Where the server listens.
    pub(crate) listener: &'a str,
    /// The log's level.
    pub(crate) log_level: &'a str,
    /// The root token.
    pub(crate) root_token: &'a str,
    /// Where the token was written; `None` = nowhere.
    pub(crate) token_file: Option<&'a Path>,
    /// The unseal key in base 64.
    pub(crate) unseal_key: &'a str,
    /// Whether `secret/` is mounted.
    pub(crate) has_secret: bool,
    /// The plugin directory.
    pub(crate) plugins: Option<&'a Plugins>,
}

/// The plugin directory.
pub(crate) struct Plugins {
    /// Where it is.
    pub(crate) directory: PathBuf,
    /// What is in it.
    pub(crate) files: Files,
}

/// The files of the plugin directory.
pub(crate) enum Files {
    /// They were not to be registered; their names.
    Found(Vec<String>),
    /// What became of each.
    Registered(Vec<Registered>),
}

/// A file of the plugin directory that is in the catalog now, or why it is not.
pub(crate) struct Registered {
    /// The name of the file and of the plugin.
    pub(crate) name: String,
    /// The reason why not.
    pub(crate) outcome: Result<(), String>,
}

/// The version line of the banner and of `linchpin version`.
pub(crate) fn version() -> String {
    let (api, _) = linchpin_model::SERVER_VERSION
        .split_once('+')
        .unwrap_or((linchpin_model::SERVER_VERSION, ""));
    format!(
        "Linchpin v{} (HTTP API of Vault {api})",
        env!("CARGO_PKG_VERSION")
    )
}

impl Banner<'_> {
    /// Writes everything; `colour` marks headings and the warning.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn write(&self, out: &mut impl Write, colour: bool) -> io::Result<()> {
        let paint = |code: &str, text: &str| {
            if colour {
                format!("\x1b[{code}m{text}\x1b[0m")
            } else {
                text.to_owned()
            }
        };
        let heading = |text: &str| paint("1", text);
        writeln!(out, "{}\n", heading("==> Linchpin server configuration:"))?;
        let directory = match self.plugins {
            Some(plugins) => plugins.directory.display().to_string(),
            None => "none".to_owned(),
        };
        for (name, value) in [
            ("Api Address", self.api_addr),
            ("Listener", self.listener),
            ("Log Level", self.log_level),
            ("Plugin Directory", &directory),
            ("Storage", "inmem (encrypted, lost at the end)"),
            ("Version", &version()),
        ] {
            writeln!(out, "{name:>20}: {value}")?;
        }
        writeln!(out, "\n{}\n", heading("==> Linchpin server started"))?;
        writeln!(
            out,
            "{} This is a development server. Its storage is in memory and is lost when it\n\
             ends, it is unsealed already, and it talks without TLS. Do not use it in production.\n",
            paint("1;33", "WARNING!")
        )?;
        let address = self.api_addr;
        writeln!(out, "Clients need its address:\n")?;
        writeln!(out, "    $ export VAULT_ADDR='{address}'")?;
        writeln!(out, "    $ export BAO_ADDR='{address}'\n")?;
        writeln!(out, "Unseal Key: {}", self.unseal_key)?;
        writeln!(out, "Root Token: {}\n", self.root_token)?;
        match self.token_file {
            Some(file) => writeln!(out, "The root token is in {} too.", file.display())?,
            None => writeln!(out, "Clients need the token as VAULT_TOKEN or BAO_TOKEN.")?,
        }
        if self.has_secret {
            writeln!(
                out,
                "secret/ is a key-value engine of version 1; version 2 comes with a later release."
            )?;
        }
        if let Some(plugins) = self.plugins {
            plugins.files.write(out)?;
        }
        writeln!(out)?;
        out.flush()
    }
}

impl Files {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let registered = match self {
            Self::Registered(registered) => registered,
            Self::Found(names) if names.is_empty() => return Ok(()),
            Self::Found(names) => {
                writeln!(out, "\nThe following files are in the plugin directory:")?;
                for name in names {
                    writeln!(out, "    - {name}")?;
                }
                return Ok(());
            }
        };
        let (good, bad): (Vec<_>, Vec<_>) = registered.iter().partition(|r| r.outcome.is_ok());
        for (title, list) in [
            (
                "The following dev plugins are registered in the catalog:",
                good,
            ),
            (
                "The following files could not be registered as plugins:",
                bad,
            ),
        ] {
            if list.is_empty() {
                continue;
            }
            writeln!(out, "\n{title}")?;
            for Registered { name, outcome } in list {
                match outcome {
                    // The name alone, as scripts look for it.
                    Ok(()) => writeln!(out, "    - {name}")?,
                    Err(reason) => writeln!(out, "    - {name}: {reason}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(banner: &Banner<'_>, colour: bool) -> String {
        let mut out = Vec::new();
        banner.write(&mut out, colour).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_fact_has_a_line_that_a_script_can_find() {
        let registered = Plugins {
            directory: "/plugins".into(),
            files: Files::Registered(vec![
                Registered {
                    name: "kv".to_owned(),
                    outcome: Ok(()),
                },
                Registered {
                    name: "notes.txt".to_owned(),
                    outcome: Err("permission denied".to_owned()),
                },
            ]),
        };
        let found = Plugins {
            directory: "/plugins".into(),
            files: Files::Found(vec!["kv".to_owned(), "notes.txt".to_owned()]),
        };
        let mut banner = Banner {
            api_addr: "http://127.0.0.1:8200",
            listener: "127.0.0.1:8200",
            log_level: "info",
            root_token: "root",
            token_file: None,
            unseal_key: "AAAA",
            has_secret: true,
            plugins: Some(&registered),
        };
        let text = shown(&banner, false);
        for line in [
            "Root Token: root",
            "Unseal Key: AAAA",
            "         Api Address: http://127.0.0.1:8200",
            "    Plugin Directory: /plugins",
            "    $ export VAULT_ADDR='http://127.0.0.1:8200'",
            "    - kv",
            "    - notes.txt: permission denied",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains('\x1b'));
        assert!(shown(&banner, true).contains("\x1b[1;33mWARNING!"));

        banner.plugins = Some(&found);
        banner.has_secret = false;
        banner.token_file = Some(Path::new("/home/.vault-token"));
        let text = shown(&banner, false);
        assert!(text.contains("    - notes.txt\n"), "{text}");
        assert!(!text.contains("secret/"), "{text}");
        assert!(
            text.contains("The root token is in /home/.vault-token too."),
            "{text}"
        );
    }
}
