//! Why a call to a plugin gave no answer.

use linchpin_model::ErrorKind;

use crate::convert::{ConvertError, PluginError};
use crate::link::CallError;

/// Why a call to a plugin failed, or what the plugin's own error is. Text of the plugin in it is for the caller; nothing of a request is
/// in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plugin answered with an error of its own; the connection is fine.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The request surely did not reach the plugin: it may be sent again (plugin-protocol §5.8).
    #[error("the request was not delivered to the plugin")]
    NotDelivered(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke, or the plugin reset the call: whether it ran is unknown.
    #[error("the plugin did not finish its answer")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process has ended or is being stopped.
    #[error("plugin is shut down")]
    ShutDown,
    /// A gRPC status other than OK: the framework in the plugin refused or failed.
    #[error("rpc error: code = {code} desc = {message}")]
    Status {
        /// The code's name as Go prints it.
        code: &'static str,
        /// The plugin's text.
        message: String,
    },
    /// The plugin refused to set the instance up; its text.
    #[error("{0}")]
    Setup(String),
    /// An answer that makes no sense.
    #[error("the plugin's answer cannot be used")]
    Malformed(#[from] ConvertError),
    /// The broker stream has ended: no instance can be added to this process any more.
    #[error("the plugin's broker stream has ended")]
    BrokerEnded,
    /// A socket could not be made or connected to.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// TLS could not be set up with what the plugin's handshake line says.
    #[error("set up TLS with the plugin")]
    Tls(#[source] linchpin_crypto::Error),
    /// HTTP/2 could not be set up.
    #[error("set up HTTP/2 with the plugin")]
    Http2(#[source] h2::Error),
}

impl Error {
    /// Whether the plugin surely has not seen the request.
    #[must_use]
    pub fn is_not_delivered(&self) -> bool {
        matches!(self, Self::NotDelivered(_))
    }

    /// Whether the process or the connection is the matter rather than the plugin's answer: then the caller looks whether the process has
    /// exited, and takes the crash path.
    #[must_use]
    pub fn is_connection_loss(&self) -> bool {
        matches!(
            self,
            Self::NotDelivered(_) | Self::Transport(_) | Self::ShutDown
        )
    }

    /// Whether a gRPC method is missing on the plugin's side.
    #[must_use]
    pub fn is_unimplemented(&self) -> bool {
        matches!(
            self,
            Self::Status {
                code: "Unimplemented",
                ..
            }
        )
    }

    /// Whether the plugin says that the time of the call is over: as a status, or in the words of a Go plugin's handler.
    #[must_use]
    pub fn is_deadline_exceeded(&self) -> bool {
        match self {
            Self::Status { code, .. } => *code == "DeadlineExceeded",
            Self::Plugin(error) => error.message.contains("context deadline exceeded"),
            _ => false,
        }
    }

    /// Sorts a call's failure.
    pub(super) fn from_call(error: CallError) -> Self {
        match error {
            CallError::Link(link) if link.undelivered => Self::NotDelivered(Box::new(link)),
            CallError::Link(link) => Self::Transport(Box::new(link)),
            CallError::Status(status) => Self::Status {
                code: code_name(status.code()),
                message: status.message().to_owned(),
            },
        }
    }
}

/// A call that failed below the plugin's own answer is an internal error with the text; the operator's log has the chain.
impl From<Error> for linchpin_engine::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Plugin(plugin) => plugin.into(),
            other => Self::new(
                ErrorKind::Internal,
                linchpin_engine::Shape::Wrapped,
                vec![other.to_string()],
            )
            .with_source(other),
        }
    }
}

/// The code as Go prints it: operators know these words from Vault's logs.
fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code;
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}
