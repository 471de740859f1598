//! Tidy: the size of our source files. Half of them should stay below 200 lines; past 600 it is time to look for the second idea, and
//! past 1,000 the file's first lines must give the reason (`Longer than 1,000 lines because …`).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::say;

const LOOK_FOR_THE_SECOND_IDEA: usize = 600;
const NEEDS_A_REASON: usize = 1_000;

/// Reports the distribution and the longest files; fails for those that owe a reason.
pub(crate) fn check() -> Result<()> {
    let mut sizes = Vec::new();
    for file in sources()? {
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let reasoned = text
            .lines()
            .take(30)
            .any(|line| line.contains("Longer than 1,000 lines because"));
        sizes.push((text.lines().count(), reasoned, file));
    }
    sizes.sort();
    let lines: usize = sizes.iter().map(|(lines, ..)| lines).sum();
    let median = sizes.get(sizes.len() / 2).map_or(0, |(lines, ..)| *lines);
    say::good(&format!(
        "{} source files, {lines} lines, median {median}",
        sizes.len()
    ));
    let mut owing = Vec::new();
    for (lines, reasoned, file) in sizes
        .iter()
        .rev()
        .take_while(|(lines, ..)| *lines > LOOK_FOR_THE_SECOND_IDEA)
    {
        let shown = file.strip_prefix(crate::root()).unwrap_or(file).display();
        say::step(&format!(
            "{shown} has {lines} lines: is there a second idea in it?"
        ));
        if *lines > NEEDS_A_REASON && !reasoned {
            owing.push(shown.to_string());
        }
    }
    if !owing.is_empty() {
        bail!("{} must say why longer than 1,000 lines", owing.join(", "));
    }
    Ok(())
}

/// Every Rust file of ours, generated ones excepted.
pub(crate) fn sources() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![crate::root().join("crates"), crate::root().join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            if path.is_dir() && name != "generated" && name != "target" {
                folders.push(path);
            } else if path.is_file() && path.extension() == Some(Path::new("rs").as_os_str()) {
                found.push(path);
            }
        }
    }
    Ok(found)
}
