//! Typed access to one body of the file, which remembers what was asked for: whatever is left over is unknown.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use linchpin_hcl::{Block, Body, Position, Value, ValueKind};

use super::Error;
use crate::nearest::nearest;

/// A key that changes nothing. Prints as `file:line: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Warning {
    /// The file.
    pub(crate) file: PathBuf,
    /// The line, from 1.
    pub(crate) line: u32,
    /// What to know about it.
    pub(crate) text: String,
}

impl Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.text)
    }
}

/// What Vault and OpenBao have and this server does not (yet): a typing mistake it is not.
const ELSEWHERE: [&str; 24] = [
    "storage",
    "ha_storage",
    "backend",
    "seal",
    "telemetry",
    "cluster_addr",
    "cluster_address",
    "ui",
    "disable_mlock",
    "disable_cache",
    "disable_clustering",
    "raw_storage_endpoint",
    "introspection_endpoint",
    "disable_sealwrap",
    "pid_file",
    "enable_response_header_hostname",
    "log_file",
    "log_rotate_bytes",
    "log_rotate_duration",
    "log_rotate_max_files",
    "user_lockout",
    "license_path",
    "service_registration",
    "disable_printable_check",
];

/// One body that is being read.
pub(super) struct Section<'b> {
    file: &'b Path,
    body: &'b Body,
    known: Vec<&'static str>,
}

impl<'b> Section<'b> {
    pub(super) fn new(file: &'b Path, body: &'b Body) -> Self {
        Self {
            file,
            body,
            known: Vec::new(),
        }
    }

