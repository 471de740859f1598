//! Stage 6: what the request really is. Engines that rename paths say the canonical one, so that
//! policies apply to what will be served; the existence check tells create from update.

use super::enter::{Entered, Inside};
use crate::Error;
use crate::node::Node;
use linchpin_engine::{Context, Error as EngineError};
use linchpin_model::{ErrorKind, Operation, Request};
use std::sync::Arc;

impl Node {
    /// Asks the engine, where it has something to say.
    pub(super) async fn classify(&self, ctx: &Context, mut entered: Entered) -> Entered {
        if let Ok(inside) = &mut entered.inside
            && let Err(error) = canonicalise(ctx, inside).await
        {
            entered.inside = Err(error);
        }
        entered
    }
}

async fn canonicalise(ctx: &Context, inside: &mut Inside) -> Result<(), Error> {
    let backend = Arc::clone(inside.ticket.instance().backend());
    if backend.resolves_paths() {
        // A request of its own: the engine is asked about a path, and gets nothing to act on.
        let question = Request {
            operation: Some(Operation::ResolvePath),
            path: inside.request.path.clone(),
            data: inside.request.data.clone(),
            mount_point: Arc::clone(&inside.request.mount_point),
            ..Request::default()
        };
        let asked = backend.resolve_path(ctx, &question);
        if let Some(path) = inside.ticket.run(ctx, asked).await? {
            inside.request.path = path;
        }
    }
    if inside.request.operation() != Operation::Update {
        return Ok(());
    }
    // plugin-protocol §3.10: asked with the operation `update`; afterwards it is what was found.
    let asked = backend.exists(ctx, &inside.request);
    match inside.ticket.run(ctx, asked).await {
        Ok(Some(false)) => inside.request.operation = Some(Operation::Create),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(shown(error, &inside.request)),
    }
    Ok(())
}

/// Errors of the check that the caller may see are shown, others become `internal error`.
fn shown(error: EngineError, request: &Request) -> Error {
    match error.kind() {
        ErrorKind::InvalidRequest | ErrorKind::Unavailable | ErrorKind::UnsupportedOperation => {
            error.into()
        }
        _ => {
            tracing::error!(mount = %request.mount_point, error = %error, "existence check failed");
            EngineError::internal("internal error")
                .with_source(error)
                .into()
        }
    }
}
