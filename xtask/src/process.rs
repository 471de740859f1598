//! Other programs, started with an error that names the command when it does not succeed.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// One command, in the root of the work tree unless said otherwise.
pub(crate) struct Run {
    command: Command,
    shown: String,
}

impl Run {
    /// `program` with `arguments`.
    pub(crate) fn new<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let mut shown = program.as_ref().to_string_lossy().into_owned();
        let mut command = Command::new(program);
        command.current_dir(crate::root()).stdin(Stdio::null());
        for argument in arguments {
            shown.push(' ');
            shown.push_str(&argument.as_ref().to_string_lossy());
            command.arg(argument);
        }
        Self { command, shown }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut run = Self::new(cargo, arguments);
        if crate::is_ci() {
            // Nobody builds there a second time.
            run.command.env("CARGO_INCREMENTAL", "0");
        }
        // Cargo tells what it builds by these; inherited from `cargo run` they would name xtask.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
            run.command.env_remove(name);
        }
        run
    }

    /// With a variable set for the program.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// In another folder.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it with our own output; anything but exit status 0 is an error.
    pub(crate) fn status(mut self) -> Result<()> {
        let status = self
            .command
            .status()
            .with_context(|| format!("start `{}`", self.shown))?;
        if !status.success() {
            bail!("`{}` ended with {status}", self.shown);
        }
        Ok(())
    }

    /// Runs it and returns its standard output; its standard error appears in the error only.
    pub(crate) fn output(mut self) -> Result<String> {
        let output = self
            .command
            .output()
            .with_context(|| format!("start `{}`", self.shown))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`{}` ended with {}: {}",
                self.shown,
                output.status,
                said.trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Whether a program of that name starts and succeeds with `argument`.
pub(crate) fn works(program: &str, argument: &str) -> bool {
    Run::new(program, [argument]).output().is_ok()
}
