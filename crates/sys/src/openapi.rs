//! `sys/internal/specs/openapi`: what the server serves, as one OpenAPI document: the paths of
//! `sys/` and of every mount that describes itself (core-api §2.12).

use crate::System;
use crate::answer::{Answer, bare};
use linchpin_engine::Context;
use linchpin_engine::path::{Call, FieldType, PathSpec, Table};
use linchpin_model::{JsonObject, Operation, SERVER_VERSION};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The one document. Its version is what clients expect of Vault.
#[derive(Serialize)]
struct Document {
    openapi: &'static str,
    info: Value,
    paths: BTreeMap<String, Value>,
    components: Components,
}

#[derive(Default, Serialize, Deserialize)]
struct Components {
    #[serde(default)]
    schemas: BTreeMap<String, Value>,
}

/// What a mount says of itself. A plugin may say anything: what does not fit is left out.
#[derive(Deserialize)]
struct Described {
    openapi: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    paths: BTreeMap<String, Value>,
    components: Option<Components>,
}

pub(crate) fn row() -> PathSpec<System> {
    PathSpec::<System>::new(
        "internal/specs/openapi",
        "The OpenAPI document of this server.",
    )
    .field(
        "generic_mount_paths",
        FieldType::Bool,
        "Whether mount paths are parameters of the document's paths. Default: false.",
    )
    .field("context", FieldType::String, "Has no effect.")
    .on(Operation::Read, |sys, ctx, call| {
        Box::pin(async move { sys.openapi(ctx, &call).await })
    })
    .on_write(|sys, ctx, call| Box::pin(async move { sys.openapi(ctx, &call).await }))
}

impl System {
    async fn openapi(&self, ctx: &Context, call: &Call) -> Answer {
        let mut document = Document::empty();
        // Only what the caller may see: without a token that is nothing.
        if !call.request.unauthenticated {
            document.add_own(&crate::table());
            let generic = call.fields.bool("generic_mount_paths");
            for (mount, help) in self.core()?.help_of_mounts(ctx).await {
                // Its own table says more than its help.
                if mount != "sys/" {
                    document.add_mount(&mount, &help, generic);
                }
            }
        }
        bare(200, &document)
    }
}

impl Document {
    fn empty() -> Self {
        Self {
            openapi: "3.0.2",
            info: json!({
                "title": "Linchpin API",
                "description": "HTTP API that gives you full access to Linchpin. All API routes are prefixed with `/v1/`.",
                "version": SERVER_VERSION,
                "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
            }),
            paths: BTreeMap::new(),
            components: Components::default(),
        }
    }

    /// Adds the paths of a table of `sys/`, each with what it asks of the caller.
    fn add_own(&mut self, table: &Table<System>) {
        for path in table.openapi() {
            let Ok(mut item) = serde_json::from_str::<Map<String, Value>>(&path.item_text()) else {
                continue;
            };
            if table.special.is_unauthenticated(&path.template) {
                item.insert("x-vault-unauthenticated".to_owned(), json!(true));
            }
            if table.special.is_root(&path.template) {
                item.insert("x-vault-sudo".to_owned(), json!(true));
            }
            self.paths
                .insert(format!("/sys/{}", path.template), Value::Object(item));
        }
    }

    /// Adds what the mount at `mount` (with its final `/`) says of itself.
    fn add_mount(&mut self, mount: &str, help: &JsonObject, generic: bool) {
        let Some(part) = help.decode::<Described>().ok().and_then(|d| d.openapi) else {
            return;
        };
        let (prefix, parameter) = if generic {
            let name = format!("{}_mount_path", mount.trim_end_matches('/'));
            let table = if mount.starts_with("auth/") {
                "auth/"
            } else {
                ""
            };
            let name = name.trim_start_matches(table).replace('/', "_");
            (format!("{table}{{{name}}}/"), Some(name))
        } else {
            (mount.to_owned(), None)
        };
        for (path, mut item) in part.paths {
            if let Some(name) = &parameter {
                add_parameter(&mut item, name, mount);
            }
            let path = path.trim_start_matches('/');
            self.paths.insert(format!("/{prefix}{path}"), item);
        }
        for (name, schema) in part.components.unwrap_or_default().schemas {
            self.components.schemas.entry(name).or_insert(schema);
        }
    }
}

