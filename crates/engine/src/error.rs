//! What an engine answers when it does not answer.
//!
//! Two audiences: `messages` go to the caller, the chain of `source` to the operator's log. The
//! kind decides the status, [`Shape`] whether the texts are wrapped; `http` alone maps both
//! (plugin-lifecycle §0.3).

use linchpin_model::{ErrorKind, JsonObject, Response, envelope};
use std::fmt;
use std::time::Duration;

/// How the texts of an error are put into `errors`: clients match on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"errors":["text"]}`.
    Plain,
    /// `{"errors":["1 error occurred:\n\t* text\n\n"]}`.
    Wrapped,
}

/// Why an engine refused or failed.
pub struct Error(Box<Facts>);

struct Facts {
    kind: ErrorKind,
    shape: Shape,
    messages: Vec<String>,
    codes: Vec<&'static str>,
    warnings: Vec<String>,
    data: Option<JsonObject>,
    retry_after: Option<Duration>,
    response: Option<Response>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of any kind and shape with these texts; no text gives `{"errors":[]}`.
    #[must_use]
    pub fn new(kind: ErrorKind, shape: Shape, messages: Vec<String>) -> Self {
        Self(Box::new(Facts {
            kind,
            shape,
            messages,
            codes: Vec::new(),
            warnings: Vec::new(),
            data: None,
            retry_after: None,
            response: None,
            source: None,
        }))
    }

    /// plain(400): the caller's mistake.
    #[must_use]
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, Shape::Plain, vec![text.into()])
    }

    /// wrapped(400), where Vault answers wrapped(500) to a caller's mistake (the mark ◊).
    #[must_use]
    pub fn refused_wrapped(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, Shape::Wrapped, vec![text.into()])
    }

    /// The empty 404.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(ErrorKind::NotFound, Shape::Plain, Vec::new())
    }

    /// wrapped(404) `unsupported path`.
    #[must_use]
    pub fn unsupported_path() -> Self {
        Self::new(
            ErrorKind::NotFound,
            Shape::Wrapped,
            vec!["unsupported path".to_owned()],
        )
    }

    /// wrapped(405) `unsupported operation`.
    #[must_use]
    pub fn unsupported_operation() -> Self {
        Self::new(
            ErrorKind::UnsupportedOperation,
            Shape::Wrapped,
            vec!["unsupported operation".to_owned()],
        )
    }

    /// wrapped(403): a good token whose policies do not allow the operation.
    #[must_use]
    pub fn permission_denied() -> Self {
        Self::new(
            ErrorKind::PermissionDenied,
            Shape::Wrapped,
            vec!["permission denied".to_owned()],
        )
    }

    /// wrapped(500).
    #[must_use]
    pub fn internal(text: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, Shape::Wrapped, vec![text.into()])
    }

    /// 503 with `Retry-After`: the same request is wanted again.
    #[must_use]
    pub fn unavailable(text: impl Into<String>, retry_after: Duration) -> Self {
        let mut error = Self::new(ErrorKind::Unavailable, Shape::Plain, vec![text.into()]);
        error.0.retry_after = Some(retry_after);
        error
    }

    /// Adds the cause, for the log.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds one of our codes (`LP0017`), which travels beside the texts.
    #[must_use]
    pub fn with_code(mut self, code: &'static str) -> Self {
        self.0.codes.push(code);
        self
    }

    /// Adds data beside the errors (a failed reload).
    #[must_use]
    pub fn with_data(mut self, data: JsonObject) -> Self {
        self.0.data = Some(data);
        self
    }

    /// Adds a warning beside the errors.
    #[must_use]
    pub fn with_warning(mut self, text: impl Into<String>) -> Self {
        self.0.warnings.push(text.into());
        self
    }

    /// Adds the response that came with the error (plugin-protocol §3.8).
    #[must_use]
    pub fn with_response(mut self, response: Response) -> Self {
        self.0.response = Some(response);
        self
    }

    /// Puts `prefix` before every text.
    #[must_use]
    pub fn prefixed(mut self, prefix: &str) -> Self {
        for text in &mut self.0.messages {
            text.insert_str(0, prefix);
        }
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The texts for the caller, without wrapping.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.0.messages
    }

    /// The texts as the body's `errors` has them.
    #[must_use]
    pub fn rendered(&self) -> Vec<String> {
        match self.0.shape {
            Shape::Wrapped if !self.0.messages.is_empty() => vec![envelope::wrap(&self.0.messages)],
            _ => self.0.messages.clone(),
        }
    }

    /// How they are put.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.0.shape
    }

    /// Our codes.
    #[must_use]
    pub fn codes(&self) -> &[&'static str] {
        &self.0.codes
    }

    /// Warnings beside the errors.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.0.warnings
    }

    /// Data beside the errors.
    #[must_use]
    pub fn data(&self) -> Option<&JsonObject> {
        self.0.data.as_ref()
    }

    /// When the caller may try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// A response that came with the error.
    #[must_use]
    pub fn response(&self) -> Option<&Response> {
        self.0.response.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.messages.join("; "))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("messages", &self.0.messages)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|e| e as &(dyn std::error::Error + 'static))
    }
}

impl From<crate::StorageError> for Error {
    fn from(error: crate::StorageError) -> Self {
        match &error {
            crate::StorageError::RelativePath | crate::StorageError::Key(..) => {
                Self::refused(error.to_string())
            }
            crate::StorageError::TooLarge { .. } => {
                Self::new(ErrorKind::TooLarge, Shape::Wrapped, vec![error.to_string()])
            }
            crate::StorageError::Sealed => {
                Self::unavailable("Vault is sealed", Duration::from_secs(1))
            }
            _ => Self::internal(error.to_string()).with_source(error),
        }
    }
}

impl From<crate::Cancelled> for Error {
    fn from(cancelled: crate::Cancelled) -> Self {
        Self::internal(cancelled.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_decides_the_text() {
        assert_eq!(Error::refused("a").rendered(), ["a"]);
        assert_eq!(
            Error::refused_wrapped("a").rendered(),
            ["1 error occurred:\n\t* a\n\n"]
        );
        assert!(Error::not_found().rendered().is_empty());
    }
}
