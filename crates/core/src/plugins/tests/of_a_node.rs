//! The catalog of a whole node: the mounts that use it.

use super::*;
use crate::NewMount;
use crate::instance::tests::nothing;
use crate::pipeline::audit::Audit;
use linchpin_engine::{PluginSource, Prepared, Running};

#[tokio::test]
async fn warnings_name_the_mounts() {
    let (core, engines) = crate::start::tests::core(Audit::default()).await;
    engines.script(|prepare| {
        let running = match prepare.source {
            PluginSource::External(entry) => Running {
                version: entry.version_text().to_owned(),
                sha256: Some(entry.sha256),
                ..Running::default()
            },
            PluginSource::Builtin(_) | PluginSource::Captured(_) => Running::default(),
        };
        Box::pin(async {
            Ok(Prepared {
                backend: nothing(),
                running,
                captured: None,
            })
        })
    });
    let ctx = ctx();
    core.register(&ctx, tp("1.0.0")).await.unwrap();
    let mount = NewMount {
        plugin_type: Some(PluginType::Secret),
        path: "m".to_owned(),
        mount_type: "tp".to_owned(),
        ..NewMount::default()
    };
    core.enable(&ctx, mount).await.unwrap();

    core.register(&ctx, tp("1.1.0")).await.unwrap();
    let warnings = core.register(&ctx, tp("1.0.0")).await.unwrap();
    assert!(warnings.concat().contains("in use by m/"), "{warnings:?}");

    let behind = "these mounts run another version until they are reloaded (sys/plugins/reload/secret/tp): m/ (v1.0.0)";
    for (version, is_behind) in [("1.0.0", false), ("1.1.0", true)] {
        let pinned = core.pin(&ctx, PluginType::Secret, "tp", version).await;
        let warnings = pinned.unwrap().concat();
        assert_eq!(warnings.contains(behind), is_behind, "{warnings}");
    }
    let pin = core.read_pin(PluginType::Secret, "tp").unwrap();
    assert_eq!(pin.version.as_str(), "v1.1.0");
    let pending = [("m/".to_owned(), "v1.0.0".to_owned())];
    assert_eq!(core.pending_mounts(&pin), pending);
    core.unpin(&ctx, PluginType::Secret, "tp").await.unwrap();
    core.read_pin(PluginType::Secret, "tp").unwrap_err();

    let removed = core
        .deregister(&ctx, PluginType::Secret, "tp", Some("1.0.0"))
        .await;
    let warnings = removed.unwrap();
    assert!(warnings.concat().contains("m/"), "{warnings:?}");
    core.shutdown().await;
}
