//! `sys/plugins/pins`: which version of a plugin must run, whatever a mount asked for
//! (plugin-lifecycle §3).

use crate::System;
use crate::answer::{Answer, answer, noted};
use crate::catalog::plugin_type;
use crate::reload::rendered;
use linchpin_catalog::Pin;
use linchpin_engine::Context;
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_model::Operation;
use serde::Serialize;

/// What `reload` means, here and where a mount is tuned.
pub(crate) const RELOAD: &str =
    "Reload what it concerns before the answer, which then says what became of each mount.";

#[derive(Serialize)]
struct Pinned {
    name: String,
    /// Only when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_mounts: Option<Vec<Pending>>,
    r#type: &'static str,
    version: String,
}

/// A mount that the pinned version does not run on yet.
#[derive(Serialize)]
struct Pending {
    mount: String,
    running_version: String,
}

#[derive(Serialize)]
struct Listing {
    pinned_versions: Vec<Pinned>,
}

impl From<Pin> for Pinned {
    fn from(pin: Pin) -> Self {
        Self {
            name: pin.name,
            pending_mounts: None,
            r#type: pin.plugin_type.as_str(),
            version: pin.version.to_string(),
        }
    }
}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("plugins/pins/?", "List the pinned versions.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.list_pins() })
            }),
        PathSpec::<System>::new(
            "plugins/pins/{type:auth|database|secret}/{name}",
            "Pin a plugin to a version, read the pin, remove it.",
        )
        .describe(
            "A pin takes effect when a mount is made or reloaded. It touches nothing that runs.",
        )
        .field("name", FieldType::String, "The plugin's registered name.")
        .field("version", FieldType::String, "The version that must run.")
        .field(
            "pending_mounts",
            FieldType::Bool,
            "On a read: also name the mounts that run another version until they are reloaded.",
        )
        .field("reload", FieldType::Bool, RELOAD)
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_pin(&call) })
        })
        .on_write(|sys, ctx, call| Box::pin(async move { sys.pin(ctx, &call).await }))
        .on(Operation::Delete, |sys, ctx, call| {
            Box::pin(async move { sys.unpin(ctx, &call).await })
        }),
    ]
}

impl System {
    fn list_pins(&self) -> Answer {
        let catalog = self.core()?.catalog();
        answer(&Listing {
            pinned_versions: catalog.pins().map(Pinned::from).collect(),
        })
    }

    fn read_pin(&self, call: &Call) -> Answer {
        let core = self.core()?;
        let pin = core.read_pin(plugin_type(call)?, call.fields.text("name"))?;
        let pending_mounts = call.fields.bool("pending_mounts").then(|| {
            let pending = core.pending_mounts(&pin).into_iter();
            let shown = pending.map(|(mount, running_version)| Pending {
                mount,
                running_version,
            });
            shown.collect()
        });
        answer(&Pinned {
            pending_mounts,
            ..Pinned::from(pin)
        })
    }

    /// 200 without data, as Vault answers it, and never 204. With `reload`, what became of the mounts.
    async fn pin(&self, ctx: &Context, call: &Call) -> Answer {
        let (name, version) = (call.fields.text("name"), call.fields.text("version"));
        let core = self.core()?;
        if call.fields.bool("reload") {
            let report = core
                .pin_and_reload(ctx, plugin_type(call)?, name, version)
                .await?;
            return rendered(report, false);
        }
        let warnings = core.pin(ctx, plugin_type(call)?, name, version).await?;
        Ok(Some(noted(warnings)))
    }

    async fn unpin(&self, ctx: &Context, call: &Call) -> Answer {
        let core = self.core()?;
        if call.fields.bool("reload") {
            let name = call.fields.text("name");
            let report = core.unpin_and_reload(ctx, plugin_type(call)?, name).await?;
            return rendered(report, false);
        }
        core.unpin(ctx, plugin_type(call)?, call.fields.text("name"))
            .await?;
        Ok(Some(noted(Vec::new())))
    }
}
