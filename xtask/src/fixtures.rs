//! What the tests need beyond Rust: found where the person says, found on the machine, or fetched from a package registry, in this
//! order, and cached below `target/fixtures/`.
//!
//! Pins are in `tests/fixtures.toml`. What could not be had is not an error here, unless `CI=true`: it is named with what would
//! install it, and the tests that need it skip themselves by name. The result is also written to `target/fixtures/paths`, where a plain
//! `cargo test` finds it.

mod go_plugin;
mod pins;
mod slapd;
mod tool;
mod wheel;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::say;

/// What was found, by the variable that tells it to the tests, and what was not.
#[derive(Default)]
pub(crate) struct Fixtures {
    found: BTreeMap<String, PathBuf>,
    missing: Vec<String>,
}

/// Finds or fetches every fixture; with `long`, also those that only the long tests need. An error of one of them is remembered, not
/// returned.
pub(crate) fn resolve(long: bool) -> Result<Fixtures> {
    let pins = pins::Pins::read(&crate::root().join("tests/fixtures.toml"))?;
    let mut fixtures = Fixtures::default();
    let bao = tool::resolve(pins.section("openbao")?);
    fixtures.add("LINCHPIN_TEST_BAO", "OpenBao", bao);
    let slapd = pins.section("slapd")?;
    if long {
        fixtures.add("LINCHPIN_TEST_SLAPD", "slapd", slapd::resolve(slapd));
    } else if let Some(slapd) = slapd::find(slapd) {
        fixtures.add("LINCHPIN_TEST_SLAPD", "slapd", Ok(slapd));
    }
    match tool::resolve(pins.section("go")?) {
        Ok(go) => {
            for pin in pins.sections(go_plugin::SECTION) {
                let variable = go_plugin::variable(pin);
                if long || !go_plugin::is_long(pin) {
                    let what = format!("the Go plugin [{}]", pin.name());
                    fixtures.add(&variable, &what, go_plugin::build(&go, pin));
                } else if let Some(built) = go_plugin::find(&go, pin) {
                    fixtures.add(&variable, "", Ok(built));
                }
            }
            fixtures.add("LINCHPIN_TEST_GO", "Go", Ok(go));
        }
        Err(error) => {
            fixtures
                .missing
                .push("the Go plugins, built with Go".to_owned());
            fixtures.add("LINCHPIN_TEST_GO", "Go", Err(error));
        }
    }
    fixtures.write()?;
    Ok(fixtures)
}

impl Fixtures {
    fn add(&mut self, variable: &str, what: &str, outcome: Result<PathBuf>) {
        match outcome {
            Ok(path) => drop(self.found.insert(variable.to_owned(), path)),
            Err(error) => self.missing.push(format!("{what}: {error:#}")),
        }
    }

    /// The variables that name the fixtures to the tests.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.found
            .iter()
            .map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// One line for each fixture that could not be had: what, and what would install it.
    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Says what there is. With `CI=true` it is an error that something is not.
    pub(crate) fn report(&self) -> Result<()> {
        for (variable, path) in &self.found {
            say::good(&format!("{variable}={}", path.display()));
        }
        for missing in &self.missing {
            say::skipped(&format!("every test that needs {missing}"));
        }
        if crate::is_ci() && !self.missing.is_empty() {
            bail!("CI=true and {} fixtures are missing", self.missing.len());
        }
        Ok(())
    }

    fn write(&self) -> Result<()> {
        let folder = crate::target().join("fixtures");
        std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let lines: String = self
            .found
            .iter()
            .map(|(name, path)| format!("{name}={}\n", path.display()))
            .collect();
        let file = folder.join("paths");
        std::fs::write(&file, lines).with_context(|| format!("write {}", file.display()))
    }
}

/// The folder for one exact fixture: a changed pin is another folder, so that nothing stale is ever used.
fn cache(key: &str) -> PathBuf {
    crate::target()
        .join("fixtures")
        .join(key.chars().take(16).collect::<String>())
}

/// FNV-1a over everything that decides what is built; a name for a folder, not a protection.
fn key(parts: &[&str]) -> String {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
