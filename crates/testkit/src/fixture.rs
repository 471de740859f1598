//! Where the binaries under test and the fixtures are: a variable says so, else the build folder and what `cargo xtask fixtures` left.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Something that a test may need and a machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixture {
    /// OpenBao 2.7.2: server and command line.
    OpenBao,
    /// HashiCorp's kv engine as a Go plugin, the older of two versions.
    KvOld,
    /// The newer one.
    KvNew,
    /// The Linchpin server with its faults compiled in.
    Mutant,
    /// An unmodified Go plugin: the section `[go-plugin NAME]` of `tests/fixtures.toml`. Some are built for the long tests only.
    GoPlugin(&'static str),
    /// OpenLDAP's server, for the long tests.
    Slapd,
}

impl Fixture {
    fn variable(self) -> String {
        let name = match self {
            Self::OpenBao => "bao",
            Self::KvOld => "kv-old",
            Self::KvNew => "kv-new",
            Self::Mutant => "mutant",
            Self::GoPlugin(name) => name,
            Self::Slapd => "slapd",
        };
        format!("LINCHPIN_TEST_{}", name.to_uppercase().replace('-', "_"))
    }

    /// What would bring it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::OpenBao => "OpenBao 2.7.2 is missing, which `cargo xtask fixtures` installs",
            Self::KvOld | Self::KvNew => {
                "the Go kv plugin is missing, which `cargo xtask fixtures` builds"
            }
            Self::Mutant => {
                "the server with fault injection is missing, which `cargo xtask test` builds"
            }
            Self::GoPlugin(_) => {
                "a Go plugin is missing, which `cargo xtask fixtures --long` builds"
            }
            Self::Slapd => {
                "slapd is missing, which `cargo xtask fixtures --long` fetches on Debian"
            }
        }
    }
}

/// The fixture's path, if it is there.
pub fn fixture(fixture: Fixture) -> Option<PathBuf> {
    let name = fixture.variable();
    let named = std::env::var_os(&name).filter(|path| !path.is_empty());
    let path = named.or_else(|| noted(&name)).map(PathBuf::from);
    let path =
        path.or_else(|| (fixture == Fixture::Mutant).then(|| folder().join("linchpin-mutant")));
    path.filter(|path| path.is_file())
}

/// What `cargo xtask fixtures` wrote down.
fn noted(name: &str) -> Option<OsString> {
    let text = std::fs::read_to_string(folder().parent()?.join("fixtures/paths")).ok()?;
    text.lines()
        .filter_map(|line| line.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, path)| path.into())
}

/// A binary or example that cargo built: `linchpin` from `LINCHPIN_BIN`, examples from `LINCHPIN_TEST_PLUGINS`, else beside our own.
pub fn binary(name: &str) -> PathBuf {
    find_binary(name).unwrap_or_else(|| {
        panic!("{name} is not built; `cargo xtask test` or `cargo build --workspace --bins --examples` builds it")
    })
}

/// The same, if it was built.
pub(crate) fn find_binary(name: &str) -> Option<PathBuf> {
    let path = match name {
        "linchpin" => {
            std::env::var_os("LINCHPIN_BIN").map_or_else(|| folder().join(name), PathBuf::from)
        }
        _ => std::env::var_os("LINCHPIN_TEST_PLUGINS")
            .map_or_else(|| folder().join("examples"), PathBuf::from)
            .join(name),
    };
    path.is_file().then_some(path)
}

/// The profile's folder, such as `target/debug`: our own executable is in its `deps` or `examples`.
pub(crate) fn folder() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.parent()
        .and_then(Path::parent)
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// Whether the tests that take minutes were asked for.
pub fn long_tests() -> bool {
    std::env::var_os("LINCHPIN_TEST_LONG").is_some()
}
