//! Hooks of an engine that get nothing but the context: `async fn tick(&self, ctx: &Context) -> Result<(), Error>`.

use linchpin_engine::{BoxFuture, Context, Error};

/// An `async fn(&E, &Context) -> Result<(), Error>`, named by its path (`Greeter::tick`). It is implemented for every such function whose
/// future can be sent between threads; nothing else implements it.
pub trait AsyncHook<'a, E>: Send + Sync {
    /// Calls it.
    fn call(&self, engine: &'a E, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>>;
}

impl<'a, E, F, Fut> AsyncHook<'a, E> for F
where
    E: 'a,
    F: Fn(&'a E, &'a Context) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), Error>> + Send + 'a,
{
    fn call(&self, engine: &'a E, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self(engine, ctx))
    }
}
