//! The corpora of the fuzz targets `handshake`, `log_line` and `callbacks` (see `fuzz/README.md`).

#[path = "../../../../fuzz/checks/callbacks.rs"]
mod callbacks;
#[path = "../../../../fuzz/checks/handshake.rs"]
mod handshake;
#[path = "../../../../fuzz/checks/corpus.rs"]
mod kept;
#[path = "../../../../fuzz/checks/log_line.rs"]
mod log_line;

#[test]
fn handshake_lines_hold_for_the_corpus() {
    kept::replay("handshake", 50, handshake::check);
}

#[test]
fn log_lines_hold_for_the_corpus() {
    kept::replay("log_line", 50, log_line::check);
}

#[test]
fn callbacks_hold_for_the_corpus() {
    kept::replay("callbacks", 50, callbacks::check);
}
