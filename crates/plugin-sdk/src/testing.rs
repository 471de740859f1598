//! Tests without a server: a mount in memory, driven as a server drives it.
//!
//! ```
//! use linchpin_plugin_sdk::prelude::*;
//! use linchpin_plugin_sdk::testing::Harness;
//! use serde_json::json;
//!
//! # struct Notes { storage: Storage }
//! # impl Notes {
//! #     async fn write(&self, ctx: &Context, call: Call) -> Answer {
//! #         self.storage.put(ctx, call.fields.text("name"), call.fields.text("text")).await?;
//! #         reply::nothing()
//! #     }
//! #     async fn read(&self, ctx: &Context, call: Call) -> Answer {
//! #         match self.storage.get::<String>(ctx, call.fields.text("name")).await? {
//! #             Some(text) => reply::data(&json!({"text": text})),
//! #             None => reply::nothing(),
//! #         }
//! #     }
//! # }
//! # fn backend(setup: &Setup) -> Result<Backend<Notes>, Error> {
//! #     let storage = Storage::of(setup);
//! #     Backend::secrets("Notes.", storage.clone(), Notes { storage })
//! #         .path(PathSpec::new("{name}", "A note.").field("text", FieldType::String, "The note.").write(Notes::write).read(Notes::read))
//! #         .build()
//! # }
//! # fn main() { tokio::runtime::Runtime::new().unwrap().block_on(test()).unwrap() }
//! async fn test() -> Result<(), Error> {
//!     let mut mount = Harness::new(|setup| async move { backend(&setup) }).await?;
//!     mount.write("today", &json!({"text": "rain"})).await?;
//!     mount.reload().await?;
//!     let note: serde_json::Value = mount.read_as("today").await?.unwrap();
//!     assert_eq!(note["text"], "rain");
//!     Ok(())
//! }
//! ```
//!
//! A [`Harness`] first does what a registration probe does, then mounts as servers do: storage is read-only until Initialize. Requests and
//! answers pass through the wire's own conversions, so that an error is what a server makes of it. What no server should see — numbers that
//! a Go server alters, a lease that nothing can revoke — is an error of the call.

mod harness;
mod host_calls;
mod memory;
mod node;

pub use harness::{Harness, IssuedLease};
pub use host_calls::Told;
pub use memory::Memory;
pub use node::Node;
