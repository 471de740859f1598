//! One request and its answer, from the parsed head to the complete body.

use crate::body;
use crate::budget::Held;
use crate::connection::Link;
use crate::error::{self, Refusal};
use crate::request::{self, Head};
use crate::response::{self, Answer};
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use linchpin_core::ClientRequest;
use linchpin_engine::Context;
use std::sync::Arc;
use tokio::time::Instant;

/// Endpoints that refuse a write for its method, whatever its body is (core-api §2.1).
const BODILESS: [&str; 3] = ["sys/health", "sys/leader", "sys/seal-status"];

/// Serves one request.
///
/// # Cancel safety
/// hyper drops this future when the client is gone: the request's cancellation fires. Nothing else
/// is left behind; the work runs in a task of the handler's own.
pub(crate) async fn serve(link: &Arc<Link>, request: Request<Incoming>) -> Answer {
    let _serving = link
        .activity
        .begin(request.version() >= http::Version::HTTP_2);
    let deadline = Instant::now() + link.shared.limits.request;
    let (parts, incoming) = request.into_parts();
    // Until the answer is there, so that what waits in the pipeline counts too.
    let mut held = link.shared.bodies.hold();
    match admit(link, &parts, incoming, deadline, &mut held).await {
        Ok(client_request) => ask(link, client_request, deadline).await,
        Err(refusal) => {
            let ends = refusal == Refusal::NoRoom && parts.version < http::Version::HTTP_2;
            let mut answer = refusal.answer();
            if ends {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            answer
        }
    }
}

/// Reads head and body into what the pipeline takes.
async fn admit(
    link: &Link,
    parts: &http::request::Parts,
    incoming: Incoming,
    deadline: Instant,
    held: &mut Held,
) -> Result<ClientRequest, Refusal> {
    let limits = &link.shared.limits;
    let Head {
        operation,
        path,
        mut data,
    } = request::head(&parts.method, &parts.uri, &parts.headers)?;
    if operation.is_write() && !BODILESS.contains(&path.as_str()) {
        let bytes = body::read(incoming, &parts.headers, limits.body, deadline, held).await?;
        data = body::decode(bytes, &parts.headers, &path, limits)?;
    }
    let credentials = request::credentials(&parts.headers);
    Ok(ClientRequest {
        operation: Some(operation),
        data,
        headers: request::passed_headers(&parts.headers, &parts.uri, credentials.source),
        token: credentials.token,
        connection: Some(link.peer.connection()),
        wrap: request::wrap(&parts.headers)?,
        path,
    })
}

/// Asks the handler and renders its outcome.
async fn ask(link: &Arc<Link>, client_request: ClientRequest, deadline: Instant) -> Answer {
    let operation = client_request.operation();
    let ctx = Context {
        request_id: Arc::from(linchpin_crypto::random::uuid()),
        deadline: Some(deadline),
        cancel: link.cancel.child_token(),
        namespace: link.shared.root.clone(),
    };
    let request_id = Arc::clone(&ctx.request_id);
    let hang_up = ctx.cancel.clone().drop_guard();
    let outcome = link.shared.handler.handle(ctx, client_request).await;
    hang_up.disarm();
    match outcome {
        Ok(response) => response::success(&request_id, operation, response),
        Err(failure) if link.shared.abort.is_cancelled() => {
            error::answer_interrupted(&request_id, &failure)
        }
        Err(failure) => error::answer(&request_id, &failure),
    }
}
