//! Stored records (storage-format §§0, 2-4, 8): from plaintext bytes to Rust values and back. Pure: no clock, no
//! files, no keys.
//!
//! The one promise of this crate: **what we do not know survives.** A record that is read, changed and written back
//! keeps every JSON key and every protobuf field that it had, in its own text, whoever wrote it. [`json`] does this
//! for JSON, [`wire`] for protobuf; a new record type lists its known fields in [`json::Record`] and is done.
//!
//! ```
//! use linchpin_formats::{MountEntry, json::Record};
//! let stored = br#"{"path":"kv/","type":"kv","uuid":"u1","from_the_future":[1, 2]}"#;
//! let mut entry = MountEntry::decode(stored)?;
//! entry.description = "tuned".to_owned();
//! assert!(String::from_utf8_lossy(&entry.encode()).contains(r#""from_the_future":[1, 2]"#));
//! # Ok::<(), linchpin_formats::Error>(())
//! ```

pub mod blob;
pub mod catalog;
pub mod cluster;
pub mod compression;
mod error;
pub mod json;
pub mod keyring;
pub mod keys;
pub mod mount;
pub mod runtime;
pub mod seal;
mod time;
pub mod wire;

pub use blob::BlobInfo;
pub use catalog::{Pin, PluginRecord, StoredType};
pub use cluster::{ClusterInfo, Flavour};
pub use error::Error;
pub use json::{Record, Unknown};
pub use keyring::{Keyring, KeyringKey, RotationConfig};
pub use mount::{MountConfig, MountEntry, MountTable, UserLockoutConfig};
pub use runtime::RuntimeRecord;
pub use seal::{SealConfig, StoredKeys};
pub use time::GoTime;
