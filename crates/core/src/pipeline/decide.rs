//! Stage 7: may the caller do this? The only place that makes an [`Authorized`].

use super::enter::{Entered, Inside};
use super::identify::Caller;
use crate::{ClientRequest, Error};

/// Something that was allowed. Its field is private and [`Caller::decide`] is its only
/// constructor: what takes an `Authorized<_>` cannot be reached around the decision.
///
/// ```compile_fail
/// let forged = linchpin_core::Authorized(());
/// ```
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    /// What was allowed.
    pub fn get(&self) -> &T {
        &self.0
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "one per request, moved twice: a box would cost every request an allocation"
)]
/// The outcome of the decision. Both go through the audit stage.
pub(crate) enum Decision {
    /// The engine may be asked.
    Allowed(Authorized<Inside>),
    /// It may not, or cannot.
    Denied(Denied),
}

/// A request that no engine sees.
pub(crate) struct Denied {
    /// The request.
    #[expect(
        dead_code,
        reason = "audit devices, which read it, come with their issue"
    )]
    pub(crate) client: ClientRequest,
    /// Why.
    pub(crate) why: Error,
}

impl Caller {
    /// Decides. The root token may do everything; nobody may ask what needs no token.
    pub(super) fn decide(self, entered: Entered) -> Decision {
        let Entered { client, inside } = entered;
        match inside {
            Ok(inside) if self.is_accepted() => Decision::Allowed(Authorized(inside)),
            Ok(_) => Decision::Denied(Denied {
                client,
                why: Error::TokenNotAccepted,
            }),
            Err(why) => Decision::Denied(Denied { client, why }),
        }
    }
}