    /// A section for a body inside of this one.
    pub(super) fn inside<'i>(&self, body: &'i Body) -> Section<'i>
    where
        'b: 'i,
    {
        Section::new(self.file, body)
    }

    /// The value of a key that is now known; JSON's `null` counts as absent.
    pub(super) fn value(&mut self, key: &'static str) -> Option<&'b Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let value = &self.body.attribute(key)?.value;
        (value.kind != ValueKind::Null).then_some(value)
    }

    pub(super) fn blocks(
        &mut self,
        key: &'static str,
        labels: usize,
    ) -> Result<Vec<Block<'b>>, Error> {
        self.known.push(key);
        self.body
            .blocks(key, labels)
            .map_err(|source| Error::Syntax {
                file: self.file.to_owned(),
                source,
            })
    }

    pub(super) fn refuse(&self, key: &str, at: Position, problem: String) -> Error {
        Error::Value {
            file: self.file.to_owned(),
            at,
            key: key.to_owned(),
            problem,
        }
    }

    /// The value of a key made into a `T`; `None` from `make` means that it must be `wanted`.
    fn read<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        make: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        match make(value) {
            Some(made) => Ok(Some(made)),
            None => {
                let found = value
                    .to_text()
                    .map_or_else(|| value.describe().to_owned(), |t| format!("{t:?}"));
                Err(self.refuse(key, value.at, format!("must be {wanted}, found {found}")))
            }
        }
    }

    pub(super) fn text(&mut self, key: &'static str, target: &mut String) -> Result<(), Error> {
        set(
            target,
            self.read(key, "a string", |v| v.as_str().map(str::to_owned))?,
        );
        Ok(())
    }

    /// A path; empty means unset.
    pub(super) fn path(
        &mut self,
        key: &'static str,
        target: &mut Option<PathBuf>,
    ) -> Result<(), Error> {
        if let Some(text) = self.read(key, "a path", |v| v.as_str().map(str::to_owned))? {
            *target = (!text.is_empty()).then(|| PathBuf::from(text));
        }
        Ok(())
    }

    pub(super) fn flag(&mut self, key: &'static str, target: &mut bool) -> Result<(), Error> {
        set(target, self.read(key, "true or false", Value::to_bool)?);
        Ok(())
    }

    /// Go's form (`5s`, `1m30s`) or whole seconds, and more than nothing: a time limit of zero would refuse everything.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        target: &mut Duration,
    ) -> Result<(), Error> {
        let wanted = "a duration above zero, such as 5s, 1m30s or 90";
        let read = self.read(key, wanted, |v| {
            let duration = linchpin_model::duration::parse(&v.to_text()?).ok()?;
            (!v.to_text()?.is_empty() && duration > Duration::ZERO).then_some(duration)
        })?;
        set(target, read);
        Ok(())
    }

    /// How many; at least one.
    pub(super) fn count(&mut self, key: &'static str, target: &mut usize) -> Result<(), Error> {
        let read = self.read(key, "a number above zero", |v| {
            usize::try_from(v.to_i64()?).ok().filter(|n| *n > 0)
        })?;
        set(target, read);
        Ok(())
    }

    pub(super) fn number(&mut self, key: &'static str, target: &mut u32) -> Result<(), Error> {
        set(
            target,
            self.read(key, "a number from zero up", |v| {
                u32::try_from(v.to_i64()?).ok()
            })?,
        );
        Ok(())
    }

    /// Bytes, or with a unit: `32MiB`, `512kb` (decimal units without the `i`).
    pub(super) fn size(&mut self, key: &'static str, target: &mut usize) -> Result<(), Error> {
        let read = self.read(key, "a size above zero, such as 1048576 or 32MiB", |v| {
            bytes(&v.to_text()?)
        })?;
        set(target, read);
        Ok(())
    }

    /// Permissions as octal digits, quoted or not.
    pub(super) fn octal(
        &mut self,
        key: &'static str,
        target: &mut Option<u32>,
    ) -> Result<(), Error> {
        let read = self.read(key, "octal permissions, such as \"0755\"", |v| {
            let text = v.to_text()?;
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            let mode = u32::from_str_radix(&text, 8).ok()?;
            (digits && mode <= 0o7777).then_some(mode)
        })?;
        // Zero is Vault's word for "not set".
        if let Some(mode) = read {
            *target = (mode != 0).then_some(mode);
        }
        Ok(())
    }

    /// A list of strings, or one string with commas.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        target: &mut Vec<String>,
    ) -> Result<(), Error> {
        let read = self.read(key, "a list of strings", |v| match v.as_list() {
            Some(values) => values
                .iter()
                .map(|v| v.as_str().map(str::to_owned))
                .collect(),
            None => {
                let words = v.as_str()?.split(',').map(str::trim);
                Some(words.filter(|w| !w.is_empty()).map(str::to_owned).collect())
            }
        })?;
        set(target, read);
        Ok(())
    }

    /// One of the words of a `T`.
    pub(super) fn word<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let Some(word) = value.as_str() else {
            return Err(self.refuse(
                key,
                value.at,
                format!("must be a string, found {}", value.describe()),
            ));
        };
        let parsed = word.parse::<T>();
        parsed
            .map(Some)
            .map_err(|e| self.refuse(key, value.at, format!("is wrong: {e}")))
    }

    /// Warns of every key that nobody asked for.
    pub(super) fn finish(self, warnings: &mut Vec<Warning>) {
        for item in &self.body.items {
            let key = item.key.text.as_str();
            if self.known.contains(&key) {
                continue;
            }
            let text = if ELSEWHERE.contains(&key) || key.starts_with("tls_") {
                format!("{key:?} is ignored: this server does not have this setting of Vault yet")
            } else {
                match nearest(key, &self.known) {
                    Some(right) => {
                        format!("unknown setting {key:?} is ignored; did you mean {right:?}?")
                    }
                    None => format!("unknown setting {key:?} is ignored"),
                }
            };
            warnings.push(Warning {
                file: self.file.to_owned(),
                line: item.key.at.line,
                text,
            });
        }
    }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}

fn bytes(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let scale: usize = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    };
    number
        .parse::<usize>()
        .ok()?
        .checked_mul(scale)
        .filter(|n| *n > 0)
}
