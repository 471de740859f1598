//! What the server can be asked beyond the [`SystemView`](crate::engine::SystemView): entities, groups, passwords, wrapping, events.
//!
//! The calls of [`HostCalls`] go to the server each time, and each may fail: which of them a server has depends on whether it is
//! Linchpin, OpenBao or Vault, and on its age. A handler says what that means for its request:
//!
//! ```
//! use linchpin_plugin_sdk::host::{HostCalls, HostError};
//! use linchpin_plugin_sdk::prelude::*;
//! use linchpin_plugin_sdk::testing::{Harness, Node};
//! use serde_json::json;
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! struct Teams {
//!     host: Arc<dyn HostCalls>,
//! }
//!
//! impl Teams {
//!     async fn of(&self, ctx: &Context, call: Call) -> Answer {
//!         // Needed: without it the request fails with the server's text.
//!         let groups = self.host.groups(ctx, call.fields.text("entity")).await?;
//!         let names: Vec<_> = groups.into_iter().map(|group| group.name).collect();
//!         // Not needed: OpenBao does not have it.
//!         let about = BTreeMap::from([("path".to_owned(), call.request.path.clone())]);
//!         match self.host.send_event(ctx, "teams/asked", &about).await {
//!             Ok(()) | Err(HostError::Unsupported) => {}
//!             Err(error) => log::warn("teams", "no event was sent", &[("error", &error.to_string())]),
//!         }
//!         reply::data(&json!({"teams": names}))
//!     }
//! }
//!
//! fn backend(setup: &Setup) -> Result<Backend<Teams>, Error> {
//!     let host = Arc::clone(&setup.host);
//!     Backend::secrets("Says who is in which team.", Storage::of(setup), Teams { host })
//!         .path(PathSpec::new("of/{entity}", "The teams of an entity.").read(Teams::of))
//!         .build()
//! }
//!
//! # fn main() { tokio::runtime::Runtime::new().unwrap().block_on(test()).unwrap() }
//! // A test sets what the server answers, and sees what it was told.
//! async fn test() -> Result<(), Error> {
//!     let mount = Harness::new(|setup| async move { backend(&setup) }).await?;
//!     mount.node().set_groups("e1", &["admins"]);
//!     let data: serde_json::Value = mount.read_as("of/e1").await?.unwrap();
//!     assert_eq!(data["teams"], json!(["admins"]));
//!     assert_eq!(mount.node().events()[0].0, "teams/asked");
//!     mount.node().set_host_calls(false);
//!     let error = mount.read("of/e1").await.unwrap_err();
//!     assert_eq!(error.to_string(), "the server does not have this call");
//!     Ok(())
//! }
//! ```
//!
//! Rotation jobs, which only Vault Enterprise has, are not here.

pub use linchpin_goplugin::guest::{
    Alias, Entity, Group, HostCalls, HostError, IdentityToken, Wrapped,
};
