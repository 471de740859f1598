//! The system that the plugin manages. In a real plugin this is a client of a database or of a cloud; here it keeps its guests in the
//! mount's storage, so that they outlive the process as they would there.

use linchpin_plugin_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Where guests are let in and shown out.
pub(crate) struct House(Storage);

/// A guest, as the house knows one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Guest {
    pub(crate) key: String,
}

impl House {
    pub(crate) fn new(storage: Storage) -> Self {
        Self(storage)
    }

    /// Lets a guest in.
    pub(crate) async fn let_in(&self, ctx: &Context, name: &str, key: &str) -> Result<(), Error> {
        let guest = Guest {
            key: key.to_owned(),
        };
        self.0.put(ctx, &format!("house/{name}"), &guest).await
    }

    /// Shows a guest out; one who has left already is no error: leases are revoked again after an interruption.
    pub(crate) async fn show_out(&self, ctx: &Context, name: &str) -> Result<(), Error> {
        self.0.delete(ctx, &format!("house/{name}")).await
    }

    /// Who is inside.
    pub(crate) async fn guests(&self, ctx: &Context) -> Result<Vec<String>, Error> {
        self.0.list(ctx, "house/").await
    }
}
