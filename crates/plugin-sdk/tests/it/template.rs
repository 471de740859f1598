//! The template compiles, and its own tests pass.

#[expect(unreachable_pub, reason = "public in the library that it is part of")]
#[path = "../../template/src/backend.rs"]
mod backend;
#[path = "../../template/tests/notes.rs"]
mod notes;

pub(crate) use backend::create;
