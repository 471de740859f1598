//! An engine as its author writes it down: what it is, its paths, its leases, and what happens when.

use std::collections::BTreeMap;
use std::time::Duration;

use linchpin_engine::path::{AsyncMethod, PathSpec, Table, TableBackend};
use linchpin_engine::{BoxFuture, Context, Error, SpecialPaths};
use linchpin_model::{PluginType, Response, Secret};

use crate::backend::{Backend, Hooks, Kind};
use crate::hook::AsyncHook;
use crate::wal::MIN_AGE;
use crate::{Held, SecretType, Storage, WalEntry};

/// A [`Backend`] in the making. `E` is the author's own type: what its methods need, such as the [`Storage`].
///
/// Handlers are methods `async fn(&self, &Context, …)`, named by their path. The order of the calls does not matter, except that the
/// first row whose pattern fits a path serves it.
#[must_use]
pub struct Builder<E> {
    plugin_type: PluginType,
    help: &'static str,
    engine: E,
    storage: Storage,
    paths: Vec<PathSpec<E>>,
    special: SpecialPaths,
    hooks: Hooks<E>,
    mistakes: Vec<String>,
}

impl<E: Send + Sync + 'static> Builder<E> {
    /// A secrets engine. `help` says what it is, for `help` on its mount; `storage` is the mount's, where the write-ahead log is.
    pub fn secrets(help: &'static str, storage: Storage, engine: E) -> Self {
        Self::new(PluginType::Secret, help, storage, engine)
    }

    /// An auth method: some of its paths take no token ([`Builder::unauthenticated`]) and answer a login.
    pub fn auth(help: &'static str, storage: Storage, engine: E) -> Self {
        Self::new(PluginType::Auth, help, storage, engine)
    }

    fn new(plugin_type: PluginType, help: &'static str, storage: Storage, engine: E) -> Self {
        Self {
            plugin_type,
            help,
            engine,
            storage,
            paths: Vec::new(),
            special: SpecialPaths::default(),
            hooks: Hooks::default(),
            mistakes: Vec::new(),
        }
    }

    /// A path: its pattern, its fields, a handler per operation.
    pub fn path(mut self, path: PathSpec<E>) -> Self {
        self.paths.push(path);
        self
    }

    /// Paths that need sudo: exact, or a prefix when ending in `*`.
    pub fn root(mut self, path: &str) -> Self {
        self.special.root.push(path.to_owned());
        self
    }

    /// Paths that need no token: exact, a prefix when ending in `*`, `+` for one whole segment.
    pub fn unauthenticated(mut self, path: &str) -> Self {
        self.special.unauthenticated.push(path.to_owned());
        self
    }

    /// A storage prefix that is not replicated to other clusters.
    pub fn local_storage(mut self, prefix: &str) -> Self {
        self.special.local_storage.push(prefix.to_owned());
        self
    }

    /// Storage that seals which can encrypt once more: a key, or a prefix when ending in `/`.
    pub fn seal_wrap_storage(mut self, key: &str) -> Self {
        self.special.seal_wrap_storage.push(key.to_owned());
        self
    }

    /// Ends secrets of this kind: `async fn revoke(&self, ctx: &Context, lease: Held) -> Result<(), Error>`. An error makes the server try
    /// again later, so that what is gone already is a success.
    pub fn revoke<M>(mut self, kind: SecretType, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Held, Result<(), Error>> + 'static,
    {
        self.kind(kind).revoke = Some(Box::new(move |engine, ctx, lease| {
            method.call(engine, ctx, lease)
        }));
        self
    }

    /// Extends secrets of this kind: `async fn renew(&self, ctx: &Context, lease: Held) -> Result<Secret, Error>`, which usually ends with
    /// [`Held::extended`]. A renewable kind without such a method is extended by its own times.
    pub fn renew<M>(mut self, kind: SecretType, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, Held, Result<Secret, Error>> + 'static,
    {
        if !kind.is_renewable() {
            self.mistakes.push(format!(
                "the secret type {:?} is not renewable and has a method that renews it",
                kind.name()
            ));
        }
        self.kind(kind).renew = Some(Box::new(move |engine, ctx, lease| {
            method.call(engine, ctx, lease)
        }));
        self
    }

    /// Extends logins of an auth method: `async fn renew(&self, ctx: &Context, request: Request) -> Result<Option<Response>, Error>`; the
    /// login is in `request.auth`.
    pub fn renew_login<M>(mut self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, linchpin_model::Request, Result<Option<Response>, Error>>
            + 'static,
    {
        self.hooks.renew_login = Some(Box::new(move |engine, ctx, request| {
            method.call(engine, ctx, request)
        }));
        self
    }

    /// Undoes what the write-ahead log says was begun and never finished: `async fn undo(&self, ctx: &Context, entry: WalEntry) ->
    /// Result<(), Error>`. After an error the entry stays and is tried again a minute later.
    pub fn undo<M>(mut self, kind: &'static str, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, WalEntry, Result<(), Error>> + 'static,
    {
        let undo: Undo<E> = Box::new(move |engine, ctx, entry| method.call(engine, ctx, entry));
        if self.hooks.undo.insert(kind, undo).is_some() {
            self.mistakes
                .push(format!("two methods undo the kind {kind:?}"));
        }
        self
    }

    /// How old an entry of the log must be before it is undone; ten minutes unless said otherwise. It must be longer than any request
    /// that writes one can take.
    pub fn undo_after(mut self, age: Duration) -> Self {
        self.hooks.undo_after = age;
        self
    }

    /// Called when storage can be written, before the first request: `async fn initialize(&self, ctx: &Context) -> Result<(), Error>`. An
    /// error fails the mount or the reload.
    pub fn initialize<M>(mut self, method: M) -> Self
    where
        M: for<'a> AsyncHook<'a, E> + 'static,
    {
        self.hooks.initialize = Some(Box::new(move |engine, ctx| method.call(engine, ctx)));
        self
    }

    /// Called about once a minute, never twice at a time for one mount: `async fn tick(&self, ctx: &Context) -> Result<(), Error>`. An
    /// error is logged by the server.
    pub fn periodic<M>(mut self, method: M) -> Self
    where
        M: for<'a> AsyncHook<'a, E> + 'static,
    {
        self.hooks.periodic = Some(Box::new(move |engine, ctx| method.call(engine, ctx)));
        self
    }

    /// A storage key was changed by somebody else: `async fn invalidate(&self, ctx: &Context, key: String)`. What is kept of it in memory
    /// is stale.
    pub fn invalidate<M>(mut self, method: M) -> Self
    where
        M: for<'a> AsyncMethod<'a, E, String, ()> + 'static,
    {
        self.hooks.invalidate = Some(Box::new(move |engine, ctx, key| {
            method.call(engine, ctx, key)
        }));
        self
    }

    /// The last call: `async fn cleanup(&self, ctx: &Context) -> Result<(), Error>`. Ends what runs in the background.
    pub fn cleanup<M>(mut self, method: M) -> Self
    where
        M: for<'a> AsyncHook<'a, E> + 'static,
    {
        self.hooks.cleanup = Some(Box::new(move |engine, ctx| method.call(engine, ctx)));
        self
    }

    fn kind(&mut self, kind: SecretType) -> &mut Kind<E> {
        self.hooks
            .kinds
            .entry(kind.name())
            .or_insert_with(|| Kind::new(kind))
    }

    /// The backend.
    ///
    /// # Errors
    /// Every mistake that can be seen here: malformed patterns and special paths, a kind of secret that nothing revokes. It becomes the
    /// answer to Setup, so that no server mounts such a plugin.
    pub fn build(mut self) -> Result<Backend<E>, Error> {
        let table = Table {
            help: self.help,
            paths: self.paths,
            special: self.special,
        };
        if let Some(error) = table.first_error() {
            self.mistakes.push(error.to_string());
        }
        if let Some(path) = table.special.first_invalid() {
            self.mistakes.push(format!(
                "the unauthenticated path {path:?} is malformed: `*` only at the end, `+` only as a whole segment"
            ));
        }
        let kinds = self.hooks.kinds.values();
        self.mistakes
            .extend(kinds.filter(|kind| kind.revoke.is_none()).map(|kind| {
                format!(
                    "nothing revokes the secret type {:?}",
                    kind.secret_type.name()
                )
            }));
        if !self.mistakes.is_empty() {
            return Err(Error::internal(self.mistakes.join("; ")));
        }
        Ok(Backend::new(
            self.plugin_type,
            TableBackend::new(self.engine, table),
            self.storage,
            self.hooks,
        ))
    }
}

/// A method with an input, boxed.
pub(crate) type Method<E, Input, Output> =
    Box<dyn for<'a> Fn(&'a E, &'a Context, Input) -> BoxFuture<'a, Output> + Send + Sync + 'static>;
/// A method without one, boxed.
pub(crate) type Hook<E> = Box<
    dyn for<'a> Fn(&'a E, &'a Context) -> BoxFuture<'a, Result<(), Error>> + Send + Sync + 'static,
>;
/// What undoes one kind of entries.
pub(crate) type Undo<E> = Method<E, WalEntry, Result<(), Error>>;

impl<E> Default for Hooks<E> {
    fn default() -> Self {
        Self {
            kinds: BTreeMap::new(),
            renew_login: None,
            undo: BTreeMap::new(),
            undo_after: MIN_AGE,
            initialize: None,
            periodic: None,
            invalidate: None,
            cleanup: None,
        }
    }
}
