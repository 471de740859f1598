//! `cargo xtask generate`: turns `crates/goplugin/proto` into the committed Rust in `crates/goplugin/src/generated`.
//!
//! The protobuf compiler is protox, pure Rust, so neither a build nor this command needs a system `protoc`. A normal build runs
//! no generator at all; the test at the foot generates again and compares, so that the committed files cannot drift.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The files that the compiler starts from; what they import comes along.
const ROOTS: &[&str] = &[
    "plugin.proto",
    "health.proto",
    "multiplexing.proto",
    "logical.proto",
    "pb/backend.proto",
    "pb/storage.proto",
    "pb/systemview.proto",
    "pb/events.proto",
    "pb/observations.proto",
];

/// Writes the generated files, and removes those that are no longer generated.
pub(crate) fn run() -> Result<()> {
    let folder = goplugin().join("src/generated");
    let files = generate()?;
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    for name in committed(&folder)?.into_keys() {
        if !files.contains_key(&name) {
            let stale = folder.join(&name);
            fs::remove_file(&stale).with_context(|| format!("remove {}", stale.display()))?;
        }
    }
    for (name, text) in files {
        let file = folder.join(name);
        fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// File name to text, as the committed folder should have them.
fn generate() -> Result<BTreeMap<String, String>> {
    let protos = goplugin().join("proto");
    let descriptors = protox::compile(ROOTS, [&protos]).context("compile the protobuf files")?;
    let scratch = Scratch::new()?;
    tonic_prost_build::configure()
        .out_dir(&scratch.0)
        // Maps with an order give the same bytes for the same message, and values of storage entries are not copied.
        .btree_map(".")
        .bytes(".pb.StorageEntry")
        // `connect` of tonic would bring its own, reconnecting transport; connections here come from `wire::connect`.
        .build_transport(false)
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .context("generate Rust from the descriptors")?;
    committed(&scratch.0)
}

/// The Rust files of one folder; empty when there is no such folder.
fn committed(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs")
            && let Some(name) = path.file_name().and_then(|name| name.to_str())
        {
            let text =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            files.insert(name.to_owned(), text);
        }
    }
    Ok(files)
}

fn goplugin() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/goplugin")
}

/// A folder for the generator's output that goes away with the value.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("linchpin-generate-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder left behind in the temp directory is not worth failing for.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_code_is_what_the_protobuf_files_generate() {
        let committed = committed(&goplugin().join("src/generated")).unwrap();
        let generated = generate().unwrap();
        let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&committed), names(&generated));
        for (name, text) in generated {
            assert!(
                committed.get(&name) == Some(&text),
                "{name} is not current; run `cargo xtask generate`"
            );
        }
    }
}
