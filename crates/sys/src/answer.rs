//! The few forms that answers of `sys/` have.

use linchpin_engine::Error;
use linchpin_model::{JsonObject, RawBody, Response};
use serde::Serialize;

/// What a handler returns.
pub(crate) type Answer = Result<Option<Response>, Error>;

/// `value` as the data of an answer.
pub(crate) fn data<T: Serialize + ?Sized>(value: &T) -> Result<JsonObject, Error> {
    JsonObject::from_serialize(value)
        .map_err(|error| Error::internal("write the answer as JSON").with_source(error))
}

/// 200 with data.
pub(crate) fn answer<T: Serialize + ?Sized>(value: &T) -> Answer {
    Ok(Some(Response::data(data(value)?)))
}

/// 200 with data whose members are repeated at top level, as the reads of mounts have always been
/// answered (plugin-lifecycle §0.2).
pub(crate) fn injected<T: Serialize + ?Sized>(value: &T, warnings: Vec<String>) -> Answer {
    Ok(Some(Response {
        inject_top_level: true,
        warnings,
        ..Response::data(data(value)?)
    }))
}

/// 204, or 200 when there is something to warn of.
pub(crate) fn done(warnings: Vec<String>) -> Answer {
    Ok((!warnings.is_empty()).then(|| noted(warnings)))
}

/// 200 without data.
pub(crate) fn noted(warnings: Vec<String>) -> Response {
    Response {
        warnings,
        ..Response::default()
    }
}

/// A document in place of the envelope. It ends in a line feed, as every body does (core-api §1.7).
pub(crate) fn bare<T: Serialize + ?Sized>(status: u16, document: &T) -> Answer {
    let mut raw = RawBody::json(status, &data(document)?);
    raw.body = [&raw.body[..], b"\n"].concat().into();
    Ok(Some(Response {
        raw: Some(raw),
        ..Response::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_warn_of_is_no_content() {
        assert!(done(Vec::new()).unwrap().is_none());
        assert_eq!(done(vec!["a".to_owned()]).unwrap().unwrap().warnings, ["a"]);
    }

    #[test]
    fn a_bare_document_ends_in_a_line_feed() {
        let raw = bare(299, &serde_json::json!({"a": 1})).unwrap().unwrap();
        let raw = raw.raw.unwrap();
        assert_eq!((raw.status, &raw.body[..]), (299, &b"{\"a\":1}\n"[..]));
        assert_eq!(raw.content_type, "application/json");
    }
}
