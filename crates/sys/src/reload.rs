//! `sys/plugins/reload`: mounts get a new instance, by plugin or by path (plugin-lifecycle §5).
//!
//! Every answer of a reload that began, a failed one too, says what became of each mount.

use crate::System;
use crate::answer::{Answer, answer, data};
use crate::mount_entry::hex;
use linchpin_core::{MountResult, Reload, Report, Selector};
use linchpin_engine::path::{Call, FieldType, Fields, PathSpec};
use linchpin_engine::{Context, Error};
use linchpin_model::{Operation, PluginType, Response};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Data<'r> {
    reload_id: &'r str,
    count: usize,
    results: Vec<Row<'r>>,
}

/// One mount's result. The last three are left out where they do not apply.
#[derive(Serialize)]
struct Row<'r> {
    mount: &'r str,
    namespace: &'static str,
    from_version: &'r str,
    to_version: &'r str,
    from_sha256: String,
    to_sha256: String,
    status: &'static str,
    error: &'r str,
    milliseconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retiring: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    irreversible: Option<bool>,
}

impl<'r> From<&'r MountResult> for Row<'r> {
    fn from(result: &'r MountResult) -> Self {
        Self {
            mount: &result.mount,
            namespace: "",
            from_version: &result.from_version,
            to_version: &result.to_version,
            from_sha256: hex(result.from_sha256.as_ref()),
            to_sha256: hex(result.to_sha256.as_ref()),
            status: result.outcome.as_str(),
            error: result.error.as_deref().unwrap_or_default(),
            milliseconds: result.milliseconds,
            cancelled: (result.cancelled > 0).then_some(result.cancelled),
            retiring: result.retiring.then_some(true),
            irreversible: result.irreversible.then_some(true),
        }
    }
}

/// A past reload, by node.
#[derive(Serialize)]
struct Status<'r> {
    reload_id: &'r str,
    results: BTreeMap<&'r str, NodeStatus<'r>>,
}

#[derive(Serialize)]
struct NodeStatus<'r> {
    timestamp: &'r str,
    error: &'r str,
}

pub(crate) fn rows() -> Vec<PathSpec<System>> {
    vec![
        reload_row(
            "plugins/reload/backend",
            "Reload the mounts of a plugin, or mounts by their paths.",
        )
        .field(
            "plugin",
            FieldType::String,
            "The plugin's name: all of its mounts.",
        )
        .field(
            "mounts",
            FieldType::CommaStrings,
            "The paths of the mounts.",
        )
        .on_write(|sys, ctx, call| Box::pin(async move { sys.reload(ctx, selector, &call).await })),
        PathSpec::<System>::new("plugins/reload/backend/status", "What a reload came to.")
            .field(
                "reload_id",
                FieldType::String,
                "The id that the reload answered.",
            )
            .on(Operation::Read, |sys, ctx, call| {
                Box::pin(async move { sys.reload_status(ctx, &call).await })
            }),
        reload_row(
            "plugins/reload/{type:auth|database|secret|unknown}/{name}",
            "Reload the mounts of a plugin of one type, or of every type.",
        )
        .field("name", FieldType::String, "The plugin's name.")
        .on_write(|sys, ctx, call| {
            Box::pin(async move { sys.reload(ctx, typed_selector, &call).await })
        }),
    ]
}

fn reload_row(pattern: &str, synopsis: &'static str) -> PathSpec<System> {
    PathSpec::<System>::new(pattern, synopsis)
        .describe(
            "Requests wait while their mount is switched; a mount whose new instance does not come \
             up goes on as it was.",
        )
        .field(
            "scope",
            FieldType::String,
            "`global`: on every node. Empty: on this one.",
        )
        .field(
            "force",
            FieldType::Bool,
            "Cancel requests that still run at the drain limit. Default: false.",
        )
}

/// Whether every node is meant. Checked before anything else.
fn is_global(scope: &str) -> Result<bool, Error> {
    match scope {
        "" => Ok(false),
        "global" => Ok(true),
        _ => Err(Error::refused("reload scope must be omitted or 'global'")),
    }
}

fn selector(fields: &Fields) -> Result<Selector, Error> {
    let mounts = fields.list("mounts").iter();
    let mounts = mounts.filter(|path| !path.is_empty()).cloned().collect();
    select(fields.text("plugin"), mounts)
}

fn typed_selector(fields: &Fields) -> Result<Selector, Error> {
    let plugin_type = match fields.text("type") {
        "unknown" => None,
        word => {
            let known: PluginType = word.parse().map_err(|_| Error::unsupported_path())?;
            Some(known)
        }
    };
    Ok(Selector::Plugin {
        name: fields.text("name").to_owned(),
        plugin_type,
    })
}

/// Exactly one of the two.
fn select(plugin: &str, mounts: Vec<String>) -> Result<Selector, Error> {
    match (plugin.is_empty(), mounts.is_empty()) {
        (false, false) => Err(Error::refused(
            "plugin and mounts cannot be set at the same time",
        )),
        (true, true) => Err(Error::refused("plugin or mounts must be provided")),
        (false, true) => Ok(Selector::Plugin {
            name: plugin.to_owned(),
            plugin_type: None,
        }),
        (true, false) => Ok(Selector::Mounts(mounts)),
    }
}

