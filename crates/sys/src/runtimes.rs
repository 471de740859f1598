//! `sys/plugins/runtimes/catalog`: the runtimes of container plugins (plugin-lifecycle §6).
//!
//! This server runs no containers and says so when one is to be registered. Runtimes are kept all
//! the same: what manages plugins registers them first.

use crate::System;
use crate::answer::{Answer, answer};
use linchpin_catalog::Runtime;
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_engine::{Context, Error};
use linchpin_model::Operation;
use serde::Serialize;

/// The one type of runtimes.
const CONTAINER: &str = "container";

#[derive(Serialize)]
struct Shown<'c> {
    cgroup_parent: &'c str,
    cpu_nanos: i64,
    memory_bytes: i64,
    name: &'c str,
    oci_runtime: &'c str,
    rootless: bool,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Listing<'c> {
    runtimes: Vec<Shown<'c>>,
}

impl<'c> From<&'c Runtime> for Shown<'c> {
    fn from(runtime: &'c Runtime) -> Self {
        Self {
            cgroup_parent: &runtime.cgroup_parent,
            cpu_nanos: runtime.cpu_nanos,
            memory_bytes: runtime.memory_bytes,
            name: &runtime.name,
            oci_runtime: &runtime.oci_runtime,
            rootless: runtime.rootless,
            r#type: CONTAINER,
        }
    }
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
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.list_runtimes(&call) })
        })
        .on(Operation::List, |sys, _ctx, call| {
            Box::pin(async move { sys.list_runtimes(&call) })
        }),
        PathSpec::<System>::new(
            "plugins/runtimes/catalog/container/{name}",
            "Register, read and remove a runtime of container plugins.",
        )
        .describe("A write replaces the whole runtime: what is not given has its default.")
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
        .on(Operation::Read, |sys, _ctx, call| {
            Box::pin(async move { sys.read_runtime(&call) })
        })
        .on_write(|sys, ctx, call| Box::pin(async move { sys.register_runtime(ctx, &call).await }))
        .on(Operation::Delete, |sys, ctx, call| {
            Box::pin(async move { sys.remove_runtime(ctx, &call).await })
        }),
    ]
}

impl System {
    fn list_runtimes(&self, call: &Call) -> Answer {
        let wanted = call.fields.text("type");
        if !matches!(wanted, "" | CONTAINER) {
            return Err(Error::refused(format!(
                "{wanted:?} is not a supported plugin runtime type"
            )));
        }
        answer(&Listing {
            runtimes: self.core()?.catalog().runtimes().map(Shown::from).collect(),
        })
    }

    fn read_runtime(&self, call: &Call) -> Answer {
        let catalog = self.core()?.catalog();
        match catalog.runtime(call.fields.text("name")) {
            Some(runtime) => answer(&Shown::from(runtime)),
            None => Ok(None),
        }
    }

    async fn register_runtime(&self, ctx: &Context, call: &Call) -> Answer {
        let text = |name| call.fields.text(name).to_owned();
        let runtime = Runtime {
            name: text("name"),
            oci_runtime: text("oci_runtime"),
            cgroup_parent: text("cgroup_parent"),
            cpu_nanos: call.fields.int("cpu_nanos").unwrap_or_default(),
            memory_bytes: call.fields.int("memory_bytes").unwrap_or_default(),
            rootless: call.fields.bool("rootless"),
        };
        self.core()?.register_runtime(ctx, runtime).await?;
        Ok(None)
    }

    async fn remove_runtime(&self, ctx: &Context, call: &Call) -> Answer {
        let name = call.fields.text("name");
        self.core()?.remove_runtime(ctx, name).await?;
        Ok(None)
    }
}
