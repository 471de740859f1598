//! TLS as it is typed: flags and variables name files, and the client gets what is in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use linchpin_client::{ClientIdentity, TlsSettings};
use linchpin_crypto::Secret;

use crate::environment;
use crate::failure::Failure;
use crate::grammar::{Typed, to_bool};

/// The flags, or the variables in their place.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsFlags {
    ca_cert: Option<String>,
    ca_path: Option<String>,
    client_cert: Option<String>,
    client_key: Option<String>,
    server_name: Option<String>,
    skips_verify: bool,
}

impl TlsFlags {
    /// What was typed, or set.
    pub(crate) fn said(
        typed: &Typed,
        look: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let said = |flag: &str, variable: &str| {
            let typed = typed.value(flag).filter(|value| !value.is_empty());
            let typed = typed.map(str::to_owned);
            typed.or_else(|| environment::find(look, variable))
        };
        let skips_verify = match typed.switch("tls-skip-verify") {
            Some(on) => on,
            None => match environment::find(look, "SKIP_VERIFY") {
                Some(word) => to_bool(word.trim()).ok_or_else(|| {
                    Failure::usage(format!(
                        "Error: VAULT_SKIP_VERIFY must be true or false, found {word:?}"
                    ))
                })?,
                None => false,
            },
        };
        Ok(Self {
            ca_cert: said("ca-cert", "CACERT"),
            ca_path: said("ca-path", "CAPATH"),
            client_cert: said("client-cert", "CLIENT_CERT"),
            client_key: said("client-key", "CLIENT_KEY"),
            server_name: said("tls-server-name", "TLS_SERVER_NAME"),
            skips_verify,
        })
    }

    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read, a directory holds no certificate, or half of certificate and key is missing.
    pub(crate) fn settings(&self) -> Result<TlsSettings, Failure> {
        let authorities = match (&self.ca_cert, &self.ca_path) {
            (Some(file), _) => vec![read("-ca-cert", "CACERT", Path::new(file))?],
            (None, Some(directory)) => below(Path::new(directory))?,
            (None, None) => Vec::new(),
        };
        let half = |missing: &str, given: &str| {
            Failure::usage(format!(
                "Error: {missing} is missing: it is needed beside {given}"
            ))
        };
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => Some(ClientIdentity {
                certificates: read("-client-cert", "CLIENT_CERT", Path::new(certificate))?,
                key: Secret::new(read("-client-key", "CLIENT_KEY", Path::new(key))?),
            }),
            (Some(_), None) => return Err(half("-client-key", "-client-cert")),
            (None, Some(_)) => return Err(half("-client-cert", "-client-key")),
            (None, None) => None,
        };
        Ok(TlsSettings {
            authorities,
            identity,
            server_name: self.server_name.clone(),
            trusts_anyone: self.skips_verify,
        })
    }

    /// The same for `curl`: each option with its value, if it has one.
    pub(crate) fn curl(&self) -> Vec<(&'static str, &str)> {
        let mut options = Vec::new();
        if self.skips_verify {
            options.push(("--insecure", ""));
        }
        for (option, value) in [
            ("--cacert", &self.ca_cert),
            ("--capath", &self.ca_path),
            ("--cert", &self.client_cert),
            ("--key", &self.client_key),
        ] {
            if let Some(value) = value {
                options.push((option, value));
            }
        }
        options
    }
}

fn read(flag: &str, variable: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| {
        Failure::usage(format!(
            "Error reading {} ({flag} or VAULT_{variable}): {error}",
            file.display()
        ))
    })
}

/// Every file below a directory, in the order of their names. Links to directories are not followed: they may go round.
fn below(directory: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let failed = |error: io::Error| {
        Failure::usage(format!(
            "Error reading the directory {} (-ca-path or VAULT_CAPATH): {error}",
            directory.display()
        ))
    };
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(next) = directories.pop() {
        for entry in fs::read_dir(next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                directories.push(entry.path());
            } else if entry.path().is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    let read = |file: &PathBuf| read("-ca-path", "CAPATH", file);
    let texts: Vec<Vec<u8>> = files.iter().map(read).collect::<Result<_, _>>()?;
    if texts.is_empty() {
        return Err(failed(io::Error::other("it holds no file")));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_its_key_is_a_mistake() {
        let flags = TlsFlags {
            client_cert: Some("c.pem".to_owned()),
            ..TlsFlags::default()
        };
        let failure = flags.settings().unwrap_err();
        assert_eq!(
            failure.text,
            "Error: -client-key is missing: it is needed beside -client-cert"
        );
    }

    #[test]
    fn a_file_of_authorities_wins_over_a_directory_and_the_directory_is_read_whole() {
        let root = std::env::temp_dir().join(format!("linchpin-cli-ca-{}", std::process::id()));
        std::fs::create_dir_all(root.join("more")).unwrap();
        let mut flags = TlsFlags {
            ca_path: Some(root.display().to_string()),
            ..TlsFlags::default()
        };
        assert!(flags.settings().unwrap_err().text.contains("holds no file"));
        for (file, text) in [("b.pem", "b"), ("a.pem", "a"), ("more/c.pem", "c")] {
            std::fs::write(root.join(file), text).unwrap();
        }
        let texts = flags.settings().unwrap().authorities;
        assert_eq!(texts, [b"a", b"b", b"c"]);
        flags.ca_cert = Some(root.join("b.pem").display().to_string());
        assert_eq!(flags.settings().unwrap().authorities, [b"b"]);
        std::fs::remove_dir_all(&root).unwrap();
        let failure = flags.settings().unwrap_err();
        assert!(
            failure
                .text
                .contains("(-ca-cert or VAULT_CACERT): No such file")
        );
    }
}
