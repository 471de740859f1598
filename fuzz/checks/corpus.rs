//! Plays the kept inputs of a fuzz target again, as an ordinary test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Runs `check` over each file of `fuzz/corpus/<target>`. Fails when one of them fails, with the name of the file, and when the corpus
/// is not what it was made for: at least `least` files, some that are taken and some that are refused.
pub(crate) fn replay(target: &str, least: usize, check: fn(&[u8]) -> bool) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let listed = std::fs::read_dir(&folder);
    let mut files: Vec<PathBuf> = listed
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry of the folder").path())
        .collect();
    files.sort();
    assert!(files.len() >= least, "{} files in {target}", files.len());
    let mut taken = 0;
    for file in &files {
        let input =
            std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        match catch_unwind(AssertUnwindSafe(|| check(&input))) {
            Ok(accepted) => taken += usize::from(accepted),
            Err(_) => panic!("{} fails; the reason is above", file.display()),
        }
    }
    assert!(
        taken > 0 && taken < files.len(),
        "{taken} of {} inputs of {target} are taken",
        files.len()
    );
}
