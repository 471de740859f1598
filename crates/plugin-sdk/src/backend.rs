//! The backend of one mount: its table of paths, and what a server asks beside paths — leases, periodic work, the write-ahead log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use linchpin_engine::path::TableBackend;
use linchpin_engine::{self as engine, BoxFuture, Context, Error, SpecialPaths};
use linchpin_model::{Operation, PluginType, Request, Response, Secret};

use crate::builder::{Hook, Method, Undo};
use crate::{Builder, Held, SecretType, Storage, Wal, log};

/// A kind of secrets and its handlers.
pub(crate) struct Kind<E> {
    pub(crate) secret_type: SecretType,
    pub(crate) renew: Option<Method<E, Held, Result<Secret, Error>>>,
    pub(crate) revoke: Option<Method<E, Held, Result<(), Error>>>,
}

impl<E> Kind<E> {
    pub(crate) fn new(secret_type: SecretType) -> Self {
        Self {
            secret_type,
            renew: None,
            revoke: None,
        }
    }
}

/// What a backend does beside its paths.
pub(crate) struct Hooks<E> {
    pub(crate) kinds: BTreeMap<&'static str, Kind<E>>,
    pub(crate) renew_login: Option<Method<E, Request, Result<Option<Response>, Error>>>,
    pub(crate) undo: BTreeMap<&'static str, Undo<E>>,
    pub(crate) undo_after: Duration,
    pub(crate) initialize: Option<Hook<E>>,
    pub(crate) periodic: Option<Hook<E>>,
    pub(crate) invalidate: Option<Method<E, String, ()>>,
    pub(crate) cleanup: Option<Hook<E>>,
}

/// One mount's backend, made by a [`Builder`]: what [`crate::serve`] serves and [`crate::testing::Harness`] tests.
pub struct Backend<E> {
    plugin_type: PluginType,
    table: TableBackend<E>,
    storage: Storage,
    hooks: Hooks<E>,
}

