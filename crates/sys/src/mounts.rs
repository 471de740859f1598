//! `sys/mounts`: list, read, mount, tune, unmount (core-api §2.8, plugin-lifecycle §§4.3-4.6).
//!
//! What the family of auth methods shares with it is here too; `auth.rs` has the differences.

use crate::System;
use crate::answer::{Answer, done, injected};
use crate::mount_body::{new_mount, tuning};
use crate::mount_entry::{Entry, Tuned, is_auth};
use linchpin_core::Tuning;
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_engine::{Context, Error};
use linchpin_model::{Operation, PluginType};
use std::collections::BTreeMap;

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("mounts", "List the secrets engines that are mounted.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.list_mounts(PluginType::Secret) })
            }),
        tune_row(
            "mounts/{path:rest}/tune",
            "Read and change the configuration of a mount.",
        )
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_tuning(&full_path("", &call)) })
        })
        .on_write(|sys, ctx, call| {
            Box::pin(async move { sys.tune(ctx, &full_path("", &call), &call).await })
        }),
        mount_row(
            "mounts/{path:rest}",
            "Mount, read and unmount a secrets engine.",
        )
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_mount(&call) })
        })
        .on_write(|sys, ctx, call| {
            Box::pin(async move { sys.mount(ctx, PluginType::Secret, &call).await })
        })
        .on(Operation::Delete, |sys, ctx, call| {
            Box::pin(async move { sys.unmount(ctx, &call).await })
        }),
    ]
}

/// The fields of mounting.
pub(crate) fn mount_row(pattern: &str, synopsis: &'static str) -> PathSpec<System> {
    PathSpec::<System>::new(pattern, synopsis)
        .describe(
            "`config` takes `default_lease_ttl`, `max_lease_ttl`, `force_no_cache`, \
             `listing_visibility`, `plugin_version`, `audit_non_hmac_request_keys`, \
             `audit_non_hmac_response_keys`, `passthrough_request_headers`, \
             `allowed_response_headers`, and for auth methods `token_type`. `allowed_managed_keys`, \
             `delegated_auth_accessors` and `identity_token_key` are kept and not acted on.",
        )
        .field("path", FieldType::String, "Where the mount is.")
        .field(
            "type",
            FieldType::String,
            "The engine: a built-in or a registered plugin.",
        )
        .field(
            "plugin_name",
            FieldType::String,
            "The plugin's name, when `type` is `plugin`.",
        )
        .field(
            "description",
            FieldType::String,
            "What it is for, in words.",
        )
        .field("config", FieldType::Object, "Its configuration.")
        .field(
            "options",
            FieldType::Pairs,
            "Options of the engine, such as `version`.",
        )
        .field(
            "local",
            FieldType::Bool,
            "Whether it is not replicated. Default: false.",
        )
        .field(
            "seal_wrap",
            FieldType::Bool,
            "Kept, without an effect. Default: false.",
        )
        .field(
            "external_entropy_access",
            FieldType::Bool,
            "Kept, without an effect. Default: false.",
        )
}

/// The fields of tuning.
pub(crate) fn tune_row(pattern: &str, synopsis: &'static str) -> PathSpec<System> {
    PathSpec::<System>::new(pattern, synopsis)
        .describe(
            "Only what is given changes. A new `plugin_version` is stored; the mount runs it from \
             its next reload on.",
        )
        .field("path", FieldType::String, "Where the mount is.")
        .field("reload", FieldType::Bool, crate::pins::RELOAD)
        .field(
            "default_lease_ttl",
            FieldType::String,
            "Default time of leases; `system` = the server's.",
        )
        .field(
            "max_lease_ttl",
            FieldType::String,
            "Longest time of leases; `system` = the server's.",
        )
        .field(
            "description",
            FieldType::String,
            "What it is for, in words.",
        )
        .field(
            "listing_visibility",
            FieldType::String,
            "`unauth` shows the mount to those without a token; `hidden`, or empty, does not.",
        )
        .field(
            "audit_non_hmac_request_keys",
            FieldType::CommaStrings,
            "Keys of requests that audit devices write in the clear.",
        )
        .field(
            "audit_non_hmac_response_keys",
            FieldType::CommaStrings,
            "Keys of responses that audit devices write in the clear.",
        )
        .field(
            "passthrough_request_headers",
            FieldType::CommaStrings,
            "Request headers that the engine may see.",
        )
        .field(
            "allowed_response_headers",
            FieldType::CommaStrings,
            "Response headers that the engine may set.",
        )
        .field(
            "allowed_managed_keys",
            FieldType::CommaStrings,
            "Managed keys that the engine may use; kept, as this server has none.",
        )
        .field(
            "delegated_auth_accessors",
            FieldType::CommaStrings,
            "Auth methods that the engine may hand logins to; kept, not acted on.",
        )
        .field(
            "identity_token_key",
            FieldType::String,
            "The key of the engine's identity tokens; kept, not acted on.",
        )
        .field(
            "options",
            FieldType::Pairs,
            "Merged into the options; an empty value removes one.",
        )
        .field(
            "plugin_version",
            FieldType::String,
            "The version to run from the next reload on.",
        )
        .field(
            "token_type",
            FieldType::String,
            "The type of an auth method's tokens.",
        )
        .field(
            "user_lockout_config",
            FieldType::Object,
            "When an auth method locks users out.",
        )
}

