//! What is asked of the server.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::Full;

use crate::{DEFAULT_TIMEOUT, Error, Target};

/// A method, a path below `/v1/` and perhaps a body, headers, a token and a time limit of its own.
#[derive(Clone)]
pub struct Request {
    method: Method,
    path: String,
    token: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    limit: Duration,
}

impl Request {
    /// A request without a body. `path` may carry a query and starts neither with `/` nor with `v1/`.
    pub fn new(method: Method, path: &str) -> Self {
        let path = path.to_owned();
        Self {
            method,
            path,
            token: None,
            headers: Vec::new(),
            body: Bytes::new(),
            limit: DEFAULT_TIMEOUT,
        }
    }

    /// A request with Vault's own method `LIST`.
    pub fn list(path: &str) -> Self {
        // `LIST` is a valid extension method; the other arm is what the server takes as its equivalent.
        match Method::from_bytes(b"LIST") {
            Ok(list) => Self::new(list, path),
            Err(_) => Self::new(Method::GET, &format!("{path}?list=true")),
        }
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(mut self, body: &serde_json::Value) -> Self {
        self.body = Bytes::from(body.to_string());
        self
    }

    /// The same with these bytes as its body, whatever they are.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with `token` in place of the client's.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with another limit than [`DEFAULT_TIMEOUT`] for the whole call.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn into_http(
        self,
        target: &Target,
        token: Option<&str>,
    ) -> Result<http::Request<Full<Bytes>>, Error> {
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(format!("{}/v1/{}", target.prefix, self.path))
            .header(header::HOST, &*target.host)
            .header("x-vault-request", "true");
        if let Some(token) = self
            .token
            .as_deref()
            .or(token)
            .filter(|token| !token.is_empty())
        {
            request = request.header("x-vault-token", token);
        }
        if !self.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request
            .body(Full::new(self.body))
            .map_err(|source| Error::Unwritable { source })
    }
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither token nor body: both may be secret.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
