//! Log records as hosts read them from a plugin's stderr: one JSON object a line (plugin-protocol §1.7, §6). Never log tokens or data.

use std::io::Write as _;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::log_line::Level;

/// Writes one record. `module` says which part of the plugin speaks.
pub fn record(level: Level, module: &str, message: &str, fields: &[(&str, &str)]) {
    let mut members: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    members.insert("@level".to_owned(), word(level).into());
    members.insert("@message".to_owned(), message.into());
    members.insert("@module".to_owned(), module.into());
    members.insert("@timestamp".to_owned(), timestamp().into());
    let line = format!("{}\n", Value::Object(members));
    // Without a stderr there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// A record at level trace.
pub fn trace(module: &str, message: &str, fields: &[(&str, &str)]) {
    record(Level::Trace, module, message, fields);
}

/// A record at level debug.
pub fn debug(module: &str, message: &str, fields: &[(&str, &str)]) {
    record(Level::Debug, module, message, fields);
}

/// A record at level warn.
pub fn warn(module: &str, message: &str, fields: &[(&str, &str)]) {
    record(Level::Warn, module, message, fields);
}

/// A record at level info.
pub fn info(module: &str, message: &str, fields: &[(&str, &str)]) {
    record(Level::Info, module, message, fields);
}

/// A record at level error.
pub fn error(module: &str, message: &str, fields: &[(&str, &str)]) {
    record(Level::Error, module, message, fields);
}

/// Makes panics of this process records like any other, with the place where they happened: the standard library's own lines are no
/// JSON, and a host would log them at debug. The caller of the request gets an error without the panic's text.
pub fn record_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let text = panic.payload_as_str().unwrap_or("without a text");
        let thread = std::thread::current();
        let fields = [
            ("place", place.as_deref().unwrap_or("unknown")),
            ("thread", thread.name().unwrap_or("unnamed")),
        ];
        error("panic", &format!("panicked: {text}"), &fields);
    }));
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

fn timestamp() -> String {
    let shape =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");
    // The shape has no part that a time could lack.
    OffsetDateTime::now_utc().format(&shape).unwrap_or_default()
}
