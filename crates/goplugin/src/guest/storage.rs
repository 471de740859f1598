//! The mount's storage as an engine in a plugin sees it: `pb.Storage` of the host (plugin-protocol §3.4).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use linchpin_engine::{
    Access, BoxFuture, Context, Page, StorageEntry, StorageError, StorageView, Transaction,
};
use tonic::{Code, Status};

use super::callback::Callback;
use crate::link::Link;
use crate::names::MAX_MESSAGE;
use crate::proto::pb;
use crate::proto::pb::storage_client::StorageClient;

/// Storage of one instance.
pub(super) struct Storage {
    callback: Arc<Callback>,
    /// Whether the host has transactions: 0 not asked yet, 1 yes, 2 no.
    transactional: AtomicU8,
}

impl Storage {
    pub(super) fn new(callback: Arc<Callback>) -> Arc<Self> {
        Arc::new(Self {
            callback,
            transactional: AtomicU8::new(0),
        })
    }

    /// Asked once and any failure is a no: Vault's hosts do not know the call.
    async fn is_transactional(&self) -> bool {
        match self.transactional.load(Ordering::Relaxed) {
            0 => {}
            known => return known == 1,
        }
        let answer = match client(&self.callback).await {
            Ok(mut client) => client
                .is_transactional(pb::Empty {})
                .await
                .is_ok_and(|reply| reply.into_inner().transactional),
            Err(_) => false,
        };
        self.transactional
            .store(if answer { 1 } else { 2 }, Ordering::Relaxed);
        answer
    }
}

/// How storage is reached by both the view and a transaction; `txn` is empty outside one.
async fn client(callback: &Callback) -> Result<StorageClient<Link>, StorageError> {
    let link = callback.link().await.map_err(failed)?;
    Ok(StorageClient::with_origin(link, Link::origin()).max_decoding_message_size(MAX_MESSAGE))
}

async fn get(
    callback: &Callback,
    txn: &str,
    key: &str,
) -> Result<Option<StorageEntry>, StorageError> {
    let args = pb::StorageGetArgs {
        key: key.to_owned(),
        txn: txn.to_owned(),
    };
    let reply = client(callback).await?.get(args).await.map_err(failed)?;
    let reply = reply.into_inner();
    refused(&reply.err)?;
    Ok(reply.entry.map(|entry| StorageEntry {
        key: entry.key,
        value: entry.value,
        seal_wrap: entry.seal_wrap,
    }))
}

async fn list(
    callback: &Callback,
    txn: &str,
    prefix: &str,
    page: Page,
) -> Result<Vec<String>, StorageError> {
    let mut client = client(callback).await?;
    if page != Page::default() {
        let args = pb::StorageListPageArgs {
            prefix: prefix.to_owned(),
            after: page.after.clone(),
            limit: i32::try_from(page.limit).unwrap_or(i32::MAX),
            txn: txn.to_owned(),
        };
        match client.list_page(args).await {
            Ok(reply) => {
                let reply = reply.into_inner();
                refused(&reply.err)?;
                return Ok(reply.keys);
            }
            Err(status) if status.code() == Code::Unimplemented => {}
            Err(status) => return Err(failed(status)),
        }
    }
    let args = pb::StorageListArgs {
        prefix: prefix.to_owned(),
        txn: txn.to_owned(),
    };
    let reply = client.list(args).await.map_err(failed)?.into_inner();
    refused(&reply.err)?;
    Ok(cut(reply.keys, &page))
}

/// The page of a whole listing.
fn cut(keys: Vec<String>, page: &Page) -> Vec<String> {
    let limit = if page.limit == 0 {
        usize::MAX
    } else {
        page.limit
    };
    keys.into_iter()
        .filter(|key| page.after.is_empty() || *key > page.after)
        .take(limit)
        .collect()
}

async fn put(callback: &Callback, txn: &str, entry: StorageEntry) -> Result<(), StorageError> {
    let args = pb::StoragePutArgs {
        entry: Some(pb::StorageEntry {
            key: entry.key,
            value: entry.value,
            seal_wrap: entry.seal_wrap,
        }),
        txn: txn.to_owned(),
    };
    let reply = client(callback).await?.put(args).await.map_err(failed)?;
    refused(&reply.into_inner().err)
}

async fn delete(callback: &Callback, txn: &str, key: &str) -> Result<(), StorageError> {
    let args = pb::StorageDeleteArgs {
        key: key.to_owned(),
        txn: txn.to_owned(),
    };
    let reply = client(callback).await?.delete(args).await.map_err(failed)?;
    refused(&reply.into_inner().err)
}

/// A storage error comes as its text alone; the texts that we know become what they were.
fn refused(text: &str) -> Result<(), StorageError> {
    if text.is_empty() {
        return Ok(());
    }
    let known = [
        StorageError::ReadOnly,
        StorageError::Setup,
        StorageError::RelativePath,
        StorageError::Conflict,
        StorageError::Ended,
        StorageError::Replaced,
        StorageError::Sealed,
        StorageError::Cancelled,
    ];
    Err(known
        .into_iter()
        .find(|error| error.to_string() == text)
        .unwrap_or_else(|| StorageError::Failed {
            text: text.to_owned(),
            source: None,
        }))
}

fn failed(status: Status) -> StorageError {
    StorageError::Failed {
        text: format!("storage call to the host: {}", status.message()),
        source: Some(Arc::new(status)),
    }
}

