//! What an engine answers (plugin-protocol §3.9).

use crate::JsonObject;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

/// One answer of an engine. Its `Default` is an answer without any content, which is still an
/// answer: a read that finds nothing answers `None` instead.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The data of the envelope.
    pub data: Option<JsonObject>,
    /// Notes for the caller.
    pub warnings: Vec<String>,
    /// A leased secret.
    pub secret: Option<Secret>,
    /// A login.
    pub auth: Option<Auth>,
    /// Headers; only those that the mount allows reach the client.
    pub headers: Vec<(String, Vec<String>)>,
    /// A redirection (307).
    pub redirect: Option<String>,
    /// Wrapping that the engine asks for.
    pub wrap: Option<WrapRequest>,
    /// A body of the engine's own in place of the envelope.
    pub raw: Option<RawBody>,
    /// Whether the members of `data` are repeated at top level (core-api §2.8).
    pub inject_top_level: bool,
    /// Whether the work goes on after the answer: 202 in place of 200.
    pub accepted: bool,
}

impl Response {
    /// An answer with data.
    #[must_use]
    pub fn data(data: JsonObject) -> Self {
        Self {
            data: Some(data),
            ..Self::default()
        }
    }

    /// An answer with a warning and no data.
    #[must_use]
    pub fn warning(text: impl Into<String>) -> Self {
        Self {
            warnings: vec![text.into()],
            ..Self::default()
        }
    }

    /// The same with one more warning.
    #[must_use]
    pub fn with_warning(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }
}

/// A body that is sent as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct RawBody {
    /// HTTP status; 204 sends no body.
    pub status: u16,
    /// Content type; empty only with 204.
    pub content_type: String,
    /// The bytes.
    pub body: Bytes,
    /// `Cache-Control` in place of `no-store`, or empty.
    pub cache_control: String,
    /// `Pragma`, or empty.
    pub pragma: String,
    /// `WWW-Authenticate`, or empty.
    pub www_authenticate: String,
}

impl RawBody {
    /// A JSON document in place of the envelope, as the bare status endpoints answer.
    #[must_use]
    pub fn json(status: u16, document: &JsonObject) -> Self {
        Self {
            status,
            content_type: "application/json".to_owned(),
            body: document.bytes(),
            cache_control: String::new(),
            pragma: String::new(),
            www_authenticate: String::new(),
        }
    }
}

impl fmt::Debug for RawBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RawBody({}, {}, {} bytes)",
            self.status,
            self.content_type,
            self.body.len()
        )
    }
}

/// How long something may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    /// Time to live; zero = the mount's default.
    pub ttl: Duration,
    /// The longest it may be renewed to; zero = the mount's maximum.
    pub max_ttl: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// The increment that a renewal asked for.
    pub increment: Duration,
    /// When it was issued; `None` = not set.
    pub issue_time: Option<SystemTime>,
}

/// A leased secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret {
    /// How long.
    pub lease: Lease,
    /// What the engine needs to renew and revoke it; never shown to a client.
    pub internal_data: Option<JsonObject>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// A login. Tokens come with a later issue; what a plugin says is kept so that nothing is lost.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Auth {
    /// How long.
    pub lease: Lease,
    /// What the method needs to renew it.
    pub internal_data: Option<JsonObject>,
    /// The display name, without the mount's prefix.
    pub display_name: String,
    /// Policies by name.
    pub policies: Vec<String>,
    /// Metadata of the login.
    pub metadata: BTreeMap<String, String>,
    /// The alias: its name.
    pub alias_name: String,
    /// The period of a periodic token; zero = not periodic.
    pub period: Duration,
    /// How often the token can be used; 0 = without limit.
    pub num_uses: i64,
    /// The hard end of its life; zero = none.
    pub explicit_max_ttl: Duration,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// A request to wrap an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrapRequest {
    /// How long the wrapping token lives.
    pub ttl: Duration,
    /// `jwt` or empty.
    pub format: String,
}
