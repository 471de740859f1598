//! The OpenAPI document, filled from path tables at request time.

use super::{Field, PathSpec, Table};
use linchpin_model::Operation;
use serde_json::{Map, Value, json};

/// One path of the document.
#[derive(Debug, Clone)]
pub struct OpenApiPath {
    /// The path below its mount, parameters as `{name}`.
    pub template: String,
    /// The path item, as JSON text.
    item: Value,
}

/// The paths of a table.
pub(crate) fn paths<E>(table: &Table<E>) -> Vec<OpenApiPath> {
    table.paths.iter().filter_map(path).collect()
}

/// One row as a path; `None` when it serves nothing.
pub(crate) fn path<E>(spec: &PathSpec<E>) -> Option<OpenApiPath> {
    let pattern = spec.pattern.as_ref().ok()?;
    let mut item = Map::new();
    item.insert("description".to_owned(), json!(spec.synopsis));
    let in_path: Vec<&str> = pattern.parameters().map(|(name, _)| name).collect();
    if !in_path.is_empty() {
        let list: Vec<Value> = pattern
            .parameters()
            .map(|(name, choices)| {
                let mut schema = json!({"type": "string"});
                if let (false, Some(schema)) = (choices.is_empty(), schema.as_object_mut()) {
                    schema.insert("enum".to_owned(), json!(choices));
                }
                json!({"name": name, "in": "path", "required": true, "schema": schema})
            })
            .collect();
        item.insert("parameters".to_owned(), Value::Array(list));
    }
    let body: Vec<&Field> = spec
        .fields
        .iter()
        .filter(|f| !in_path.contains(&f.name))
        .collect();
    let mut reads = Map::new();
    for (operation, _) in &spec.handlers {
        let (method, with_body, query): (&str, bool, &[&str]) = match operation {
            Operation::Read => ("get", false, &[]),
            Operation::List => ("get", false, &["list"]),
            Operation::Update | Operation::Create => ("post", true, &[]),
            Operation::Patch => ("patch", true, &[]),
            Operation::Delete => ("delete", false, &[]),
            _ => continue,
        };
        let mut entry = Map::new();
        entry.insert("summary".to_owned(), json!(spec.synopsis));
        entry.insert(
            "responses".to_owned(),
            json!({"200": {"description": "OK"}}),
        );
        if with_body && !body.is_empty() {
            let properties: Map<String, Value> = body
                .iter()
                .map(|f| {
                    (
                        f.name.to_owned(),
                        json!({"type": f.field_type.openapi(), "description": f.description}),
                    )
                })
                .collect();
            entry.insert(
                "requestBody".to_owned(),
                json!({"content": {"application/json": {"schema": {"type": "object", "properties": properties}}}}),
            );
        }
        if !query.is_empty() {
            entry.insert(
                "parameters".to_owned(),
                json!([{"name": "list", "in": "query", "schema": {"type": "string", "enum": ["true"]}}]),
            );
        }
        // A path that both reads and lists has one `get`: the read, with the list as its option.
        if method == "get" && reads.contains_key("get") {
            if let Some(Value::Object(existing)) = reads.get_mut("get")
                && !query.is_empty()
            {
                existing.insert(
                    "parameters".to_owned(),
                    json!([{"name": "list", "in": "query", "schema": {"type": "string"}}]),
                );
            }
            continue;
        }
        reads.insert(method.to_owned(), Value::Object(entry));
    }
    if reads.is_empty() {
        return None;
    }
    item.extend(reads);
    Some(OpenApiPath {
        template: pattern.template(),
        item: Value::Object(item),
    })
}

/// A whole document with `prefix` (`/`, `/kv/`) before every path.
pub(crate) fn document(paths: &[OpenApiPath], prefix: &str) -> Value {
    let members: Map<String, Value> = paths
        .iter()
        .map(|path| (format!("{prefix}{}", path.template), path.item.clone()))
        .collect();
    json!({
        "openapi": "3.0.2",
        "info": {
            "title": "Linchpin API",
            "description": "HTTP API that gives you full access to Linchpin. All API routes are prefixed with `/v1/`.",
            "version": linchpin_model::SERVER_VERSION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
        },
        "paths": members,
    })
}

impl OpenApiPath {
    /// The path item as JSON text.
    #[must_use]
    pub fn item_text(&self) -> String {
        self.item.to_string()
    }
}
