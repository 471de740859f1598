//! Stages 8 and 10: every request and every response is recorded before it counts. No device
//! exists yet; the stage does, and denied requests pass it like any other (plugin-lifecycle §9).

use super::decide::Decision;
use crate::Error;
use linchpin_engine::{BoxFuture, Context};
use linchpin_model::Response;
use std::sync::Arc;

/// What a device is told. Devices and their entries come with the audit issue.
pub(crate) enum Record<'a> {
    /// A request, allowed or denied.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "devices, which read it, come with their issue")
    )]
    Request(&'a Decision),
    /// Its outcome.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "devices, which read it, come with their issue")
    )]
    Response(&'a Result<Option<Response>, Error>),
}

/// Takes records. A record counts when at least one device has it.
pub(crate) trait Device: Send + Sync {
    /// Records, durably.
    fn record<'a>(
        &'a self,
        ctx: &'a Context,
        record: Record<'a>,
    ) -> BoxFuture<'a, Result<(), Error>>;
}

/// The audit stage.
#[derive(Default)]
pub(crate) struct Audit {
    devices: Vec<Arc<dyn Device>>,
}

impl Audit {
    /// A stage with these devices.
    #[cfg(test)]
    pub(crate) fn with(devices: Vec<Arc<dyn Device>>) -> Self {
        Self { devices }
    }

    /// Records the request. No audit, no answer.
    pub(super) async fn request(&self, ctx: &Context, decision: &Decision) -> Result<(), Error> {
        for device in &self.devices {
            device.record(ctx, Record::Request(decision)).await?;
        }
        Ok(())
    }

    /// Records the outcome before it leaves.
    pub(super) async fn response(
        &self,
        ctx: &Context,
        outcome: &Result<Option<Response>, Error>,
    ) -> Result<(), Error> {
        for device in &self.devices {
            device.record(ctx, Record::Response(outcome)).await?;
        }
        Ok(())
    }
}
