//! What a listing is asked for and what it answers (storage-format §1.1).

use std::num::NonZeroUsize;

/// Which part of a listing is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Only names that sort bytewise after this one; empty: from the first.
    pub after: String,
    /// At most this many names; `None`: all.
    pub limit: Option<NonZeroUsize>,
}

impl Page {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// At most `limit` names after `after`; a limit of 0 means all.
    #[must_use]
    pub fn new(after: impl Into<String>, limit: usize) -> Self {
        Self {
            after: after.into(),
            limit: NonZeroUsize::new(limit),
        }
    }

    /// Whether a listing of `count` names is as long as this page allows.
    #[must_use]
    pub fn is_full(&self, count: usize) -> bool {
        self.limit.is_some_and(|limit| count >= limit.get())
    }
}

/// The names of a prefix's children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Names relative to the prefix, sorted bytewise, each once. Those with children of their own end in `/`.
    pub names: Vec<String>,
}
