//! Errors that keep their class across the wire (plugin-protocol §3.8).

use linchpin_engine::{Error, Shape};
use linchpin_model::{ErrorKind, Response};
use std::fmt;
use std::time::Duration;

use crate::proto::pb;

/// The class of a plugin's error: `ProtoError.err_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ErrorClass {
    /// A plain error; its text may mean something. Also what numbers above 10 count as.
    Unknown = 0,
    /// The user's mistake.
    User = 1,
    /// An internal error.
    Internal = 2,
    /// An error with an HTTP status of its own.
    Coded = 3,
    /// A bad request.
    StatusBadRequest = 4,
    /// The path has no such operation.
    UnsupportedOperation = 5,
    /// There is no such path.
    UnsupportedPath = 6,
    /// An invalid request.
    InvalidRequest = 7,
    /// Not allowed.
    PermissionDenied = 8,
    /// Further approval is needed.
    MultiAuthzPending = 9,
    /// Cannot be recovered from.
    Unrecoverable = 10,
}

impl ErrorClass {
    const ALL: [Self; 11] = [
        Self::Unknown,
        Self::User,
        Self::Internal,
        Self::Coded,
        Self::StatusBadRequest,
        Self::UnsupportedOperation,
        Self::UnsupportedPath,
        Self::InvalidRequest,
        Self::PermissionDenied,
        Self::MultiAuthzPending,
        Self::Unrecoverable,
    ];

    /// The class of a number; `Unknown` for a number that nobody has defined.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self::ALL
            .into_iter()
            .find(|class| *class as u32 == number)
            .unwrap_or(Self::Unknown)
    }

    /// The text that a receiver shows in place of the message.
    fn sentinel(self) -> Option<&'static str> {
        match self {
            Self::UnsupportedOperation => Some("unsupported operation"),
            Self::UnsupportedPath => Some("unsupported path"),
            Self::InvalidRequest => Some("invalid request"),
            Self::PermissionDenied => Some("permission denied"),
            Self::MultiAuthzPending => Some("request needs further approval"),
            Self::Unrecoverable => Some("unrecoverable error"),
            _ => None,
        }
    }
}

/// The error that a plugin answered a call with. Its text is the plugin's and goes to the caller.
#[derive(Clone)]
pub struct PluginError {
    /// Its class.
    pub class: ErrorClass,
    /// Its text.
    pub message: String,
    /// The HTTP status of [`ErrorClass::Coded`].
    pub code: i64,
    /// The text of an error response that came with it; callers see this one.
    pub shown: Option<String>,
    /// The response that came with it.
    pub response: Option<Box<Response>>,
}

impl PluginError {
    /// The error in a message. A sentinel's own text replaces the message.
    #[must_use]
    pub fn from_wire(error: pb::ProtoError) -> Self {
        let class = ErrorClass::from_number(error.err_type);
        Self {
            class,
            message: class.sentinel().map_or(error.err_msg, ToOwned::to_owned),
            code: error.err_code,
            shown: None,
            response: None,
        }
    }

    /// The message for the error.
    #[must_use]
    pub fn to_wire(&self) -> pb::ProtoError {
        pb::ProtoError {
            err_type: self.class as u32,
            err_msg: self.message.clone(),
            err_code: self.code,
        }
    }

    /// A response that is an error: its data is just `{"error": text}`.
    pub(super) fn error_response(text: String, response: Response) -> Self {
        Self {
            class: ErrorClass::StatusBadRequest,
            message: text.clone(),
            code: 0,
            shown: Some(text),
            response: Some(Box::new(response)),
        }
    }

