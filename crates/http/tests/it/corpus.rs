//! The corpora of the fuzz targets `paths`, `json_body` and `plugin_answers` (see `fuzz/README.md`). They are here because their
//! subject ends in HTTP: a plugin's answer is followed to the bytes that a client gets.

#[path = "../../../../fuzz/checks/json_body.rs"]
mod json_body;
#[path = "../../../../fuzz/checks/corpus.rs"]
mod kept;
#[path = "../../../../fuzz/checks/paths.rs"]
mod paths;
#[path = "../../../../fuzz/checks/plugin_answers.rs"]
mod plugin_answers;

#[test]
fn paths_hold_for_the_corpus() {
    kept::replay("paths", 50, paths::check);
}

#[test]
fn json_bodies_hold_for_the_corpus() {
    kept::replay("json_body", 50, json_body::check);
}

#[test]
fn plugin_answers_hold_for_the_corpus() {
    kept::replay("plugin_answers", 50, plugin_answers::check);
}
