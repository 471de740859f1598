//! Help texts, in the shape that Vault's users know.

use super::{PathSpec, Table};

/// The help of an engine's root: what it is and its paths.
pub(crate) fn root<E>(table: &Table<E>) -> String {
    let mut out = format!(
        "## DESCRIPTION\n\n{}\n\n## PATHS\n\nThe following paths are supported by this backend. To view help for\nany of the paths below, use the help command with any route matching\nthe path pattern. Note that depending on the policy of your auth token,\nyou may or may not be able to access certain paths.\n\n",
        table.help.trim()
    );
    for spec in &table.paths {
        let Ok(pattern) = &spec.pattern else { continue };
        out.push_str("    ");
        out.push_str(pattern.source());
        out.push_str("\n        ");
        out.push_str(spec.synopsis);
        out.push_str("\n\n");
    }
    out
}

/// The help of one path.
pub(crate) fn path<E>(spec: &PathSpec<E>, asked: &str) -> String {
    let route = spec
        .pattern
        .as_ref()
        .map(super::Pattern::source)
        .unwrap_or_default();
    let mut out = format!(
        "Request:        {asked}\nMatching Route: {route}\n\n{}\n",
        spec.synopsis
    );
    if !spec.fields.is_empty() {
        out.push_str("\n## PARAMETERS\n");
        let mut fields: Vec<_> = spec.fields.iter().collect();
        fields.sort_by_key(|f| f.name);
        for field in fields {
            out.push_str(&format!(
                "\n    {} ({})\n        {}\n",
                field.name,
                field.field_type.as_str(),
                field.description
            ));
        }
    }
    if !spec.description.is_empty() {
        out.push_str(&format!(
            "\n## DESCRIPTION\n\n{}\n",
            spec.description.trim()
        ));
    }
    out
}
