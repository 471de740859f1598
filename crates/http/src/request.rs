//! A request's head: what is asked, of which path, by whom (core-api §§1.1-1.4).

mod headers;
mod path;
mod query;

pub(crate) use headers::{credentials, media_type, passed_headers, wrap};
pub(crate) use query::{Malformed, parse_form};

use crate::error::Refusal;
use http::{HeaderMap, Method, Uri};
use linchpin_model::{ErrorKind, JsonObject, Operation};
use query::Query;

/// What the head of a request says.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) operation: Operation,
    /// Canonical, without `/v1/`; ends with `/` for a list.
    pub(crate) path: String,
    /// The query parameters, where they are the data.
    pub(crate) data: Option<JsonObject>,
}

/// Reads a head, or says why the request goes no further.
pub(crate) fn head(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Head, Refusal> {
    let escaped = path::below_v1(method, uri)?;
    let query = Query::parse(uri.query());
    let operation = operation(method, &query)?;
    let mut path = path::canonical(escaped, operation)?;
    headers::check(headers, &path)?;
    match operation {
        Operation::List | Operation::Scan if !path.is_empty() && !path.ends_with('/') => {
            path.push('/');
        }
        Operation::Update | Operation::Patch if path.ends_with('/') => {
            return Err(Refusal::plain("cannot write to a path ending in '/'"));
        }
        _ => {}
    }
    if operation == Operation::Patch {
        headers::check_merge_patch(headers)?;
    }
    let data = match operation {
        Operation::Update | Operation::Patch | Operation::Help => None,
        _ => query.into_data(),
    };
    Ok(Head {
        operation,
        path,
        data,
    })
}

/// The operation of a method. Help is asked with any method, known or not.
fn operation(method: &Method, query: &Query) -> Result<Operation, Refusal> {
    if query.first("help").is_some_and(|value| !value.is_empty()) {
        return Ok(Operation::Help);
    }
    Ok(match method.as_str() {
        "GET" if query.flag("list")? => Operation::List,
        "GET" if query.flag("scan")? => Operation::Scan,
        "GET" => Operation::Read,
        "LIST" => Operation::List,
        "SCAN" => Operation::Scan,
        "HEAD" => Operation::Header,
        "POST" | "PUT" => Operation::Update,
        "PATCH" => Operation::Patch,
        "DELETE" => Operation::Delete,
        "OPTIONS" => {
            return Err(Refusal::plain(
                "cannot handle internal-only request operation",
            ));
        }
        _ => return Err(Refusal::empty(ErrorKind::UnsupportedOperation)),
    })
}