impl<E: Send + Sync + 'static> Backend<E> {
    /// Begins a secrets engine; see [`Builder::secrets`].
    pub fn secrets(help: &'static str, storage: Storage, engine: E) -> Builder<E> {
        Builder::secrets(help, storage, engine)
    }

    /// Begins an auth method; see [`Builder::auth`].
    pub fn auth(help: &'static str, storage: Storage, engine: E) -> Builder<E> {
        Builder::auth(help, storage, engine)
    }

    pub(crate) fn new(
        plugin_type: PluginType,
        table: TableBackend<E>,
        storage: Storage,
        hooks: Hooks<E>,
    ) -> Self {
        Self {
            plugin_type,
            table,
            storage,
            hooks,
        }
    }

    /// The author's own part.
    #[must_use]
    pub fn engine(&self) -> &E {
        self.table.engine()
    }

    async fn serve(&self, ctx: &Context, request: Request) -> Result<Option<Response>, Error> {
        match request.operation() {
            Operation::Renew if request.secret.is_none() => match &self.hooks.renew_login {
                Some(renew) => renew(self.engine(), ctx, request).await,
                None => Err(Error::unsupported_operation()),
            },
            Operation::Renew => self.renew(ctx, request).await.map(Some),
            Operation::Revoke => {
                self.revoke(ctx, request).await?;
                Ok(None)
            }
            Operation::Rollback => {
                self.work(ctx, &request).await?;
                Ok(None)
            }
            _ => self.table.serve(ctx, request).await,
        }
    }

    fn kind(&self, name: &str) -> Result<&Kind<E>, Error> {
        let unknown = || Error::internal(format!("this plugin has no secret type {name:?}"));
        self.hooks.kinds.get(name).ok_or_else(unknown)
    }

    async fn renew(&self, ctx: &Context, request: Request) -> Result<Response, Error> {
        let (lease, name) = Held::of(request)?;
        let kind = self.kind(&name)?;
        if !kind.secret_type.is_renewable() {
            return Err(Error::refused("lease is not renewable"));
        }
        let secret = match &kind.renew {
            Some(renew) => renew(self.engine(), ctx, lease).await?,
            None => lease.extended_as(&kind.secret_type),
        };
        Ok(Response {
            secret: Some(secret),
            ..Response::default()
        })
    }

    async fn revoke(&self, ctx: &Context, request: Request) -> Result<(), Error> {
        let (lease, name) = Held::of(request)?;
        match &self.kind(&name)?.revoke {
            Some(revoke) => revoke(self.engine(), ctx, lease).await,
            None => Err(Error::unsupported_operation()),
        }
    }

    /// The periodic function, then the write-ahead log; one that fails does not keep the other from its turn.
    async fn work(&self, ctx: &Context, request: &Request) -> Result<(), Error> {
        let periodic = match &self.hooks.periodic {
            Some(periodic) => periodic(self.engine(), ctx).await,
            None => Ok(()),
        };
        let at_once = request
            .data
            .as_ref()
            .is_some_and(|data| data.members().contains_key("immediate"));
        let undone = self.undo(ctx, at_once).await;
        periodic.and(undone)
    }

    /// Undoes what is old enough, or all of it.
    async fn undo(&self, ctx: &Context, at_once: bool) -> Result<(), Error> {
        // Without a handler there is no log, and a listing a minute would be for nothing.
        if self.hooks.undo.is_empty() {
            return Ok(());
        }
        let wal = Wal::new(&self.storage);
        let mut failed = Ok(());
        for id in wal.list(ctx).await? {
            let Some(entry) = wal.get(ctx, &id).await? else {
                continue;
            };
            if !at_once && !entry.is_older_than(self.hooks.undo_after) {
                continue;
            }
            let Some(undo) = self.hooks.undo.get(entry.kind.as_str()) else {
                // Perhaps another version of this plugin knows it.
                let fields = [("entry", id.as_str()), ("kind", entry.kind.as_str())];
                log::warn("wal", "nothing undoes this kind of entry", &fields);
                continue;
            };
            let outcome = match undo(self.engine(), ctx, entry).await {
                Ok(()) => wal.delete(ctx, &id).await,
                failed => failed,
            };
            if let Err(error) = outcome {
                log::error(
                    "wal",
                    "an entry could not be undone and stays",
                    &[("entry", id.as_str())],
                );
                failed = Err(error);
            }
        }
        failed
    }
}

impl<E: Send + Sync + 'static> engine::Backend for Backend<E> {
    fn plugin_type(&self) -> PluginType {
        self.plugin_type
    }

    fn special_paths(&self) -> Arc<SpecialPaths> {
        Arc::new(self.table.table().special.clone())
    }

    fn initialize<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        match &self.hooks.initialize {
            Some(initialize) => initialize(self.engine(), ctx),
            None => Box::pin(async { Ok(()) }),
        }
    }

    fn handle<'a>(
        &'a self,
        ctx: &'a Context,
        request: Request,
    ) -> BoxFuture<'a, Result<Option<Response>, Error>> {
        Box::pin(self.serve(ctx, request))
    }

    fn exists<'a>(
        &'a self,
        ctx: &'a Context,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(self.table.check_existence(ctx, request))
    }

    fn invalidate<'a>(&'a self, ctx: &'a Context, key: &'a str) -> BoxFuture<'a, ()> {
        match &self.hooks.invalidate {
            Some(invalidate) => invalidate(self.engine(), ctx, key.to_owned()),
            None => Box::pin(async {}),
        }
    }

    fn cleanup<'a>(&'a self, ctx: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let Some(cleanup) = &self.hooks.cleanup
                && let Err(error) = cleanup(self.engine(), ctx).await
            {
                log::error("plugin", "cleanup failed", &[("error", &error.to_string())]);
            }
        })
    }
}
