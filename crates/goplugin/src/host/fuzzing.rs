//! The socket of one instance without the socket: requests in, answers out, for the fuzz target `callbacks` and the test that replays
//! its corpus. No part of the API.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use linchpin_engine::{StorageView, SystemView};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::callbacks::{Callbacks, Services};
use super::transactions::Transactions;
use crate::tasks::Tasks;

/// What a plugin reaches over its socket. Calls are made within a runtime.
pub struct Socket {
    services: Services,
    transactions: Arc<Transactions>,
}

impl Socket {
    /// One connection to the callbacks of a mount.
    #[must_use]
    pub fn new(storage: Arc<dyn StorageView>, system: Arc<dyn SystemView>) -> Self {
        let tasks = Tasks::new(CancellationToken::new());
        let transactions = Arc::new(Transactions::new(Arc::clone(&storage), tasks.clone()));
        let callbacks = Callbacks {
            storage,
            system,
            transactions: Arc::clone(&transactions),
            asks_transactional: Arc::default(),
            cancel: tasks.stop().clone(),
        };
        Self {
            services: callbacks.for_connection(),
            transactions,
        }
    }

    /// One call. Its status is in the head of the answer.
    pub async fn call<B>(&mut self, request: Request<B>) -> Response<Whole>
    where
        B: Body<Data = Bytes> + Send + Unpin,
    {
        let answer = self.services.answer(request).await;
        let cut_off = || Err(Status::cancelled("the call was cut off"));
        match answer.unwrap_or_else(cut_off) {
            Ok(message) => {
                let mut answer = Status::ok("").into_http();
                *answer.body_mut() = Whole(Some(message));
                answer
            }
            Err(status) => status.into_http(),
        }
    }

    /// Ends it; how many transactions were still open.
    #[must_use]
    pub fn end(self) -> usize {
        self.transactions.roll_back_all()
    }
}

/// A body that is there.
#[derive(Default)]
pub struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|whole| Ok(Frame::data(whole))))
    }
}
