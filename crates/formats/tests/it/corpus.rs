//! The corpus of the fuzz target `catalog_record` (see `fuzz/README.md`).

#[path = "../../../../fuzz/checks/catalog_record.rs"]
mod catalog_record;
#[path = "../../../../fuzz/checks/corpus.rs"]
mod kept;

#[test]
fn catalog_records_hold_for_the_corpus() {
    kept::replay("catalog_record", 50, catalog_record::check);
}
