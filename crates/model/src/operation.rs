//! What a request asks for (plugin-protocol §3.11).

/// The operation of a request, in the words that also go to plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A write whose target does not exist yet; decided by the existence check.
    Create,
    /// GET.
    Read,
    /// POST or PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
    /// LIST, or GET with `?list=true`.
    List,
    /// SCAN: the recursive list of OpenBao.
    Scan,
    /// Any method with `?help=`.
    Help,
    /// HEAD.
    Header,
    /// Revoke a lease; internal.
    Revoke,
    /// Renew a lease; internal.
    Renew,
    /// Periodic work of an engine; internal.
    Rollback,
    /// Which alias a login would have; internal.
    AliasLookahead,
    /// Which role a login would use; internal.
    ResolveRole,
    /// Which path a path stands for; internal, OpenBao 2.7.
    ResolvePath,
}

impl Operation {
    /// The word on the wire to a plugin.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Scan => "scan",
            Self::Help => "help",
            Self::Header => "header",
            Self::Revoke => "revoke",
            Self::Renew => "renew",
            Self::Rollback => "rollback",
            Self::AliasLookahead => "alias-lookahead",
            Self::ResolveRole => "resolve-role",
            Self::ResolvePath => "resolve-path",
        }
    }

    /// The operation for a word from the wire; `None` for a word that we do not know.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        const ALL: [Operation; 15] = [
            Operation::Create,
            Operation::Read,
            Operation::Update,
            Operation::Patch,
            Operation::Delete,
            Operation::List,
            Operation::Scan,
            Operation::Help,
            Operation::Header,
            Operation::Revoke,
            Operation::Renew,
            Operation::Rollback,
            Operation::AliasLookahead,
            Operation::ResolveRole,
            Operation::ResolvePath,
        ];
        ALL.into_iter().find(|op| op.as_str() == word)
    }

    /// Whether it writes: such requests get the existence check and refuse a trailing `/`.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for op in [
            Operation::Create,
            Operation::Header,
            Operation::ResolvePath,
            Operation::List,
        ] {
            assert_eq!(Operation::parse(op.as_str()), Some(op));
        }
        assert_eq!(Operation::parse("rotate"), None);
    }
}
