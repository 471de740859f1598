//! `GET sys/plugins/logs/:type/:name`: the last lines of a plugin's processes, structured.
//!
//! It needs sudo: a plugin may write what it should not.

use super::rfc3339;
use crate::System;
use crate::answer::{Answer, answer};
use crate::catalog::plugin_type;
use linchpin_engine::Error;
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_model::{Operation, PluginVersion};
use serde::Serialize;
use std::collections::BTreeMap;

/// How many lines are answered unless told otherwise, and at most.
const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

#[derive(Serialize)]
struct Listing<'s> {
    r#type: &'static str,
    name: &'s str,
    lines: Vec<Line<'s>>,
}

#[derive(Serialize)]
struct Line<'s> {
    time: String,
    level: &'static str,
    message: &'s str,
    fields: BTreeMap<&'s str, &'s str>,
    version: &'s str,
    pid: u32,
}

pub(super) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new(
            "plugins/logs/{type:auth|database|secret}/{name}",
            "The last lines that the processes of a plugin wrote, oldest first.",
        )
        .describe(
            "Lines of processes that are gone are kept for a while too: those of a start that \
             failed say why it did.",
        )
        .field("name", FieldType::String, "The plugin's registered name.")
        .field(
            "version",
            FieldType::String,
            "Only lines of this version. Default: of every version.",
        )
        .field(
            "limit",
            FieldType::Int,
            "How many lines at most, up to 1000. Default: 100.",
        )
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.plugin_logs(&call) })
        }),
    ]
}

impl System {
    fn plugin_logs(&self, call: &Call) -> Answer {
        let core = self.core()?;
        let (kind, name) = (plugin_type(call)?, call.fields.text("name"));
        let version = match call.fields.optional_text("version").unwrap_or_default() {
            "" => None,
            text => {
                let parsed: Result<PluginVersion, _> = text.parse();
                let parsed = parsed.map_err(|error| {
                    Error::refused(format!(
                        "version {text:?} is not a valid semantic version: {error}"
                    ))
                })?;
                Some(parsed.to_string())
            }
        };
        let limit = match call.fields.int("limit").unwrap_or_default() {
            0 => DEFAULT_LIMIT,
            some => usize::try_from(some).map_or(MOST, |some| some.min(MOST)),
        };
        let lines = core.fleet().logs(kind, name, version.as_deref(), limit);
        let is_known = core
            .catalog()
            .entries()
            .any(|entry| entry.plugin_type == kind && entry.name == name);
        if lines.is_empty() && !is_known {
            return Ok(None);
        }
        answer(&Listing {
            r#type: kind.as_str(),
            name,
            lines: lines
                .iter()
                .map(|line| Line {
                    time: rfc3339(line.time),
                    level: line.level,
                    message: &line.message,
                    fields: line
                        .fields
                        .iter()
                        .map(|(key, value)| (key.as_str(), value.as_str()))
                        .collect(),
                    version: &line.version,
                    pid: line.pid,
                })
                .collect(),
        })
    }
}