/// The path that the caller captured, below `table` and with its final `/`.
pub(crate) fn full_path(table: &str, call: &Call) -> String {
    format!("{table}{}/", call.fields.text("path").trim_matches('/'))
}

impl System {
    /// Every mount of a table, by its path there.
    pub(crate) fn list_mounts(&self, table: PluginType) -> Answer {
        let mounts = self.core()?.mounts(table);
        let entries: BTreeMap<&str, Entry<'_>> = mounts
            .iter()
            .map(|mount| (mount.record.path.as_str(), Entry::of(mount)))
            .collect();
        injected(&entries, Vec::new())
    }

    /// The mount at or above the path, of either table.
    fn read_mount(&self, call: &Call) -> Answer {
        let path = full_path("", call);
        let Some(mount) = self.core()?.mount_of(&path) else {
            return Err(Error::refused(format!("No secret engine mount at {path}")));
        };
        injected(&Entry::of(&mount), mount.warning.iter().cloned().collect())
    }

    /// What is in effect for the mount at or above a path.
    pub(crate) fn read_tuning(&self, path: &str) -> Answer {
        let Some(mount) = self.core()?.mount_of(path) else {
            return Err(Error::refused(format!(
                "cannot fetch sysview for path {path:?}"
            )));
        };
        let warnings = mount.tune_warning.iter().cloned().collect();
        injected(&Tuned::of(&mount), warnings)
    }

    /// Mounts a secrets engine or enables an auth method.
    pub(crate) async fn mount(
        &self,
        ctx: &Context,
        plugin_type: PluginType,
        call: &Call,
    ) -> Answer {
        let new = new_mount(plugin_type, &full_path("", call), &call.fields)?;
        done(self.core()?.enable(ctx, new).await?)
    }

    /// Changes what is given of the mount at a path in the whole server.
    pub(crate) async fn tune(&self, ctx: &Context, path: &str, call: &Call) -> Answer {
        let core = self.core()?;
        // Whether there is a mount comes before what is wrong with the rest.
        let asked = match core.mount_at(path) {
            Some(mount) if call.fields.has("user_lockout_config") && !mount.is_singleton => {
                let kind = if is_auth(&mount) {
                    format!(
                        "user lockout of {:?} is not in this release",
                        mount.record.mount_type
                    )
                } else {
                    format!(
                        "tuning of user lockout configuration for auth type {:?} not allowed",
                        mount.record.mount_type
                    )
                };
                return Err(Error::refused(kind));
            }
            Some(_) => tuning(&call.fields)?,
            None => Tuning::default(),
        };
        if call.fields.bool("reload") {
            let report = core.tune_and_reload(ctx, path, asked).await?;
            return crate::reload::rendered(report, false);
        }
        done(core.tune(ctx, path, asked).await?)
    }

    async fn unmount(&self, ctx: &Context, call: &Call) -> Answer {
        let path = full_path("", call);
        // Auth methods have their own path for this.
        if path.starts_with("auth/") {
            return Err(Error::refused(format!("cannot unmount {path:?}")));
        }
        self.core()?.disable(ctx, &path).await?;
        Ok(None)
    }
}
