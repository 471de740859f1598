//! `sys/internal`: what user interfaces and tools ask before they ask (core-api §2.12).

use crate::System;
use crate::answer::{Answer, answer};
use crate::mount_entry::Entry;
use crate::mounts::full_path;
use linchpin_core::MountStatus;
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_engine::{Error, Shape};
use linchpin_model::{ErrorKind, Operation, PluginType};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Mounts<'m, E> {
    auth: BTreeMap<&'m str, E>,
    secret: BTreeMap<&'m str, E>,
}

/// What those without a token may know of a mount that wants to be found.
#[derive(Serialize)]
struct Public<'m> {
    description: &'m str,
    options: Option<&'m BTreeMap<String, String>>,
    r#type: &'m str,
}

impl<'m> Public<'m> {
    fn of(mount: &'m MountStatus) -> Self {
        Self {
            description: &mount.record.description,
            options: mount.record.options.as_ref(),
            r#type: &mount.record.mount_type,
        }
    }
}

#[derive(Serialize)]
struct Acl {
    root: bool,
}

#[derive(Serialize)]
struct Namespaces {}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("internal/ui/mounts", "The mounts that the caller may see.")
            .on(Operation::Read, |sys, _ctx, call| {
                Box::pin(async move { sys.ui_mounts(&call) })
            }),
        PathSpec::<System>::new(
            "internal/ui/mounts/{path:rest}",
            "The mount that a path belongs to.",
        )
        .field("path", FieldType::String, "Any path at or below the mount.")
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.ui_mount(&call) })
        }),
        PathSpec::<System>::new("internal/ui/resultant-acl", "What the caller may do.").on(
            // Only the root token exists in this release, and it may do everything.
            Operation::Read,
            |_sys, _ctx, _call| Box::pin(async { answer(&Acl { root: true }) }),
        ),
        PathSpec::<System>::new("internal/ui/namespaces", "The namespaces of the caller.")
            .on(Operation::Read, |_sys, _ctx, _call| {
                Box::pin(async { answer(&Namespaces {}) })
            }),
        crate::openapi::row(),
    ]
}

impl System {
    fn ui_mounts(&self, call: &Call) -> Answer {
        let core = self.core()?;
        let auth = core.mounts(PluginType::Auth);
        let secret = core.mounts(PluginType::Secret);
        if call.request.unauthenticated {
            return answer(&Mounts {
                auth: public(&auth),
                secret: public(&secret),
            });
        }
        fn whole(mounts: &[MountStatus]) -> BTreeMap<&str, Entry<'_>> {
            let shown = |mount| (path(mount), Entry::of(mount));
            mounts.iter().map(shown).collect()
        }
        answer(&Mounts {
            auth: whole(&auth),
            secret: whole(&secret),
        })
    }

    fn ui_mount(&self, call: &Call) -> Answer {
        let path = full_path("", call);
        let Some(mount) = self.core()?.mount_of(&path) else {
            // Whether there is nothing or nothing for the caller is not told apart.
            let text = format!(
                "preflight capability check returned 403, please ensure client's policies grant access to path {path:?}"
            );
            return Err(Error::new(
                ErrorKind::PermissionDenied,
                Shape::Plain,
                vec![text],
            ));
        };
        answer(&Entry::with_path(&mount))
    }
}

/// The path below the mount's table.
fn path(mount: &MountStatus) -> &str {
    &mount.record.path
}

fn public(mounts: &[MountStatus]) -> BTreeMap<&str, Public<'_>> {
    mounts
        .iter()
        .filter(|mount| mount.record.config.listing_visibility == "unauth")
        .map(|mount| (path(mount), Public::of(mount)))
        .collect()
}
