//! `sys/plugins/catalog`: what may be mounted (plugin-lifecycle §2).
//!
//! A name may hold `/`, so the typed paths come before the typeless one: `catalog/secrets/foo` is
//! the plugin `secrets/foo` without a type.

mod listing;
mod reading;

use crate::System;
use crate::answer::{Answer, answer, done, noted};
use linchpin_catalog::{Registration, Resolved, warnings};
use linchpin_core::refused;
use linchpin_engine::path::{Call, FieldType, Fields, PathSpec};
use linchpin_engine::{Context, Error};
use linchpin_model::{Operation, PluginType, Response};
use listing::Listing;
use reading::Shown;

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("plugins/catalog/?", "List every plugin and its versions.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.list_catalog(false) })
            })
            .on(Operation::List, |sys, _ctx, _call| {
                Box::pin(async move { sys.list_catalog(true) })
            }),
        PathSpec::<System>::new(
            "plugins/catalog/{type:auth|database|secret}/?",
            "List the names of one type.",
        )
        .on(Operation::List, |sys, _ctx, call| {
            Box::pin(async move { sys.list_names(&call) })
        }),
        registration_row(
            "plugins/catalog/{type:auth|database|secret}/{name:rest}",
            "Register, read and deregister a version of a plugin.",
        )
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_plugin(&call).await })
        })
        .on_write(|sys, ctx, call| {
            Box::pin(async move {
                let plugin_type = plugin_type(&call)?;
                sys.register(ctx, Some(plugin_type), &call).await
            })
        })
        .on(Operation::Delete, |sys, ctx, call| {
            Box::pin(async move { sys.deregister(ctx, &call).await })
        }),
        registration_row(
            "plugins/catalog/{name:rest}",
            "Register a plugin whose type is told by running it. Deprecated: name the type.",
        )
        .on(Operation::Read, |_sys, _ctx, call| {
            Box::pin(async move {
                let note = warnings::typeless_read(call.fields.text("name"));
                Ok(Some(noted(vec![note])))
            })
        })
        .on_write(|sys, ctx, call| Box::pin(async move { sys.register(ctx, None, &call).await }))
        .on(Operation::Delete, |_sys, _ctx, call| {
            Box::pin(async move {
                let note = warnings::typeless_delete(call.fields.text("name"));
                Ok(Some(noted(vec![note])))
            })
        }),
    ]
}

fn registration_row(pattern: &str, synopsis: &'static str) -> PathSpec<System> {
    PathSpec::<System>::new(pattern, synopsis)
        .describe(
            "A write replaces the whole entry: what is not given has its default. Nothing that \
             runs is touched.",
        )
        .field("name", FieldType::String, "The plugin's name.")
        .field(
            "version",
            FieldType::String,
            "Its semantic version; empty = unversioned.",
        )
        .field(
            "sha256",
            FieldType::String,
            "The SHA-256 of the file, or of the image, in hexadecimal.",
        )
        .field("sha_256", FieldType::String, "The same; `sha256` wins.")
        .field(
            "command",
            FieldType::String,
            "The file, relative to the plugin directory.",
        )
        .field("args", FieldType::Strings, "Its arguments.")
        .field(
            "env",
            FieldType::Strings,
            "`KEY=value` entries of its environment. Never shown.",
        )
        .field(
            "oci_image",
            FieldType::String,
            "A container image in place of a file.",
        )
        .field(
            "runtime",
            FieldType::String,
            "The runtime of the container image.",
        )
        .field("download", FieldType::Bool, "Not supported.")
        .field(
            "overlap",
            FieldType::Bool,
            "Whether two generations may run beside each other. Default: true.",
        )
        .field(
            "execution",
            FieldType::String,
            "`sealed`, `descriptor` or `path`; empty = as the server is configured.",
        )
}

/// The type in the path.
pub(crate) fn plugin_type(call: &Call) -> Result<PluginType, Error> {
    let word = call.fields.text("type");
    word.parse().map_err(|_| Error::unsupported_path())
}

fn registration(plugin_type: Option<PluginType>, fields: &Fields) -> Registration {
    let text = |name| fields.text(name).to_owned();
    let sha256 = match fields.text("sha256") {
        "" => text("sha_256"),
        given => given.to_owned(),
    };
    Registration {
        plugin_type,
        name: text("name"),
        version: text("version"),
        sha256,
        command: text("command"),
        args: fields.list("args").to_vec(),
        env: fields.list("env").to_vec(),
        oci_image: text("oci_image"),
        runtime: text("runtime"),
        download: fields.bool("download"),
        overlap: fields.optional_bool("overlap").unwrap_or(true),
        execution: text("execution"),
    }
}

impl System {
    /// A list is answered like a read, and says besides which types can be listed by themselves
    /// (plugin-lifecycle §11 item 7).
    fn list_catalog(&self, is_list: bool) -> Answer {
        let catalog = self.core()?.catalog();
        let listing = Listing::of(&catalog);
        answer(&if is_list {
            listing.with_keys()
        } else {
            listing
        })
    }

    fn list_names(&self, call: &Call) -> Answer {
        let catalog = self.core()?.catalog();
        answer(&listing::Keys {
            keys: catalog.names(plugin_type(call)?),
        })
    }

    async fn read_plugin(&self, call: &Call) -> Answer {
        let core = self.core()?;
        let catalog = core.catalog();
        let (name, version) = (call.fields.text("name"), call.fields.text("version"));
        let found = catalog.read(plugin_type(call)?, name, version);
        let Some(read) = found.map_err(refused)? else {
            return Ok(None);
        };
        let mut warnings: Vec<String> = read.warning.into_iter().collect();
        if let Resolved::External(entry) = read.found {
            warnings.extend(core.file_warning(entry).await);
        }
        Ok(Some(Response {
            warnings,
            ..Response::data(crate::answer::data(&Shown::of(read.found))?)
        }))
    }

    async fn register(
        &self,
        ctx: &Context,
        plugin_type: Option<PluginType>,
        call: &Call,
    ) -> Answer {
        let asked = registration(plugin_type, &call.fields);
        done(self.core()?.register(ctx, asked).await?)
    }

    /// The version is the query's: a DELETE has no body (plugin-lifecycle §0.1).
    async fn deregister(&self, ctx: &Context, call: &Call) -> Answer {
        let name = call.fields.text("name");
        let version = call.fields.optional_text("version");
        let core = self.core()?;
        done(
            core.deregister(ctx, plugin_type(call)?, name, version)
                .await?,
        )
    }
}