impl System {
    async fn reload(
        &self,
        ctx: &Context,
        selector: fn(&Fields) -> Result<Selector, Error>,
        call: &Call,
    ) -> Answer {
        let global = is_global(call.fields.text("scope"))?;
        let asked = Reload {
            selector: selector(&call.fields)?,
            force: call.fields.bool("force"),
            global,
        };
        rendered(self.core()?.reload(ctx, asked).await, global)
    }

    async fn reload_status(&self, ctx: &Context, call: &Call) -> Answer {
        let id = call.fields.text("reload_id");
        if id.is_empty() {
            return Err(Error::refused("reload_id must be provided"));
        }
        let Some(record) = self.core()?.reload_record(ctx, id).await else {
            return Ok(None);
        };
        let node = NodeStatus {
            timestamp: &record.timestamp,
            error: &record.error,
        };
        answer(&Status {
            reload_id: &record.reload_id,
            results: BTreeMap::from([(record.node.as_str(), node)]),
        })
    }
}

/// 200, 202 for every node, or 400 with the same data beside the errors: a 500 would make Vault's
/// Go client reload three times (plugin-lifecycle §0.3).
pub(crate) fn rendered(report: Report, global: bool) -> Answer {
    let data = data(&Data {
        reload_id: &report.reload_id,
        count: report.count(),
        results: report.results.iter().map(Row::from).collect(),
    })?;
    if report.errors.is_empty() {
        return Ok(Some(Response {
            accepted: global,
            warnings: report.warnings,
            ..Response::data(data)
        }));
    }
    let failed = Error::new(
        linchpin_model::ErrorKind::InvalidRequest,
        linchpin_engine::Shape::Wrapped,
        report.errors,
    );
    let failed = failed.with_data(data);
    Err(report
        .warnings
        .into_iter()
        .fold(failed, Error::with_warning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use linchpin_core::Outcome;
    use linchpin_model::Sha256;
    use serde_json::{Value, json};

    fn value(data: &linchpin_model::JsonObject) -> Value {
        serde_json::from_str(data.as_str()).unwrap()
    }

    fn reloaded() -> MountResult {
        MountResult {
            mount: "m/".into(),
            outcome: Outcome::Reloaded,
            from_version: "v1.0.0".into(),
            to_version: "v1.1.0".into(),
            from_sha256: Some(Sha256([0; 32])),
            to_sha256: Some(Sha256([0x11; 32])),
            milliseconds: 7,
            ..MountResult::default()
        }
    }

    #[test]
    fn exactly_one_selector_is_needed_and_a_known_scope() {
        let refusal = |plugin: &str, mounts: &[&str]| {
            let mounts = mounts.iter().map(|m| (*m).to_owned()).collect();
            select(plugin, mounts).unwrap_err().to_string()
        };
        assert_eq!(refusal("", &[]), "plugin or mounts must be provided");
        assert_eq!(
            refusal("tp", &["m"]),
            "plugin and mounts cannot be set at the same time"
        );
        let scope = is_global("x").unwrap_err().to_string();
        assert_eq!(scope, "reload scope must be omitted or 'global'");
        assert_eq!(
            select("tp", Vec::new()).unwrap(),
            Selector::Plugin {
                name: "tp".into(),
                plugin_type: None
            }
        );
    }

    #[test]
    fn a_success_has_a_result_per_mount() {
        let report = Report {
            reload_id: "id".into(),
            results: vec![reloaded()],
            warnings: vec!["note".into()],
            ..Report::default()
        };
        let response = rendered(report.clone(), false).unwrap().unwrap();
        assert!(!response.accepted);
        assert_eq!(response.warnings, ["note"]);
        assert_eq!(
            value(&response.data.unwrap()),
            json!({
                "reload_id": "id", "count": 1,
                "results": [{
                    "mount": "m/", "namespace": "", "from_version": "v1.0.0", "to_version": "v1.1.0",
                    "from_sha256": "0".repeat(64), "to_sha256": "1".repeat(64),
                    "status": "reloaded", "error": "", "milliseconds": 7,
                }],
            })
        );
        assert!(rendered(report, true).unwrap().unwrap().accepted);
    }

    #[test]
    fn a_failure_has_all_errors_in_one_text_and_the_same_data() {
        let failed = MountResult {
            mount: "n/".into(),
            error: Some("no".into()),
            cancelled: 2,
            retiring: true,
            ..MountResult::default()
        };
        let report = Report {
            reload_id: "id".into(),
            results: vec![reloaded(), failed],
            errors: vec!["first".into(), "second".into()],
            warnings: vec!["note".into()],
        };
        let error = rendered(report, true).unwrap_err();
        assert_eq!(
            error.rendered(),
            ["2 errors occurred:\n\t* first\n\t* second\n\n"]
        );
        assert_eq!(error.kind(), linchpin_model::ErrorKind::InvalidRequest);
        assert_eq!(error.warnings(), ["note"]);
        let data = value(error.data().unwrap());
        assert_eq!(data["count"], 1);
        let failed = &data["results"][1];
        assert_eq!(
            (&failed["status"], &failed["error"]),
            (&json!("failed"), &json!("no"))
        );
        assert_eq!(
            (&failed["cancelled"], &failed["retiring"]),
            (&json!(2), &json!(true))
        );
        assert!(failed.get("irreversible").is_none());
    }
}
