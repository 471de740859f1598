//! A pin or a tuned version that takes effect at once (`reload=true`): set, reload, and back to what
//! was set before when no mount could be moved.
//!
//! The answer comes when every mount has been attempted, so a client may remove the old version
//! right after it. When some mounts moved and some did not, what was set stays: it is what the moved
//! ones run, and the report names the others.

use super::{Outcome, Reload, Report, Selector};
use crate::mounts::with_slash;
use crate::{Core, Tuning};
use linchpin_engine::{Context, Error};
use linchpin_model::PluginType;
use std::sync::Arc;

impl Report {
    /// Whether it failed for all: then nothing runs otherwise than before.
    fn moved_nothing(&self) -> bool {
        let moved = |outcome: Outcome| matches!(outcome, Outcome::Reloaded | Outcome::Skipped);
        !self.errors.is_empty() && !self.results.iter().any(|r| moved(r.outcome))
    }
}

impl Core {
    /// Pins a plugin to a version and reloads its mounts.
    ///
    /// # Errors
    /// As [`Core::pin`]; then nothing was reloaded. What became of the mounts is in the report.
    pub async fn pin_and_reload(
        self: &Arc<Self>,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
        version: &str,
    ) -> Result<Report, Error> {
        let before = self.catalog().pin(plugin_type, name).cloned();
        self.pin(ctx, plugin_type, name, version).await?;
        let mut report = self.reload_all(ctx, plugin_type, name).await;
        if report.moved_nothing() {
            let (back, text) = match &before {
                Some(before) => (
                    self.pin(ctx, plugin_type, name, before.as_str())
                        .await
                        .map(drop),
                    format!("no mount was moved, so the pin is {before} again, as it was"),
                ),
                None => (
                    self.unpin(ctx, plugin_type, name).await,
                    "no mount was moved, so the plugin is not pinned, as it was".to_owned(),
                ),
            };
            report.warnings.push(undone(back, text));
        }
        Ok(report)
    }

    /// Removes a pin and reloads the plugin's mounts, each to its own version.
    ///
    /// # Errors
    /// As [`Core::unpin`].
    pub async fn unpin_and_reload(
        self: &Arc<Self>,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
    ) -> Result<Report, Error> {
        let before = self.catalog().pin(plugin_type, name).cloned();
        self.unpin(ctx, plugin_type, name).await?;
        let mut report = self.reload_all(ctx, plugin_type, name).await;
        if report.moved_nothing()
            && let Some(before) = before
        {
            let back = self.pin(ctx, plugin_type, name, before.as_str()).await;
            let text = format!("no mount was moved, so the pin is {before} again, as it was");
            report.warnings.push(undone(back.map(drop), text));
        }
        Ok(report)
    }

    /// Tunes a mount and reloads it.
    ///
    /// # Errors
    /// As [`Core::tune`]; then nothing was reloaded.
    pub async fn tune_and_reload(
        self: &Arc<Self>,
        ctx: &Context,
        path: &str,
        tuning: Tuning,
    ) -> Result<Report, Error> {
        let path = with_slash(path);
        let mount = self.node.load().at(&path).cloned();
        let before = mount.as_ref().map(|m| m.record().plugin_version.clone());
        let warnings = self.tune(ctx, &path, tuning).await?;
        let selector = Selector::Mounts(vec![path.clone()]);
        let mut report = self.reload(ctx, reload(selector)).await;
        if let (true, Some(mount), Some(before)) = (report.moved_nothing(), mount, before) {
            let now = mount.record().plugin_version.clone();
            if now != before {
                let back = self.change_record(&mount, Vec::new(), |record| {
                    if record.plugin_version == now {
                        record.plugin_version.clone_from(&before);
                    }
                    Ok(())
                });
                let shown = match before.as_str() {
                    "" => "unset",
                    version => version,
                };
                let text = format!(
                    "the mount was not moved, so its plugin_version is {shown} again, as it was"
                );
                report.warnings.push(undone(back.await, text));
            }
        } else {
            // What tuning warned of is settled, but for what is not about the version.
            let about_reload = |text: &String| text.contains("reload");
            report
                .warnings
                .extend(warnings.into_iter().filter(|text| !about_reload(text)));
        }
        Ok(report)
    }

    async fn reload_all(
        self: &Arc<Self>,
        ctx: &Context,
        plugin_type: PluginType,
        name: &str,
    ) -> Report {
        let selector = Selector::Plugin {
            name: name.to_owned(),
            plugin_type: Some(plugin_type),
        };
        self.reload(ctx, reload(selector)).await
    }
}

fn reload(selector: Selector) -> Reload {
    Reload {
        selector,
        force: false,
        global: false,
    }
}

fn undone(back: Result<(), Error>, text: String) -> String {
    match back {
        Ok(()) => text,
        Err(error) => {
            format!("no mount was moved, and what was set could not be taken back: {error}")
        }
    }
}
