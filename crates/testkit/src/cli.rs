//! OpenBao's command line, unchanged, against any of the servers.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{Fixture, Target, fixture};

/// What one command printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// Its exit status; -1 when a signal ended it.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Printed {
    /// Its standard output as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or(Value::Null)
    }
}

impl Target {
    /// Runs `bao` with these words as its arguments, as root, against this server. Panics when there is no OpenBao: a test that uses it asks
    /// [`fixture`] first.
    pub fn bao(&self, words: &[&str]) -> Printed {
        let bao =
            fixture(Fixture::OpenBao).unwrap_or_else(|| panic!("{}", Fixture::OpenBao.remedy()));
        let output = Command::new(bao)
            .args(words)
            .env_clear()
            .env("BAO_ADDR", format!("http://{}", self.server().address()))
            .env("BAO_TOKEN", "root")
            .env("HOME", self.server().folder())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .output()
            .expect("start bao");
        Printed {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
