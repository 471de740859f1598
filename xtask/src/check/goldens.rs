//! Tidy: nothing waits for review beside a golden file, and every error code has its page.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::sizes::sources;

/// Fails for pending snapshots, for codes without a page and for pages without a code.
pub(crate) fn check() -> Result<()> {
    let mut wrong = pending(&crate::root().join("crates"))?;
    let mut used = BTreeSet::new();
    for file in sources()? {
        // Tests invent codes, and so does this file.
        let invented =
            file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs");
        if !invented && !file.ends_with("check/goldens.rs") {
            used.extend(codes(
                &fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?,
            ));
        }
    }
    let pages = pages(&crate::root().join("docs/errors"))?;
    wrong.extend(
        used.difference(&pages)
            .map(|code| format!("docs/errors/{code}.md is missing")),
    );
    wrong.extend(
        pages
            .difference(&used)
            .map(|code| format!("docs/errors/{code}.md describes a code that nothing uses")),
    );
    if !wrong.is_empty() {
        bail!("{}", wrong.join("; "));
    }
    Ok(())
}

/// The quoted codes `LP` and four digits in a text.
fn codes(text: &str) -> BTreeSet<String> {
    text.match_indices("\"LP")
        .filter_map(|(at, _)| {
            let code = text.get(at + 1..at + 7)?;
            let closed = text.get(at + 7..at + 8) == Some("\"");
            (closed && code.chars().skip(2).all(|digit| digit.is_ascii_digit()))
                .then(|| code.to_owned())
        })
        .collect()
}

fn pages(folder: &Path) -> Result<BTreeSet<String>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(BTreeSet::new());
    };
    let mut pages = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(code) = name
            .strip_suffix(".md")
            .filter(|code| code.starts_with("LP"))
        {
            pages.insert(code.to_owned());
        }
    }
    Ok(pages)
}

/// What insta leaves beside a golden file that did not match.
fn pending(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if path.is_dir() {
            found.extend(pending(&path)?);
        } else if name.ends_with(".snap.new") || name.ends_with(".pending-snap") {
            found.push(format!("{name} waits for review"));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quoted_codes_count() {
        let text = r#"code("LP0017"), LP0018, "LP00x9", "LP001", ["LP0020"]"#;
        assert_eq!(
            codes(text).into_iter().collect::<Vec<_>>(),
            ["LP0017", "LP0020"]
        );
    }
}
