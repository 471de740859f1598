//! Engine code in a task of its own, which is never dropped in the middle.
//!
//! When the host gives a call up, or its time is over, the task's context is cancelled and the work ends by itself; when it panics, the
//! host gets an error with a text and every other call goes on (plugin-protocol §1.10, §6).

use std::sync::Arc;

use linchpin_engine::{Context, Error};
use tokio::time::Instant;
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::log;
use crate::convert::{ErrorClass, PluginError};
use crate::proto::pb;
use crate::tasks::Tasks;
use crate::timeout;

/// Why the work has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// It answered with an error.
    Engine(Error),
    /// It panicked, or the process is being stopped.
    Broken(&'static str),
}

impl Failure {
    /// How it travels. A panic is an internal error (§6); what an engine answers has a class of its own.
    pub(super) fn to_wire(&self) -> pb::ProtoError {
        match self {
            Self::Engine(error) => PluginError::from_engine(error),
            Self::Broken(text) => PluginError {
                class: ErrorClass::Internal,
                message: (*text).to_owned(),
                code: 0,
                shown: None,
                response: None,
            },
        }
        .to_wire()
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Engine(error) => error.fmt(f),
            Self::Broken(text) => f.write_str(text),
        }
    }
}

/// Runs the work of a call. Its context has the deadline that the caller sent and is cancelled when nobody waits any more.
///
/// # Errors
/// `DEADLINE_EXCEEDED` when the time was over before there was a result, also when the work said so itself.
pub(super) async fn run<T, F>(
    tasks: &Tasks,
    metadata: &MetadataMap,
    request_id: Arc<str>,
    work: impl FnOnce(Context) -> F,
) -> Result<Result<T, Failure>, Status>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Error>> + Send + 'static,
{
    let mut ctx = Context::internal(tasks.stop().child_token());
    ctx.request_id = request_id;
    let limit = metadata
        .get(timeout::NAME.as_str())
        .and_then(|value| timeout::from_text(value.to_str().ok()?))
        // One that no clock reaches is none.
        .and_then(|limit| Instant::now().checked_add(limit));
    ctx.deadline = limit;
    let _hang_up = ctx.cancel.clone().drop_guard();
    let task = tasks.tracker().spawn(work(ctx));
    let ended = match limit {
        None => task.await,
        Some(at) => tokio::time::timeout_at(at, task)
            .await
            .map_err(|_| late())?,
    };
    match ended {
        Ok(Ok(result)) => Ok(Ok(result)),
        Ok(Err(_)) if limit.is_some_and(|at| at <= Instant::now()) => Err(late()),
        Ok(Err(error)) => Ok(Err(Failure::Engine(error))),
        Err(error) => {
            let text = if error.is_panic() {
                "the plugin panicked while it served the request"
            } else {
                "the plugin is being stopped"
            };
            log::error("plugin", text, &[]);
            Ok(Err(Failure::Broken(text)))
        }
    }
}

/// In the words of Go's.
fn late() -> Status {
    Status::deadline_exceeded("context deadline exceeded")
}
