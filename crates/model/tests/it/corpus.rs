//! The corpus of the fuzz target `versions` (see `fuzz/README.md`).

#[path = "../../../../fuzz/checks/corpus.rs"]
mod kept;
#[path = "../../../../fuzz/checks/versions.rs"]
mod versions;

#[test]
fn versions_hold_for_the_corpus() {
    kept::replay("versions", 30, versions::check);
}
