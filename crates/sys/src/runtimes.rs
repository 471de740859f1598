//! `sys/plugins/runtimes/catalog`: the runtimes of container plugins (plugin-lifecycle §6).
//!
//! This server runs no containers yet. It says so when one is to be registered, and truly has none
//! to list, read or delete.

use crate::System;
use crate::answer::{Answer, answer};
use linchpin_engine::Error;
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_model::Operation;
use serde::Serialize;

#[derive(Serialize)]
struct Listing {
    runtimes: [(); 0],
}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new(
            "plugins/runtimes/catalog/?",
            "List the runtimes of container plugins.",
        )
        .field(
            "type",
            FieldType::String,
            "Only runtimes of this type: `container`.",
        )
        .on(Operation::Read, |_sys, _ctx, call| {
            Box::pin(async move { list(&call) })
        })
        .on(Operation::List, |_sys, _ctx, call| {
            Box::pin(async move { list(&call) })
        }),
        PathSpec::<System>::new(
            "plugins/runtimes/catalog/container/{name}",
            "Register, read and remove a runtime of container plugins.",
        )
        .field("name", FieldType::String, "The runtime's name.")
        .field(
            "oci_runtime",
            FieldType::String,
            "The OCI runtime. Default: runsc.",
        )
        .field(
            "cgroup_parent",
            FieldType::String,
            "The parent of the container's cgroup.",
        )
        .field(
            "cpu_nanos",
            FieldType::Int,
            "CPU limit in billionths of a core; 0 = none.",
        )
        .field(
            "memory_bytes",
            FieldType::Int,
            "Memory limit in bytes; 0 = none.",
        )
        .field(
            "rootless",
            FieldType::Bool,
            "Whether the runtime has no privileges.",
        )
        .on(Operation::Read, |_sys, _ctx, _call| {
            Box::pin(async { Ok(None) })
        })
        .on_write(|_sys, _ctx, call| Box::pin(async move { register(&call) }))
        .on(Operation::Delete, |_sys, _ctx, _call| {
            Box::pin(async { Err(Error::refused_wrapped("plugin runtime not found")) })
        }),
    ]
}

fn list(call: &Call) -> Answer {
    match call.fields.text("type") {
        "" | "container" => answer(&Listing { runtimes: [] }),
        other => Err(Error::refused(format!(
            "{other:?} is not a supported plugin runtime type"
        ))),
    }
}

fn register(call: &Call) -> Answer {
    for (field, text) in [
        ("cpu_nanos", "runtime cpu in nanos cannot be negative"),
        ("memory_bytes", "runtime memory in bytes cannot be negative"),
    ] {
        if call.fields.int(field).is_some_and(|amount| amount < 0) {
            return Err(Error::refused(text));
        }
    }
    Err(Error::refused(
        "plugin runtimes are not supported: this server does not run container plugins",
    ))
}
