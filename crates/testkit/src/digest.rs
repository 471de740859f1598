//! SHA-256 of files, by coreutils. The digest that a test registers must not come from the library that the server checks it with:
//! the two would agree on a wrong one.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

/// Digests of files that were read before: the plugins are large and every test asks for the same ones.
static KNOWN: LazyLock<Mutex<HashMap<Identity, String>>> = LazyLock::new(Mutex::default);

/// Device, inode, size, and the seconds and nanoseconds of the modification time.
type Identity = (u64, u64, u64, i64, i64);

/// The digest of `file`, in 64 hex digits.
pub fn sha256(file: &Path) -> String {
    let facts = fs::metadata(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let key = (
        facts.dev(),
        facts.ino(),
        facts.size(),
        facts.mtime(),
        facts.mtime_nsec(),
    );
    if let Some(digest) = KNOWN.lock().expect("no panic holds this lock").get(&key) {
        return digest.clone();
    }
    let output = Command::new("sha256sum")
        .arg(file)
        .output()
        .or_else(|_| {
            Command::new("shasum")
                .args(["-a", "256"])
                .arg(file)
                .output()
        })
        .expect("neither sha256sum nor shasum can be started");
    let line = String::from_utf8_lossy(&output.stdout);
    let digest = line
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_start_matches('\\')
        .to_owned();
    assert_eq!(
        digest.len(),
        64,
        "no digest of {}: {}",
        file.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    KNOWN
        .lock()
        .expect("no panic holds this lock")
        .insert(key, digest.clone());
    digest
}
