//! The write-ahead log: what was begun elsewhere and must be undone when the plugin does not get to write down that it succeeded.
//!
//! Entries are as Go plugins have them (plugin-protocol §6), so that a Rust plugin can take the place of a Go one: key `wal/<uuid>`, value
//! `{"type": kind, "data": any, "created_at": unix seconds}`.

use std::time::{Duration, SystemTime};

use linchpin_engine::{Context, Error};
use linchpin_goplugin::guest::random;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Storage;

/// Where the log is in the mount's storage.
const PREFIX: &str = "wal/";

/// How old an entry must be before it is undone, unless the plugin says otherwise: younger ones belong to requests under way.
pub(crate) const MIN_AGE: Duration = Duration::from_secs(600);

/// One mount's write-ahead log.
///
/// ```
/// # use linchpin_plugin_sdk::{Storage, Wal, engine::{Context, Error}};
/// # async fn create_user_elsewhere(name: &str) -> Result<(), Error> { Ok(()) }
/// # async fn example(storage: &Storage, ctx: &Context, name: &str) -> Result<(), Error> {
/// let wal = Wal::new(storage);
/// let entry = wal.put(ctx, "user", &name).await?;
/// create_user_elsewhere(name).await?;
/// storage.put(ctx, &format!("users/{name}"), &name).await?;
/// wal.delete(ctx, &entry).await
/// # }
/// ```
///
/// If the process dies between `put` and `delete`, the handler that [`crate::Builder::undo`] has for `user` is called with the entry.
#[derive(Debug, Clone)]
pub struct Wal(Storage);

/// The name of an entry: a UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalId(String);

impl WalId {
    /// The UUID.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }
}

#[derive(Serialize)]
struct Record<'a, T: ?Sized> {
    r#type: &'a str,
    data: &'a T,
    created_at: u64,
}

#[derive(Deserialize)]
struct Stored {
    r#type: String,
    data: Box<RawValue>,
    #[serde(default)]
    created_at: u64,
}

/// An entry that was read.
pub struct WalEntry {
    /// Its name.
    pub id: WalId,
    /// Its kind.
    pub kind: String,
    /// When it was written, in Unix seconds.
    pub created_at: u64,
    data: Box<RawValue>,
}

impl WalEntry {
    /// What was written.
    ///
    /// # Errors
    /// When it does not have the shape of `T`.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(self.data.get()).map_err(|error| {
            let text = format!("the entry {} of the write-ahead log", self.id.0);
            Error::internal(format!(
                "{text} does not have the expected shape, at column {}",
                error.column()
            ))
        })
    }

    pub(crate) fn is_older_than(&self, age: Duration) -> bool {
        now().saturating_sub(self.created_at) >= age.as_secs()
    }
}

/// What was written may be secret.
impl std::fmt::Debug for WalEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WalEntry")
            .field("id", &self.id.0)
            .field("kind", &self.kind)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map(|since| since.as_secs())
        .unwrap_or_default()
}

impl Wal {
    /// The log of a mount.
    #[must_use]
    pub fn new(storage: &Storage) -> Self {
        Self(storage.clone())
    }

    /// Writes down, before something is done, what is needed to undo it.
    ///
    /// # Errors
    /// When the server refuses or does not answer; then do not begin.
    pub async fn put<T: Serialize + ?Sized>(
        &self,
        ctx: &Context,
        kind: &str,
        data: &T,
    ) -> Result<WalId, Error> {
        let id = WalId(random::uuid());
        let record = Record {
            r#type: kind,
            data,
            created_at: now(),
        };
        self.0.put(ctx, &id.key(), &record).await?;
        Ok(id)
    }

    /// Removes an entry: what it was for has succeeded, or was undone.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn delete(&self, ctx: &Context, id: &WalId) -> Result<(), Error> {
        self.0.delete(ctx, &id.key()).await
    }

    /// Every entry's name.
    ///
    /// # Errors
    /// When the server refuses or does not answer.
    pub async fn list(&self, ctx: &Context) -> Result<Vec<WalId>, Error> {
        let names = self.0.list(ctx, PREFIX).await?;
        Ok(names.into_iter().map(WalId).collect())
    }

    /// An entry; `None` when it is gone.
    ///
    /// # Errors
    /// When the server refuses or does not answer, or when something else is stored there.
    pub async fn get(&self, ctx: &Context, id: &WalId) -> Result<Option<WalEntry>, Error> {
        let stored: Option<Stored> = self.0.get(ctx, &id.key()).await?;
        Ok(stored.map(|stored| WalEntry {
            id: id.clone(),
            kind: stored.r#type,
            created_at: stored.created_at,
            data: stored.data,
        }))
    }
}
