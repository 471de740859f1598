//! The mount's storage with values as the types that they are: JSON on disk, as Go plugins write it.

use std::sync::Arc;

use linchpin_engine::{
    Access, BoxFuture, Context, Error, Page, StorageEntry, StorageError, StorageView, Transaction,
};
use linchpin_goplugin::guest::Setup;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How often [`Storage::transact`] tries again after a conflict.
const ATTEMPTS: usize = 16;

/// One mount's storage. Cloning is cheap; all clones are the same storage.
///
/// Keys are relative to the mount, parts joined by `/`; nobody else sees them. A write is durable when it returns. Between Setup and
/// `initialize` the server refuses writes, and in a probe every call fails.
#[derive(Clone)]
pub struct Storage(Arc<dyn StorageView>);

impl Storage {
    /// The storage that Setup has given.
    #[must_use]
    pub fn of(setup: &Setup) -> Self {
        Self(Arc::clone(&setup.storage))
    }

    /// A storage from another source, such as a test's.
    #[must_use]
    pub fn new(view: Arc<dyn StorageView>) -> Self {
        Self(view)
    }

    /// The storage as bytes.
    #[must_use]
    pub fn view(&self) -> &Arc<dyn StorageView> {
        &self.0
    }

    /// The value under a key, or `None`.
    ///
    /// # Errors
    /// When the server refuses or does not answer, or when what is stored does not have the shape of `T`.
    pub async fn get<T: DeserializeOwned>(
        &self,
        ctx: &Context,
        key: &str,
    ) -> Result<Option<T>, Error> {
        decode(self.0.get(ctx, key).await?)
    }

    /// Stores a value.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn put<T: Serialize + ?Sized>(
        &self,
        ctx: &Context,
        key: &str,
        value: &T,
    ) -> Result<(), Error> {
        Ok(self.0.put(ctx, encode(key, value)?).await?)
    }

    /// Deletes what is under a key; that there is nothing is not an error.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn delete(&self, ctx: &Context, key: &str) -> Result<(), Error> {
        Ok(self.0.delete(ctx, key).await?)
    }

    /// The names below `prefix`, which is empty or ends with `/`: sorted, relative to it, one level deep. A name that has more below it
    /// ends with `/`.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn list(&self, ctx: &Context, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.0.list(ctx, prefix, Page::default()).await?)
    }

    /// At most `limit` of these names (0 = all), only such that sort after `after`. A server without paging sends all of them, and the
    /// page is cut here.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn list_page(
        &self,
        ctx: &Context,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let page = Page {
            after: after.to_owned(),
            limit,
        };
        Ok(self.0.list(ctx, prefix, page).await?)
    }

    /// Reads and writes together: `body` runs in a transaction that is committed when it succeeds, and runs again when something that it
    /// read has changed meanwhile. So it has no other effects, and clones what it uses.
    ///
    /// OpenBao and Linchpin commit all of it or nothing. Vault has no transactions: there the writes are made one after the other at the
    /// end, and a crash in between leaves some of them. Where that matters, use the write-ahead log ([`crate::Wal`]).
    ///
    /// ```
    /// # use linchpin_plugin_sdk::{Storage, engine::{Context, Error}};
    /// # async fn example(storage: &Storage, ctx: &Context, name: &str) -> Result<u64, Error> {
    /// let key = format!("counters/{name}");
    /// storage
    ///     .transact(ctx, |mut tx| {
    ///         // For this run; there may be another one.
    ///         let key = key.clone();
    ///         Box::pin(async move {
    ///             let next = tx.get::<u64>(&key).await?.unwrap_or_default() + 1;
    ///             tx.put(&key, &next).await?;
    ///             Ok(next)
    ///         })
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// What `body` answers, what the server refuses, and a conflict that comes back sixteen times.
    pub async fn transact<T, F>(&self, ctx: &Context, mut body: F) -> Result<T, Error>
    where
        F: for<'t> FnMut(Tx<'t>) -> BoxFuture<'t, Result<T, Error>>,
    {
        for _ in 0..ATTEMPTS {
            let mut tx = self.0.begin(ctx, Access::ReadWrite).await?;
            let out = body(Tx(tx.as_mut())).await?;
            match tx.commit().await {
                Ok(()) => return Ok(out),
                Err(StorageError::Conflict) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(StorageError::Conflict.into())
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Storage")
    }
}

/// A transaction of [`Storage::transact`]. It sees its own writes.
pub struct Tx<'t>(&'t mut dyn Transaction);

impl Tx<'_> {
    /// As [`Storage::get`].
    ///
    /// # Errors
    /// As there.
    pub async fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, Error> {
        decode(self.0.get(key).await?)
    }

    /// As [`Storage::put`].
    ///
    /// # Errors
    /// As there.
    pub async fn put<T: Serialize + Sync + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), Error> {
        Ok(self.0.put(encode(key, value)?).await?)
    }

    /// As [`Storage::delete`].
    ///
    /// # Errors
    /// As there.
    pub async fn delete(&mut self, key: &str) -> Result<(), Error> {
        Ok(self.0.delete(key).await?)
    }

    /// As [`Storage::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn list(&mut self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.0.list(prefix, Page::default()).await?)
    }
}

fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<StorageEntry, Error> {
    let value = serde_json::to_vec(value)
        .map_err(|error| Error::internal(format!("encode {key}")).with_source(error))?;
    Ok(StorageEntry {
        key: key.to_owned(),
        value: value.into(),
        seal_wrap: false,
    })
}

fn decode<T: DeserializeOwned>(entry: Option<StorageEntry>) -> Result<Option<T>, Error> {
    let Some(entry) = entry else {
        return Ok(None);
    };
    // The error of the decoder may quote what is stored, so only its place is told.
    match serde_json::from_slice(&entry.value) {
        Ok(value) => Ok(Some(value)),
        Err(error) => Err(Error::internal(format!(
            "the entry {} does not have the expected shape, at line {} column {}",
            entry.key,
            error.line(),
            error.column()
        ))),
    }
}
