//! The servers that a test can run against.

use std::path::PathBuf;

use crate::{Fixture, binary, fixture};

/// Which server a test runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// The server under test.
    Linchpin,
    /// The same with its faults compiled in. `LINCHPIN_FAULT` switches one of them on; without, it is the server under test, whose
    /// store can be read (see [`crate::Settings::with_store_dump`]).
    Mutant,
    /// OpenBao 2.7.2, as a check of the tests.
    OpenBao,
}

impl Product {
    /// Whether it is ours: `[+]` behaviour and Vault's own, which OpenBao lacks, can be expected.
    pub fn is_ours(self) -> bool {
        self != Self::OpenBao
    }

    /// The first of the two for us, the second for OpenBao: how a test writes down a difference of plugin-lifecycle §13.
    pub fn pick<T>(self, ours: T, openbao: T) -> T {
        if self.is_ours() { ours } else { openbao }
    }

    /// The executable; `Err` says which fixture is missing.
    pub(crate) fn executable(self) -> Result<PathBuf, Fixture> {
        match self {
            Self::Linchpin => Ok(binary("linchpin")),
            Self::Mutant => fixture(Fixture::Mutant).ok_or(Fixture::Mutant),
            Self::OpenBao => fixture(Fixture::OpenBao).ok_or(Fixture::OpenBao),
        }
    }
}