/// Declares the mount's path as a parameter whose default is where the mount is.
fn add_parameter(item: &mut Value, name: &str, mount: &str) {
    let Some(item) = item.as_object_mut() else {
        return;
    };
    let parameters = item
        .entry("parameters")
        .or_insert_with(|| Value::Array(Vec::new()));
    let at = mount.trim_end_matches('/');
    let at = at.strip_prefix("auth/").unwrap_or(at);
    if let Some(parameters) = parameters.as_array_mut() {
        parameters.push(json!({
            "name": name,
            "description": "Path that the backend was mounted at",
            "in": "path",
            "schema": {"type": "string", "default": at},
            "required": true,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn help(openapi: Value) -> JsonObject {
        let help = json!({"help": "", "see_also": null, "openapi": openapi});
        JsonObject::from_serialize(&help).unwrap()
    }

    /// `LINCHPIN_UPDATE_GOLDEN=1` writes the file anew; the difference is reviewed like any other.
    #[test]
    fn the_paths_of_sys_are_those_of_the_golden_file() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/openapi.json");
        let mut document = Document::empty();
        document.add_own(&crate::table());
        let paths = serde_json::to_string_pretty(&document.paths).unwrap() + "\n";
        if std::env::var_os("LINCHPIN_UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &paths).unwrap();
        }
        let golden = std::fs::read_to_string(&file).unwrap();
        assert!(
            paths == golden,
            "{} is not current: LINCHPIN_UPDATE_GOLDEN=1 cargo test -p linchpin-sys",
            file.display()
        );
    }

    #[test]
    fn paths_say_what_they_ask_of_the_caller() {
        let mut document = Document::empty();
        document.add_own(&crate::table());
        let item = |path: &str| &document.paths[path];
        assert_eq!(item("/sys/health")["x-vault-unauthenticated"], true);
        assert_eq!(
            item("/sys/plugins/catalog/{type}/{name}")["x-vault-sudo"],
            true
        );
        assert!(item("/sys/mounts/{path}").get("x-vault-sudo").is_none());
        assert!(item("/sys/mounts/{path}").get("delete").is_some());
    }

    #[test]
    fn mounts_are_merged_below_their_paths() {
        let mut document = Document::empty();
        let part = help(json!({
            "paths": {"/keys/{name}": {"get": {}}, "config": {"get": {}}},
            "components": {"schemas": {"Key": {"type": "object"}}},
        }));
        document.add_mount("team/kv/", &part, false);
        document.add_mount("broken/", &help(json!("no document")), false);
        document.add_mount("silent/", &help(Value::Null), false);
        let paths: Vec<&String> = document.paths.keys().collect();
        assert_eq!(paths, ["/team/kv/config", "/team/kv/keys/{name}"]);
        assert!(document.components.schemas.contains_key("Key"));
    }

    #[test]
    fn a_generic_document_has_the_mount_as_a_parameter() {
        let mut document = Document::empty();
        let part = help(json!({"paths": {"/config": {"get": {}}}}));
        document.add_mount("secret/", &part, true);
        document.add_mount("auth/team/a/", &part, true);
        let item = &document.paths["/{secret_mount_path}/config"];
        assert_eq!(item["parameters"][0]["name"], "secret_mount_path");
        assert_eq!(item["parameters"][0]["schema"]["default"], "secret");
        let item = &document.paths["/auth/{team_a_mount_path}/config"];
        assert_eq!(item["parameters"][0]["schema"]["default"], "team/a");
    }
}
