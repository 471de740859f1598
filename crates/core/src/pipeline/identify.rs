//! Stage 4: who asks. Root token only yet; anything else is not accepted.

use super::route::Routed;
use crate::Core;
use linchpin_crypto::Secret;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The root token.
    Root,
    /// No token, on a path that needs none.
    Nobody,
    /// No token where one is needed, or one that is not known.
    NotAccepted,
}

impl Caller {
    /// Whether the request may go on to an engine at all.
    pub(crate) fn is_accepted(self) -> bool {
        self != Self::NotAccepted
    }
}

/// The root token of a dev server, kept as its digest.
pub(crate) struct RootToken([u8; 32]);

impl RootToken {
    /// Keeps the digest of `token`.
    pub(crate) fn new(token: &Secret<String>) -> Self {
        Self(linchpin_crypto::sha256(token.expose().as_bytes()))
    }

    /// Compares digests in constant time: neither length nor content leak through timing.
    fn is(&self, token: &str) -> bool {
        linchpin_crypto::constant_time_eq(&self.0, &linchpin_crypto::sha256(token.as_bytes()))
    }
}

impl Core {
    /// Looks the token up. Nothing here says *why* a token is not accepted.
    pub(super) fn identify(&self, routed: &Routed) -> Caller {
        let token = routed.request.token.as_deref().unwrap_or_default().trim();
        let needs_none = routed
            .mount
            .as_ref()
            .is_some_and(|mount| mount.is_unauthenticated(&routed.path));
        match (token.is_empty(), self.root_token.is(token)) {
            (false, true) => Caller::Root,
            _ if needs_none => Caller::Nobody,
            _ => Caller::NotAccepted,
        }
    }
}