/// Waits for a call as long as its request lives; dropping the call resets it.
async fn bounded<T>(
    ctx: &Context,
    call: impl Future<Output = Result<T, StorageError>>,
) -> Result<T, StorageError> {
    ctx.race(call).await.unwrap_or(Err(StorageError::Cancelled))
}

impl StorageView for Storage {
    fn get<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(bounded(ctx, get(&self.callback, "", key)))
    }

    fn list<'a>(
        &'a self,
        ctx: &'a Context,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(bounded(ctx, list(&self.callback, "", prefix, page)))
    }

    fn put<'a>(
        &'a self,
        ctx: &'a Context,
        entry: StorageEntry,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(bounded(ctx, put(&self.callback, "", entry)))
    }

    fn delete<'a>(
        &'a self,
        ctx: &'a Context,
        key: &'a str,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(bounded(ctx, delete(&self.callback, "", key)))
    }

    fn begin<'a>(
        &'a self,
        ctx: &'a Context,
        access: Access,
    ) -> BoxFuture<'a, Result<Box<dyn Transaction>, StorageError>> {
        Box::pin(bounded(ctx, async move {
            if !self.is_transactional().await {
                return Ok(Box::new(Emulated {
                    callback: Arc::clone(&self.callback),
                    access,
                    writes: BTreeMap::new(),
                }) as Box<dyn Transaction>);
            }
            let mut client = client(&self.callback).await?;
            let begun = match access {
                Access::ReadOnly => client.begin_read_only_tx(pb::Empty {}).await,
                Access::ReadWrite => client.begin_tx(pb::Empty {}).await,
            };
            let reply = begun.map_err(failed)?.into_inner();
            refused(&reply.err)?;
            Ok(Box::new(Remote {
                callback: Arc::clone(&self.callback),
                txn: reply.txn,
            }) as Box<dyn Transaction>)
        }))
    }
}

/// A transaction of the host.
struct Remote {
    callback: Arc<Callback>,
    /// Its id; empty once it has ended.
    txn: String,
}

impl Transaction for Remote {
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(get(&self.callback, &self.txn, key))
    }

    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(list(&self.callback, &self.txn, prefix, page))
    }

    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(put(&self.callback, &self.txn, entry))
    }

    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(delete(&self.callback, &self.txn, key))
    }

    fn commit(mut self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        Box::pin(async move {
            let args = pb::StorageCommitTxArgs {
                txn: std::mem::take(&mut self.txn),
            };
            let mut client = client(&self.callback).await?;
            let reply = client.commit(args).await.map_err(failed)?;
            refused(&reply.into_inner().err)
        })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let txn = std::mem::take(&mut self.txn);
        if txn.is_empty() {
            return;
        }
        let callback = Arc::clone(&self.callback);
        self.callback.tasks.spawn(async move {
            if let Ok(mut client) = client(&callback).await {
                // One that is lost is rolled back by the host when it is old enough.
                let _ = client.rollback(pb::StorageRollbackTxArgs { txn }).await;
            }
        });
    }
}

/// What stands in for a transaction where the host has none: writes are kept until the commit and then done one after the other. Not
/// atomic, as nothing is on such a host.
struct Emulated {
    callback: Arc<Callback>,
    access: Access,
    /// By key; `None` is a deletion.
    writes: BTreeMap<String, Option<StorageEntry>>,
}

impl Emulated {
    fn write(&mut self, key: String, entry: Option<StorageEntry>) -> Result<(), StorageError> {
        match self.access {
            Access::ReadOnly => Err(StorageError::ReadOnly),
            Access::ReadWrite => {
                self.writes.insert(key, entry);
                Ok(())
            }
        }
    }
}

impl Transaction for Emulated {
    fn get<'a>(
        &'a mut self,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<StorageEntry>, StorageError>> {
        Box::pin(async move {
            match self.writes.get(key) {
                Some(written) => Ok(written.clone()),
                None => get(&self.callback, "", key).await,
            }
        })
    }

    fn list<'a>(
        &'a mut self,
        prefix: &'a str,
        page: Page,
    ) -> BoxFuture<'a, Result<Vec<String>, StorageError>> {
        Box::pin(async move {
            let mut names = list(&self.callback, "", prefix, Page::default()).await?;
            for (key, written) in &self.writes {
                let Some(name) = key.strip_prefix(prefix) else {
                    continue;
                };
                let child = match name.split_once('/') {
                    Some((folder, _)) => format!("{folder}/"),
                    None => name.to_owned(),
                };
                match written {
                    Some(_) => names.push(child),
                    None => names.retain(|other| *other != child || child.ends_with('/')),
                }
            }
            names.sort_unstable();
            names.dedup();
            Ok(cut(names, &page))
        })
    }

    fn put<'a>(&'a mut self, entry: StorageEntry) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move { self.write(entry.key.clone(), Some(entry)) })
    }

    fn delete<'a>(&'a mut self, key: &'a str) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move { self.write(key.to_owned(), None) })
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StorageError>> {
        Box::pin(async move {
            for (key, written) in self.writes {
                match written {
                    Some(entry) => put(&self.callback, "", entry).await?,
                    None => delete(&self.callback, "", &key).await?,
                }
            }
            Ok(())
        })
    }
}