    /// Whether it says that the storage is read-only: there is no class for that, only the text.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        const TEXT: &str = "cannot write to readonly storage";
        self.message.contains(TEXT) || self.shown.as_deref().is_some_and(|t| t.contains(TEXT))
    }

    /// Whether the plugin does not know the operation or the path.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self.class,
            ErrorClass::UnsupportedOperation | ErrorClass::UnsupportedPath
        )
    }

    /// How an engine's error travels: as the sentinel that it is, with its status, or as text.
    #[must_use]
    pub fn from_engine(error: &Error) -> Self {
        let message = error.to_string();
        let is = |class: ErrorClass| class.sentinel() == Some(message.as_str());
        let (class, code) = match error.kind() {
            ErrorKind::UnsupportedOperation => (ErrorClass::UnsupportedOperation, 0),
            ErrorKind::NotFound if is(ErrorClass::UnsupportedPath) => {
                (ErrorClass::UnsupportedPath, 0)
            }
            ErrorKind::PermissionDenied => (ErrorClass::PermissionDenied, 0),
            ErrorKind::InvalidRequest if is(ErrorClass::InvalidRequest) => {
                (ErrorClass::InvalidRequest, 0)
            }
            ErrorKind::InvalidRequest => (ErrorClass::StatusBadRequest, 0),
            ErrorKind::NotFound => (ErrorClass::Coded, 404),
            ErrorKind::TooLarge => (ErrorClass::Coded, 413),
            ErrorKind::UnsupportedMediaType => (ErrorClass::Coded, 415),
            ErrorKind::RateLimited => (ErrorClass::Coded, 429),
            ErrorKind::Upstream => (ErrorClass::Coded, 502),
            ErrorKind::Unavailable => (ErrorClass::Coded, 503),
            ErrorKind::Coded(status) => (ErrorClass::Coded, i64::from(status)),
            _ => (ErrorClass::Unknown, 0),
        };
        Self {
            class,
            message,
            code,
            shown: None,
            response: None,
        }
    }

    /// The kind by class, and for plain errors by text.
    fn kind(&self) -> ErrorKind {
        match self.class {
            ErrorClass::Coded => match u16::try_from(self.code) {
                Ok(status @ 100..=999) => ErrorKind::Coded(status),
                _ => ErrorKind::Internal,
            },
            ErrorClass::StatusBadRequest | ErrorClass::InvalidRequest => ErrorKind::InvalidRequest,
            ErrorClass::UnsupportedOperation => ErrorKind::UnsupportedOperation,
            ErrorClass::UnsupportedPath => ErrorKind::NotFound,
            ErrorClass::PermissionDenied => ErrorKind::PermissionDenied,
            ErrorClass::Unknown
            | ErrorClass::User
            | ErrorClass::Internal
            | ErrorClass::MultiAuthzPending
            | ErrorClass::Unrecoverable => kind_of_text(&self.message).unwrap_or_else(|| {
                // A response beside it says that the plugin meant to answer the caller.
                if self.response.is_some() {
                    ErrorKind::InvalidRequest
                } else {
                    ErrorKind::Internal
                }
            }),
        }
    }
}

/// The texts that mean something to the API, when an error is exactly them.
fn kind_of_text(text: &str) -> Option<ErrorKind> {
    Some(match text {
        "invalid credentials" | "relative paths not supported" => ErrorKind::InvalidRequest,
        "upstream rate limited" => ErrorKind::Upstream,
        "rate limit quota exceeded" | "lease count quota exceeded" => ErrorKind::RateLimited,
        "functionality on this path has been removed" => ErrorKind::NotFound,
        "http: request body too large" => ErrorKind::TooLarge,
        "locked namespace" => ErrorKind::Unavailable,
        "required index state not present" => ErrorKind::Coded(412),
        _ => return None,
    })
}

impl From<PluginError> for Error {
    fn from(error: PluginError) -> Self {
        let kind = error.kind();
        let mut engine = match error.shown {
            Some(text) => Self::new(kind, Shape::Plain, vec![text]),
            None if kind == ErrorKind::Unavailable => {
                Self::unavailable(error.message, Duration::from_secs(1))
            }
            None => Self::new(kind, Shape::Wrapped, vec![error.message]),
        };
        if let Some(response) = error.response {
            engine = engine.with_response(*response);
        }
        engine
    }
}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown.as_deref().unwrap_or(&self.message))
    }
}

impl fmt::Debug for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginError")
            .field("class", &self.class)
            .field("message", &self.message)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for PluginError {}
