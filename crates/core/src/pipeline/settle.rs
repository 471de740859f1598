//! Stage 9, second half: what an engine returned is settled before anybody sees it.
//!
//! Leases and tokens have nothing behind them yet. So that nothing dangles, a secret that would
//! need a lease is revoked at once at its engine and the caller is told; a secret that only says
//! how long a value may be cached (no internal data, as kv version 1 answers) passes.

use super::decide::Authorized;
use super::enter::Inside;
use crate::{Core, Error};
use linchpin_engine::{Context, Error as EngineError};
use linchpin_model::{Operation, Request, Response};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Core {
    /// Settles the answer of one call.
    pub(super) async fn settle(
        &self,
        _ctx: &Context,
        call: &Authorized<Inside>,
        answer: Result<Option<Response>, Error>,
    ) -> Result<Option<Response>, Error> {
        let Some(mut response) = answer? else {
            return Ok(None);
        };
        let inside = call.get();
        response
            .headers
            .retain(|(name, _)| inside.facts.allows_response_header(name));
        let is_refused = response.auth.is_some() || response.raw.is_some();
        if is_refused && response.secret.is_some() {
            self.revoke_at_once(inside, &response).await;
        }
        if response.auth.is_some() {
            return Err(
                EngineError::internal("an auth block from a secrets mount is not allowed").into(),
            );
        }
        if response.raw.is_some() && response.secret.is_some() {
            return Err(EngineError::internal("a raw response cannot carry a secret").into());
        }
        let Some(secret) = &mut response.secret else {
            return Ok(Some(response));
        };
        if secret.internal_data.is_none() {
            // A hint, not a lease: its TTL stays as it is, zero included, as OpenBao answers it.
            secret.lease.renewable = false;
            return Ok(Some(response));
        }
        self.revoke_at_once(inside, &response).await;
        Err(EngineError::internal(
            "this server does not keep leases yet: the secret was revoked at once and is not returned",
        )
        .into())
    }

    /// Gives a secret back to the engine that made it.
    async fn revoke_at_once(&self, inside: &Inside, response: &Response) {
        // Not the request's own context: the client may be gone, the secret must go all the same.
        let ctx =
            Context::internal(CancellationToken::new()).within(std::time::Duration::from_secs(30));
        let request = Request {
            operation: Some(Operation::Revoke),
            path: inside.request.path.clone(),
            data: response.data.clone(),
            secret: response.secret.clone(),
            client_token: inside.facts.hash_token(""),
            mount_point: Arc::clone(&inside.facts.point),
            mount_type: Arc::clone(&inside.facts.mount_type),
            mount_accessor: Arc::clone(&inside.facts.accessor),
            ..Request::default()
        };
        if let Err(error) = inside
            .ticket
            .instance()
            .backend()
            .handle(&ctx, request)
            .await
        {
            tracing::error!(mount = %inside.facts.point, error = %error, "a secret without a lease could not be revoked");
        }
    }

    /// The response could not be recorded: nobody may receive it.
    pub(super) async fn undo(
        &self,
        _ctx: &Context,
        outcome: Result<Option<Response>, Error>,
        refused: Error,
    ) -> Result<Option<Response>, Error> {
        // Secrets with a lease never get here yet (see `settle`), so there is nothing to revoke.
        drop(outcome);
        Err(refused)
    }
}
