//! The words of `log_level` and `log_format`.

use std::fmt;
use std::str::FromStr;

use tracing_subscriber::filter::LevelFilter;

/// How much is logged. The words are Vault's: `trace`, `debug`, `info` or `notice`, `warn` or `warning`, `error` or
/// `err`, in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Level {
    /// Everything, one line per step of a request.
    Trace,
    /// What somebody who looks for a fault needs.
    Debug,
    /// What an operator wants to have read afterwards.
    #[default]
    Info,
    /// What an operator should look at.
    Warn,
    /// What failed.
    Error,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Format {
    /// Text for people.
    #[default]
    Standard,
    /// One JSON object per line.
    Json,
}

/// A word that names no level or format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {what}: use {choices}")]
pub struct ParseError {
    word: String,
    what: &'static str,
    choices: &'static str,
}

impl Level {
    /// The canonical word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        }
    }

    pub(crate) fn filter(self) -> LevelFilter {
        match self {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            Level::Info => LevelFilter::INFO,
            Level::Warn => LevelFilter::WARN,
            Level::Error => LevelFilter::ERROR,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Level {
    type Err = ParseError;

    fn from_str(word: &str) -> Result<Self, ParseError> {
        match word.trim().to_ascii_lowercase().as_str() {
            "trace" => Ok(Level::Trace),
            "debug" => Ok(Level::Debug),
            "info" | "notice" => Ok(Level::Info),
            "warn" | "warning" => Ok(Level::Warn),
            "error" | "err" => Ok(Level::Error),
            _ => Err(ParseError {
                word: word.to_owned(),
                what: "log level",
                choices: "trace, debug, info, warn or error",
            }),
        }
    }
}

impl FromStr for Format {
    type Err = ParseError;

    fn from_str(word: &str) -> Result<Self, ParseError> {
        match word.trim().to_ascii_lowercase().as_str() {
            "standard" => Ok(Format::Standard),
            "json" => Ok(Format::Json),
            _ => Err(ParseError {
                word: word.to_owned(),
                what: "log format",
                choices: "standard or json",
            }),
        }
    }
}
