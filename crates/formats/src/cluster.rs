//! Who a storage belongs to, and in whose manner it is kept (storage-format §§4.6, 11.1).

use std::str::FromStr;

use crate::Error;
use crate::json::{Fields, ObjectWriter, Record, Unknown};

/// The cluster's name and id: `core/cluster/local/info`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterInfo {
    /// `vault-cluster-<8 hex>` by default.
    pub name: String,
    /// A UUID.
    pub id: String,
    /// Fields of other versions and products.
    pub unknown: Unknown,
}

impl Record for ClusterInfo {
    const NAME: &'static str = "cluster information";

    fn read(mut fields: Fields<'_>) -> Result<Self, Error> {
        Ok(Self {
            name: fields.take_or_default("name")?,
            id: fields.take_or_default("id")?,
            unknown: fields.rest(),
        })
    }

    fn write(&self, object: &mut ObjectWriter<'_>) {
        object.field("name", &self.name);
        object.field("id", &self.id);
        object.rest(&self.unknown);
    }
}

/// Which product's manner a storage is kept in, so that it can go back there. The text of `core/linchpin/flavour`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// It came from Vault.
    Vault,
    /// It came from OpenBao.
    OpenBao,
    /// It was initialised here and both can read it.
    Neutral,
}

impl Flavour {
    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::OpenBao => "openbao",
            Self::Neutral => "neutral",
        }
    }
}

impl FromStr for Flavour {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let all = [Self::Vault, Self::OpenBao, Self::Neutral];
        let found = all.into_iter().find(|flavour| flavour.as_str() == text);
        found.ok_or(Error::Field {
            record: "storage flavour",
            field: "text",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flavour_is_one_of_three_words() {
        for flavour in [Flavour::Vault, Flavour::OpenBao, Flavour::Neutral] {
            assert_eq!(flavour.as_str().parse(), Ok(flavour));
        }
        assert!("Vault".parse::<Flavour>().is_err());
    }
}
