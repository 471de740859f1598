//! `kv` version 1: what is written under a path is read under it (storage-format §7.1).
//!
//! The members `ttl` and `lease` of a secret set the lease duration that a read shows, as a hint to
//! its reader. There is no lease behind it: nothing is registered or revoked.
//!
//! Compared by hand with OpenBao 2.7.2: writes, reads, deletions, lists, their empty and root
//! forms, and the durations below. Where it shows a negative duration we show 0.

mod ttl;

use linchpin_engine::path::{Call, Engine, PathSpec, Table};
use linchpin_engine::{Context, Error, Page, SpecialPaths, StorageEntry, StorageView, SystemView};
use linchpin_model::{JsonObject, Lease, Operation, PluginType, Response, Secret};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The engine.
pub(crate) struct Kv {
    storage: Arc<dyn StorageView>,
    system: Arc<dyn SystemView>,
}

impl Engine for Kv {
    fn plugin_type(&self) -> PluginType {
        PluginType::Secret
    }
}

/// Refuses the versions of kv that are not here.
pub(crate) fn check_options(options: &BTreeMap<String, String>) -> Result<(), Error> {
    match options.get("version").map(String::as_str) {
        None | Some("" | "1") => Ok(()),
        Some("2") => Err(Error::refused(
            "kv version 2 is not in this release: use version 1, or mount a kv plugin from the catalog",
        )),
        Some(other) => Err(Error::refused(format!(
            "kv has no version {other:?}: the option \"version\" is 1 or absent"
        ))),
    }
}

/// Its paths.
pub(crate) fn table() -> Table<Kv> {
    Table {
        help: "Keeps secrets: JSON objects under paths of your choice, encrypted like everything\n\
               that is stored. A secret is replaced as a whole; there is one version of it.",
        special: SpecialPaths::default(),
        paths: vec![
            PathSpec::<Kv>::new("{path:rest}", "Write, read, list and delete secrets.")
                .describe(
                    "The members of the body are the secret. If one of them is \"ttl\" (or \"lease\"), a\n\
                     duration, a read shows it as the lease duration: a hint after what time to read\n\
                     again. Nothing else depends on it.",
                )
                .any_field()
                .existence(|kv, ctx, call| Box::pin(kv.exists(ctx, call)))
                .on(Operation::Read, |kv, ctx, call| Box::pin(kv.read(ctx, call)))
                .on(Operation::List, |kv, ctx, call| Box::pin(kv.list(ctx, call)))
                .on(Operation::Delete, |kv, ctx, call| Box::pin(kv.delete(ctx, call)))
                .on_write(|kv, ctx, call| Box::pin(kv.write(ctx, call))),
            PathSpec::<Kv>::new("", "List the secrets.")
                .any_field()
                .on(Operation::Read, |_, _, _| Box::pin(async { Ok(None) }))
                .on(Operation::List, |kv, ctx, call| Box::pin(kv.list(ctx, call)))
                .on(Operation::Delete, |_, _, _| Box::pin(async { Ok(None) }))
                .on_write(|_, _, _| Box::pin(async { Err(Error::refused("missing path")) })),
        ],
    }
}

impl Kv {
    pub(crate) fn new(storage: Arc<dyn StorageView>, system: Arc<dyn SystemView>) -> Self {
        Self { storage, system }
    }

    async fn exists(&self, ctx: &Context, call: Call) -> Result<bool, Error> {
        Ok(self.entry(ctx, &call.request.path).await?.is_some())
    }

    /// The entry at a path. A folder is not an entry.
    async fn entry(&self, ctx: &Context, path: &str) -> Result<Option<StorageEntry>, Error> {
        if path.ends_with('/') {
            return Ok(None);
        }
        Ok(self.storage.get(ctx, path).await?)
    }

    async fn read(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        let Some(entry) = self.entry(ctx, &call.request.path).await? else {
            return Ok(None);
        };
        let data = JsonObject::from_text(entry.value).map_err(|error| {
            Error::internal("the stored secret is not a JSON object").with_source(error)
        })?;
        let ttl = ttl::of(&data).unwrap_or_else(|| self.system.default_lease_ttl());
        Ok(Some(Response {
            secret: Some(Secret {
                lease: Lease {
                    ttl,
                    ..Lease::default()
                },
                internal_data: None,
            }),
            warnings: ignored(&call, &[]),
            ..Response::data(data)
        }))
    }

    async fn write(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        let members = call
            .request
            .data
            .as_ref()
            .map(JsonObject::members)
            .unwrap_or_default();
        if members.is_empty() {
            return Err(Error::refused("missing data fields"));
        }
        // Sorted and each name once, as Vault stores it; the values keep their text.
        let data = JsonObject::from_serialize(&members)
            .map_err(|error| Error::internal("write the secret as JSON").with_source(error))?;
        self.storage
            .put(
                ctx,
                StorageEntry {
                    key: call.request.path,
                    value: data.bytes(),
                    seal_wrap: false,
                },
            )
            .await?;
        Ok(None)
    }

    async fn delete(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        if !call.request.path.ends_with('/') {
            self.storage.delete(ctx, &call.request.path).await?;
        }
        Ok(None)
    }

    async fn list(&self, ctx: &Context, call: Call) -> Result<Option<Response>, Error> {
        let mut prefix = call.request.path.trim_start_matches('/').to_owned();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let keys = self.storage.list(ctx, &prefix, page(&call)?).await?;
        let data = JsonObject::from_serialize(&serde_json::json!({ "keys": keys }))
            .map_err(|error| Error::internal("write the list as JSON").with_source(error))?;
        Ok(Some(Response {
            warnings: ignored(&call, &["after", "limit"]),
            ..Response::data(data)
        }))
    }
}

/// `after` and `limit` of a list (core-api §1.10). They are no declared fields, because in a write
/// the same names are part of the secret.
fn page(call: &Call) -> Result<Page, Error> {
    let mut sent = call
        .request
        .data
        .as_ref()
        .map(JsonObject::members)
        .unwrap_or_default();
    let mut text = |name: &str| {
        let raw: Option<Box<RawValue>> = sent.remove(name);
        raw.and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
            .unwrap_or_default()
    };
    let after = text("after");
    let limit = match text("limit").as_str() {
        "" => 0,
        digits => digits.parse::<i64>().map_err(|_| {
            Error::refused(
                "Field validation failed: error converting input for field \"limit\": '' cannot parse value as 'int': strconv.ParseInt: invalid syntax",
            )
        })?,
    };
    Ok(Page {
        after,
        limit: usize::try_from(limit).unwrap_or(0),
    })
}

/// The warnings about parameters of a read or list (core-api §1.4).
fn ignored(call: &Call, known: &[&str]) -> Vec<String> {
    let Some(data) = &call.request.data else {
        return Vec::new();
    };
    let mut names: Vec<String> = data.members().into_keys().collect();
    let replaced = names.iter().any(|name| name == "path");
    names.retain(|name| name != "path" && !known.contains(&name.as_str()));
    let mut out = Vec::new();
    if !names.is_empty() {
        out.push(format!(
            "Endpoint ignored these unrecognized parameters: [{}]",
            names.join(" ")
        ));
    }
    if replaced {
        out.push(
            "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [path]"
                .to_owned(),
        );
    }
    out
}

#[cfg(test)]
mod tests;
