//! `sys/remount`: a mount moves to another path, and how that is going (core-api §2.8).

use crate::System;
use crate::answer::{Answer, answer, injected};
use linchpin_engine::path::{Call, FieldType, PathSpec};
use linchpin_engine::{Context, Error};
use linchpin_model::Operation;
use serde::Serialize;

#[derive(Serialize)]
struct Begun<'i> {
    migration_id: &'i str,
}

#[derive(Serialize)]
struct Status<'s> {
    migration_id: &'s str,
    migration_info: Info<'s>,
}

#[derive(Serialize)]
struct Info<'s> {
    source_mount: &'s str,
    target_mount: &'s str,
    status: &'s str,
}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        PathSpec::<System>::new("remount", "Move a mount to another path.")
            .describe("Data, UUID and accessor stay. The answer's id tells how the move is going.")
            .field("from", FieldType::String, "Where the mount is.")
            .field("to", FieldType::String, "Where it goes.")
            .on_write(|sys, ctx, call| Box::pin(async move { sys.remount(ctx, &call).await })),
        PathSpec::<System>::new("remount/status/{migration_id:rest}", "How a move is going.")
            .field("migration_id", FieldType::String, "The id of the move.")
            .on(Operation::Read, |sys, _ctx, call| {
                Box::pin(async move { sys.remount_status(&call) })
            }),
    ]
}

impl System {
    async fn remount(&self, ctx: &Context, call: &Call) -> Answer {
        let (from, to) = (call.fields.text("from"), call.fields.text("to"));
        if from.is_empty() || to.is_empty() {
            return Err(Error::refused(
                "both 'from' and 'to' path must be specified as a string",
            ));
        }
        let migration_id = self.core()?.remount(ctx, from, to).await?;
        let note = "Mount move has been queued. Progress will be reported in the server log, \
                    tagged with the returned migration_id";
        injected(
            &Begun {
                migration_id: &migration_id,
            },
            vec![note.to_owned()],
        )
    }

    fn remount_status(&self, call: &Call) -> Answer {
        let found = self
            .core()?
            .remount_status(call.fields.text("migration_id"));
        let Some(status) = found else {
            return Ok(None);
        };
        answer(&Status {
            migration_id: &status.migration_id,
            migration_info: Info {
                source_mount: &status.source_mount,
                target_mount: &status.target_mount,
                status: status.status,
            },
        })
    }
}
