//! Stage 5: through the gate of the mount. From here to its end the request has one instance.

use super::identify::Caller;
use super::route::Routed;
use crate::gate::{Refused, Ticket};
use crate::mount::{Mount, MountFacts};
use crate::node::Node;
use crate::sight::counters::Counters;
use crate::{ClientRequest, Error};
use linchpin_engine::{Context, Error as EngineError};
use linchpin_model::Request;
use std::sync::Arc;
use std::time::Duration;

/// A request on its way to an engine, or why it goes nowhere.
pub(crate) struct Entered {
    /// The client's request, without what went into `inside`.
    pub(crate) client: ClientRequest,
    /// The engine's side, or why there is none.
    pub(crate) inside: Result<Inside, Error>,
}

/// A request inside an engine's gate.
pub(crate) struct Inside {
    /// What the mount was configured to when the request entered.
    pub(crate) facts: Arc<MountFacts>,
    /// What is counted of the mount.
    pub(crate) counters: Arc<Counters>,
    /// The right to be inside, and the instance.
    pub(crate) ticket: Ticket,
    /// The request as the engine will see it.
    pub(crate) request: Request,
}

impl Node {
    /// Enters the gate, for callers that are accepted.
    pub(super) async fn enter(&self, ctx: &Context, routed: Routed, caller: &Caller) -> Entered {
        let Routed {
            request: mut client,
            mount,
            path,
        } = routed;
        if !caller.is_accepted() {
            return Entered {
                client,
                inside: Err(Error::TokenNotAccepted),
            };
        }
        let Some(mount) = mount else {
            let inside = Err(Error::NoRoute(client.path.clone()));
            return Entered { client, inside };
        };
        let ticket = match mount.gate().enter(ctx).await {
            Ok(ticket) => ticket,
            Err(refused) => {
                return Entered {
                    inside: Err(refusal(&mount, &client, refused)),
                    client,
                };
            }
        };
        // The instance that will serve decides, not the one that was there when the caller came: the
        // path may need a token since.
        let special = ticket.instance().backend().special_paths();
        if *caller == Caller::Nobody && !special.is_unauthenticated(&path) {
            let inside = Err(Error::TokenNotAccepted);
            return Entered { client, inside };
        }
        let facts = mount.facts();
        let request = Request {
            id: Arc::clone(&ctx.request_id),
            operation: client.operation,
            client_token: facts.hash_token(client.token.as_deref().unwrap_or_default()),
            mount_point: Arc::clone(&facts.point),
            mount_type: Arc::clone(&facts.mount_type),
            mount_accessor: Arc::clone(&facts.accessor),
            headers: facts.pass_through(&client),
            connection: client.connection.clone(),
            wrap: client.wrap.clone(),
            unauthenticated: *caller == Caller::Nobody,
            data: client.data.take(),
            path,
            ..Request::default()
        };
        Entered {
            client,
            inside: Ok(Inside {
                counters: Arc::clone(mount.counters()),
                facts,
                ticket,
                request,
            }),
        }
    }
}

fn refusal(mount: &Mount, client: &ClientRequest, refused: Refused) -> Error {
    let path = mount.facts().point.to_string();
    match refused {
        Refused::QueueFull(waiting) => EngineError::unavailable(
            format!("{waiting} requests are waiting for the reload of {path:?}: the queue is full"),
            Duration::from_secs(1),
        )
        .into(),
        Refused::Busy => EngineError::unavailable(
            format!("{path:?} is being reloaded"),
            Duration::from_secs(1),
        )
        .into(),
        Refused::Cancelled => EngineError::unavailable(
            format!("request ended while it was waiting for the reload of {path:?}"),
            Duration::from_secs(1),
        )
        .into(),
        Refused::Gone => Error::NoRoute(client.path.clone()),
    }
}
