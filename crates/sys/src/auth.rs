//! `sys/auth`: the auth methods, where they differ from secrets engines (core-api §2.9).

use crate::System;
use crate::answer::{Answer, injected};
use crate::mount_entry::{Entry, is_auth};
use crate::mounts::{full_path, mount_row, tune_row};
use linchpin_engine::Error;
use linchpin_engine::path::{Call, PathSpec};
use linchpin_model::{Operation, PluginType};

/// The part of the server's paths that auth methods are below.
const TABLE: &str = "auth/";

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("auth", "List the auth methods that are enabled.")
            .on(Operation::Read, |sys, _ctx, _call| {
                Box::pin(async move { sys.list_mounts(PluginType::Auth) })
            }),
        tune_row(
            "auth/{path:rest}/tune",
            "Read and change the configuration of an auth method.",
        )
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_tuning(&full_path(TABLE, &call)) })
        })
        .on_write(|sys, ctx, call| {
            Box::pin(async move { sys.tune(ctx, &full_path(TABLE, &call), &call).await })
        }),
        mount_row(
            "auth/{path:rest}",
            "Enable, read and disable an auth method.",
        )
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_auth(&call) })
        })
        .on_write(|sys, ctx, call| {
            Box::pin(async move { sys.mount(ctx, PluginType::Auth, &call).await })
        })
        .on(Operation::Delete, |sys, ctx, call| {
            Box::pin(async move {
                sys.core()?.disable(ctx, &full_path(TABLE, &call)).await?;
                Ok(None)
            })
        }),
    ]
}

impl System {
    fn read_auth(&self, call: &Call) -> Answer {
        let mount = self.core()?.mount_of(&full_path(TABLE, call));
        let Some(mount) = mount.filter(is_auth) else {
            let path = full_path("", call);
            return Err(Error::refused(format!("No auth engine at {path}")));
        };
        injected(&Entry::of(&mount), mount.warning.iter().cloned().collect())
    }
}
