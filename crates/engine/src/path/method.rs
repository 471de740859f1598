//! Handlers that are plain `async fn`s.
//!
//! [`PathSpec::on`] takes a closure that boxes its future; the methods here take `Greeter::read` as it is written.

use super::{Call, PathSpec};
use crate::{BoxFuture, Context, Error};
use linchpin_model::{Operation, Response};

/// An `async fn(&E, &Context, Input) -> Output`: a method of an engine, named by its path (`Greeter::read`). It is implemented for every
/// such function whose future can be sent between threads; nothing else implements it.
///
/// A closure does not fit where the compiler cannot tell that its future borrows from its arguments; write a method, or
/// [`PathSpec::on`] with a boxed future.
pub trait AsyncMethod<'a, E, Input, Output>: Send + Sync {
    /// Calls it.
    fn call(&self, engine: &'a E, ctx: &'a Context, input: Input) -> BoxFuture<'a, Output>;
}

impl<'a, E, Input, Output, F, Fut> AsyncMethod<'a, E, Input, Output> for F
where
    E: 'a,
    F: Fn(&'a E, &'a Context, Input) -> Fut + Send + Sync,
    Fut: Future<Output = Output> + Send + 'a,
{
    fn call(&self, engine: &'a E, ctx: &'a Context, input: Input) -> BoxFuture<'a, Output> {
        Box::pin(self(engine, ctx, input))
    }
}

/// What a handler answers; `None` = nothing is there (404 for a read), or nothing is to be said (204 for a write).
pub type Answer = Result<Option<Response>, Error>;

impl<E: 'static> PathSpec<E> {
    /// The handler of one operation.
    #[must_use]
    pub fn handle<M>(self, operation: Operation, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Call, Answer> + 'static,
    {
        self.on(operation, move |engine, ctx, call| {
            method.call(engine, ctx, call)
        })
    }

    /// The handler of reads.
    #[must_use]
    pub fn read<M>(self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Call, Answer> + 'static,
    {
        self.handle(Operation::Read, method)
    }

    /// The handler of writes, whether they create or update.
    #[must_use]
    pub fn write<M>(self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Call, Answer> + 'static,
    {
        self.on_write(move |engine, ctx, call| method.call(engine, ctx, call))
    }

    /// The handler of deletions.
    #[must_use]
    pub fn delete<M>(self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Call, Answer> + 'static,
    {
        self.handle(Operation::Delete, method)
    }

    /// The handler of lists. The path of a list request ends with `/`: end the pattern with `/?`.
    #[must_use]
    pub fn list<M>(self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Call, Answer> + 'static,
    {
        self.handle(Operation::List, method)
    }

    /// Says whether what a write addresses exists, so that the server tells create from update.
    #[must_use]
    pub fn exists<M>(self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Call, Result<bool, Error>> + 'static,
    {
        self.existence(move |engine, ctx, call| method.call(engine, ctx, call))
    }
}
