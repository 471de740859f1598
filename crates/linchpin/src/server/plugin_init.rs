//! `-dev-plugin-init`: every file of the plugin directory becomes a catalog entry of its own name (plugin-lifecycle
//! §7.7). The file tells its type and version; one that is no plugin is reported and passed over.

use linchpin_catalog::Registration;
use linchpin_core::Core;
use linchpin_engine::{Context, Error};

use crate::banner::Registered;

/// Registers what can be registered, in the order of the names.
pub(super) async fn register_all(core: &Core, ctx: &Context) -> Vec<Registered> {
    let mut done = Vec::new();
    for name in core.fleet().artefacts() {
        // A signal to end: the rest is not needed any more.
        if ctx.cancel.is_cancelled() {
            break;
        }
        let outcome = register(core, ctx, &name).await.map_err(|error| {
            let reason = error.messages().join("; ");
            tracing::warn!(plugin = %name, %reason, "a file of the plugin directory cannot be registered");
            reason
        });
        done.push(Registered { name, outcome });
    }
    done
}

async fn register(core: &Core, ctx: &Context, name: &str) -> Result<(), Error> {
    let facts = core.fleet().inspect(name).await?;
    let sha256 = facts
        .sha256
        .ok_or_else(|| Error::refused("the file cannot be read"))?;
    let registration = Registration {
        name: name.to_owned(),
        command: name.to_owned(),
        sha256: sha256.to_string(),
        ..Registration::default()
    };
    core.register(ctx, registration).await.map(drop)
}
