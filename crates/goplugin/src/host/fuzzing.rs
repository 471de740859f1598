//! The socket of one instance without the socket: requests in, answers out, for the fuzz target `callbacks` and the test that replays
//! its corpus. No part of the API.

use std::sync::Arc;

use http::{Request, Response};
use linchpin_engine::{StorageView, SystemView};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, StdError};
use tower::Service;

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

    /// One call, as HTTP/2 delivers it.
    pub async fn call<B>(&mut self, request: Request<B>) -> Response<Body>
    where
        B: HttpBody + Send + 'static,
        B::Error: Into<StdError> + Send + 'static,
    {
        match self.services.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Ends it; how many transactions were still open.
    #[must_use]
    pub fn end(self) -> usize {
        self.transactions.roll_back_all()
    }
}
