//! The one place that turns a failure into a status and a body (core-api §1.12, plugin-lifecycle
//! §0.3).

use crate::response::{self, Answer, JSON, Unsendable};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use linchpin_core::Error;
use linchpin_engine::Shape;
use linchpin_model::{ErrorKind, envelope};
use std::time::Duration;

/// The status of a kind of failure.
#[must_use]
pub fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::UnsupportedOperation => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Upstream => StatusCode::BAD_GATEWAY,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // A plugin may choose the status of its error, not turn an error into something else.
        ErrorKind::Coded(code @ 400..=599) => {
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        }
        // Also what kinds of a later `model` are until they have their row.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A request that is refused before the pipeline sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `{"errors":[…]}`.
    Errors(ErrorKind, Vec<String>),
    /// A path with a control character: 400 without a body.
    Unprintable,
    /// A path with a broken escape: 400 in text, as Go's server answers.
    BrokenEscape,
    /// The body did not arrive within the request's time: 408.
    SlowBody,
    /// There are too many bodies at once: 503, and the connection ends.
    NoRoom,
    /// The body ended too early: the client is gone, and will hardly read this.
    BrokenBody,
    /// 307 to a relative location, with a small page for readers.
    Redirect {
        /// Where to.
        location: String,
        /// Whether there is a page: for GET and HEAD.
        page: bool,
    },
}

impl Refusal {
    /// plain(400).
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::Errors(ErrorKind::InvalidRequest, vec![text.into()])
    }

    /// One wrapped text.
    pub(crate) fn wrapped(kind: ErrorKind, text: &str) -> Self {
        Self::Errors(kind, vec![envelope::wrap(&[text.to_owned()])])
    }

    /// `{"errors":[]}` with the status of `kind`.
    pub(crate) fn empty(kind: ErrorKind) -> Self {
        Self::Errors(kind, Vec::new())
    }

    /// The answer.
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Errors(kind, texts) => response::json(
                status(kind),
                envelope::errors(&texts, envelope::ErrorExtras::default()).into(),
            ),
            Self::Unprintable => response::bare(StatusCode::BAD_REQUEST, None, Bytes::new()),
            Self::BrokenEscape => response::bare(
                StatusCode::BAD_REQUEST,
                Some(HeaderValue::from_static("text/plain; charset=utf-8")),
                Bytes::from_static(b"400 Bad Request"),
            ),
            Self::SlowBody => text(
                StatusCode::REQUEST_TIMEOUT,
                "the request's body did not arrive in time",
            ),
            Self::NoRoom => {
                tracing::warn!("a request is refused: too many bodies are being read at once");
                let mut answer = text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the server is reading as many request bodies as it may: try again",
                );
                answer
                    .headers_mut()
                    .insert(header::RETRY_AFTER, HeaderValue::from(1));
                answer
            }
            Self::BrokenBody => text(
                StatusCode::BAD_REQUEST,
                "the request's body ended too early",
            ),
            Self::Redirect { location, page } => {
                response::redirect(&location, page).unwrap_or_else(|_| Self::Unprintable.answer())
            }
        }
    }
}

fn text(status: StatusCode, text: &str) -> Answer {
    let body = envelope::errors(&[text.to_owned()], envelope::ErrorExtras::default());
    response::json(status, body.into())
}

/// The answer to a failed request; the failure is logged here, and nowhere else.
pub(crate) fn answer(request_id: &str, error: &Error) -> Answer {
    let kind = error.kind();
    let status = status(kind);
    log(request_id, status, error);
    let mut answer = match error {
        // An error without a text of its own that came with a response is that response under the
        // error's status, as a deleted version of KV 2 is.
        Error::Engine(engine) if engine.messages().is_empty() && engine.response().is_some() => {
            match engine.response() {
                Some(found) => response::json(status, envelope::success(request_id, found).into()),
                None => response::bare(status, Some(JSON), Bytes::new()),
            }
        }
        Error::Engine(engine) => {
            let extras = envelope::ErrorExtras {
                codes: engine.codes(),
                warnings: engine.warnings(),
                data: engine.data(),
            };
            response::json(status, envelope::errors(&engine.rendered(), extras).into())
        }
        other => {
            let texts = [other.to_string()];
            response::json(
                status,
                envelope::errors(&texts, envelope::ErrorExtras::default()).into(),
            )
        }
    };
    if let Some(wait) = error.retry_after() {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
    }
    answer
}

/// The answer to a request that was cancelled because the server ends. What fails then has failed because of that, as
/// far as anybody can tell; what was refused is refused.
pub(crate) fn answer_interrupted(request_id: &str, error: &Error) -> Answer {
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Upstream => {
            tracing::info!(request_id, error = %Chain(error), "request interrupted by the end of the server");
            answer(request_id, &Error::ShuttingDown)
        }
        _ => answer(request_id, error),
    }
}

/// The answer in place of an engine's that HTTP cannot carry.
pub(crate) fn answer_unsendable(request_id: &str, found: &Unsendable) -> Answer {
    tracing::warn!(request_id, error = %found, "an engine's answer cannot be sent");
    text(StatusCode::INTERNAL_SERVER_ERROR, &found.to_string())
}

/// `Retry-After` has whole seconds; less than one would invite a storm.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .clamp(1, u128::from(u64::MAX))
        .try_into()
        .unwrap_or(u64::MAX)
}

/// A failure of ours is a warning, a caller's mistake and an expected pause are not. The path is
/// left out: it may name what is secret, and the request id leads to the audit entry that has it.
fn log(request_id: &str, status: StatusCode, error: &Error) {
    let wrapped = matches!(error, Error::Engine(engine) if engine.shape() == Shape::Wrapped);
    match error.kind() {
        ErrorKind::Internal | ErrorKind::Upstream => {
            tracing::warn!(request_id, status = status.as_u16(), error = %Chain(error), "request failed");
        }
        _ => {
            tracing::debug!(request_id, status = status.as_u16(), wrapped, error = %Chain(error), "request refused");
        }
    }
}

/// An error with everything that caused it.
struct Chain<'a>(&'a Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = std::error::Error::source(self.0);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_status() {
        for (kind, code) in [
            (ErrorKind::InvalidRequest, 400),
            (ErrorKind::PermissionDenied, 403),
            (ErrorKind::NotFound, 404),
            (ErrorKind::UnsupportedOperation, 405),
            (ErrorKind::TooLarge, 413),
            (ErrorKind::UnsupportedMediaType, 415),
            (ErrorKind::RateLimited, 429),
            (ErrorKind::Internal, 500),
            (ErrorKind::Upstream, 502),
            (ErrorKind::Unavailable, 503),
            (ErrorKind::Coded(418), 418),
            (ErrorKind::Coded(204), 500),
            (ErrorKind::Coded(700), 500),
        ] {
            assert_eq!(status(kind).as_u16(), code, "{kind:?}");
        }
    }

    #[test]
    fn a_pause_is_whole_seconds_and_at_least_one() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds);
        }
    }
}
