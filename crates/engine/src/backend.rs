//! The one trait of all engines.

use crate::{Context, Error};
use linchpin_model::{PluginType, Request, Response};
use std::sync::Arc;
use std::time::Duration;

/// A boxed future, as every method of an object-safe trait of this crate returns.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;

/// The paths of an engine that the core treats differently (plugin-protocol §3.13).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpecialPaths {
    /// Need sudo: exact, or a prefix when ending in `*`.
    pub root: Vec<String>,
    /// Need no token: exact, prefix with one trailing `*`, `+` for one whole segment.
    pub unauthenticated: Vec<String>,
    /// Storage prefixes that are not replicated.
    pub local_storage: Vec<String>,
    /// Storage keys (prefix when ending in `/`) that want extra encryption.
    pub seal_wrap_storage: Vec<String>,
}

impl SpecialPaths {
    /// Whether `path` matches one of the unauthenticated patterns.
    #[must_use]
    pub fn is_unauthenticated(&self, path: &str) -> bool {
        self.unauthenticated
            .iter()
            .any(|pattern| matches_pattern(pattern, path))
    }

    /// Whether `path` matches one of the root patterns.
    #[must_use]
    pub fn is_root(&self, path: &str) -> bool {
        self.root
            .iter()
            .any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => pattern == path,
            })
    }

    /// The first pattern that may not be (plugin-protocol §3.13): `*` elsewhere than at the end,
    /// `+*`, or `+` beside something else than a slash.
    #[must_use]
    pub fn first_invalid(&self) -> Option<&str> {
        self.unauthenticated
            .iter()
            .map(String::as_str)
            .find(|pattern| {
                let body = pattern.strip_suffix('*').unwrap_or(pattern);
                body.contains('*')
                    || (pattern.ends_with("+*"))
                    || body
                        .split('/')
                        .any(|segment| segment.contains('+') && segment != "+")
            })
    }
}

fn matches_pattern(pattern: &str, path: &str) -> bool {
    let (body, is_prefix) = match pattern.strip_suffix('*') {
        Some(body) => (body, true),
        None => (pattern, false),
    };
    if !body.contains('+') {
        return if is_prefix {
            path.starts_with(body)
        } else {
            path == body
        };
    }
    let mut wanted = body.split('/').peekable();
    let mut given = path.split('/');
    while let Some(want) = wanted.next() {
        let Some(got) = given.next() else {
            return false;
        };
        let last = wanted.peek().is_none();
        let fits = match want {
            "+" => true,
            _ if last && is_prefix => got.starts_with(want),
            _ => want == got,
        };
        if !fits {
            return false;
        }
    }
    is_prefix || given.next().is_none()
}

/// How an instance is (design §4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It serves.
    Running,
    /// Its process is being started again.
    Starting,
    /// Nothing healthy can be started: the cause, and when the next attempt is.
    Degraded {
        /// Why.
        cause: String,
        /// How long a caller should wait.
        retry_after: Duration,
    },
}

/// One mount's engine: the same for a built-in, a Rust plugin and a Go plugin.
///
/// Methods may be called concurrently, answers may come in any order. A cancelled `ctx` asks to
/// stop early; the future itself is not dropped by the core.
pub trait Backend: Send + Sync + 'static {
    /// Secrets engine or auth method.
    fn plugin_type(&self) -> PluginType;

    /// The special paths; fixed for the life of the instance.
    fn special_paths(&self) -> Arc<SpecialPaths>;

    /// Called once after Setup, when storage can be written.
    ///
    /// # Errors
    /// The mount or reload fails with it.
    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>>;

    /// Serves one request. `None` means that nothing is there (read: 404) or nothing is to be
    /// said (write: 204).
    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>>;

    /// Whether what a write addresses exists; `None` = this path has no such check.
    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>>;

    /// The canonical form of a request's path, for engines that rename paths; `None` = as it is.
    fn resolve_path<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<String>, Error>> {
        let _ = (ctx, request);
        Box::pin(async { Ok(None) })
    }

    /// Whether the engine wants [`Backend::resolve_path`] to be asked: it costs a call a request.
    fn resolves_paths(&self) -> bool {
        false
    }

    /// A storage key of the mount was changed by somebody else than this instance.
    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()>;

    /// The last call of an instance. Idempotent.
    fn cleanup<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, ()>;

    /// How it is. Built-ins always run.
    fn health(&self) -> Health {
        Health::Running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unauthenticated_patterns_match_as_the_spec_says() {
        for (pattern, path, expected) in [
            ("login", "login", true),
            ("login", "login/x", false),
            ("login/*", "login/x", true),
            ("login/*", "login", false),
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d/c", false),
            ("a/+/c*", "a/b/cd/e", true),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
        ] {
            assert_eq!(matches_pattern(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn malformed_patterns_are_named() {
        let of = |p: &str| SpecialPaths {
            unauthenticated: vec![p.to_owned()],
            ..SpecialPaths::default()
        };
        for bad in ["a*b", "+*", "a+/b", "a/**"] {
            assert_eq!(of(bad).first_invalid(), Some(bad));
        }
        assert_eq!(of("a/+/b*").first_invalid(), None);
    }
}
