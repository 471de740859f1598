//! What names a plugin: its type, the digest of its artefact, and its catalog entry.

use crate::PluginVersion;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The type of a plugin (plugin-lifecycle §1.1). Its order is the order of listings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PluginType {
    /// An auth method.
    Auth,
    /// A database plugin, used inside a `database` mount.
    Database,
    /// A secrets engine.
    Secret,
}

/// Why a word names nothing here. The text is Vault's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

impl PluginType {
    /// Every type, in listing order.
    pub const ALL: [Self; 3] = [Self::Auth, Self::Database, Self::Secret];

    /// The canonical word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Database => "database",
            Self::Secret => "secret",
        }
    }

    /// The number in stored records (storage-format §8).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Auth => 1,
            Self::Database => 2,
            Self::Secret => 3,
        }
    }

    /// The type for a stored number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|t| u64::from(t.number()) == number)
    }
}

impl fmt::Display for PluginType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PluginType {
    type Err = ParseError;

    fn from_str(word: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|t| t.as_str() == word)
            .ok_or_else(|| ParseError(format!("{word:?} is not a supported plugin type")))
    }
}

/// A SHA-256 digest: the name of an artefact.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bytes = hex::decode(text).map_err(|e| {
            ParseError(format!(
                "Could not decode SHA256 value from Hex {text}: {e}"
            ))
        })?;
        let bytes = bytes
            .try_into()
            .map_err(|_| ParseError("Decoded SHA-256 value is not 32 bytes".to_owned()))?;
        Ok(Self(bytes))
    }
}

/// How an artefact is executed (plugin-protocol §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Execution {
    /// From a sealed memory file that was filled while it was hashed.
    #[default]
    Sealed,
    /// From the opened file itself.
    Descriptor,
    /// By path; verified at start only.
    Path,
}

impl FromStr for Execution {
    type Err = ParseError;

    fn from_str(word: &str) -> Result<Self, ParseError> {
        match word {
            "sealed" => Ok(Self::Sealed),
            "descriptor" => Ok(Self::Descriptor),
            "path" => Ok(Self::Path),
            _ => Err(ParseError(format!(
                "{word:?} is not an execution mode: use sealed, descriptor or path"
            ))),
        }
    }
}

/// The deprecation status of a built-in engine (plugin-lifecycle §1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeprecationStatus {
    /// Nothing to do.
    Supported,
    /// Mounts with a warning.
    Deprecated,
    /// Refused unless the operator allows it.
    PendingRemoval,
    /// Refused.
    Removed,
}

impl DeprecationStatus {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Deprecated => "deprecated",
            Self::PendingRemoval => "pending removal",
            Self::Removed => "removed",
        }
    }
}

/// One entry of the plugin catalog: (type, name, version) and what it runs.
///
/// All of it is the sharing key of processes: a generation is made from one entry as it was at
/// one moment, and equal entries may share it (plugin-lifecycle §7.3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PluginEntry {
    /// Its type.
    pub plugin_type: PluginType,
    /// Its registered name.
    pub name: String,
    /// Its version; `None` for an unversioned entry.
    pub version: Option<PluginVersion>,
    /// The file name, relative to the plugin directory.
    pub command: String,
    /// The arguments.
    pub args: Vec<String>,
    /// `KEY=value` entries for the process. May hold secrets; never shown.
    pub env: Vec<String>,
    /// The digest that the file must have.
    pub sha256: Sha256,
    /// The image reference of a container plugin, or empty.
    pub oci_image: String,
    /// The name of its runtime, or empty.
    pub runtime: String,
    /// Whether two generations of it may run beside each other.
    pub overlap: bool,
    /// Its execution mode; `None` = the server's.
    pub execution: Option<Execution>,
}

impl PluginEntry {
    /// The version as the API prints it: empty when there is none.
    #[must_use]
    pub fn version_text(&self) -> &str {
        self.version.as_ref().map_or("", PluginVersion::as_str)
    }
}

/// Shows no value of `env`.
impl fmt::Debug for PluginEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginEntry")
            .field("type", &self.plugin_type.as_str())
            .field("name", &self.name)
            .field("version", &self.version_text())
            .field("command", &self.command)
            .field("sha256", &self.sha256)
            .field("env", &format_args!("{} variables", self.env.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_one_word_and_one_number() {
        for t in PluginType::ALL {
            assert_eq!(t.as_str().parse(), Ok(t));
            assert_eq!(PluginType::from_number(u64::from(t.number())), Some(t));
        }
        let refusal = "secrets".parse::<PluginType>().unwrap_err().to_string();
        assert_eq!(refusal, "\"secrets\" is not a supported plugin type");
    }

    #[test]
    fn a_digest_is_32_bytes_of_hex() {
        let text = "4d199f0d5427a5b6ba10ac0622ff06bc22c499640263ab2a32eb35f4b565e966";
        assert_eq!(text.parse::<Sha256>().unwrap().to_string(), text);
        let refusal = "zz".parse::<Sha256>().unwrap_err().to_string();
        assert!(
            refusal.starts_with("Could not decode SHA256 value from Hex zz: "),
            "{refusal}"
        );
        let refusal = "abcd".parse::<Sha256>().unwrap_err().to_string();
        assert_eq!(refusal, "Decoded SHA-256 value is not 32 bytes");
    }
}
