//! Real processes: what is started, what is said when it cannot be, and that nothing is left.

#![cfg(test)]

mod deadlines;
mod plugins;
mod scratch;
mod spawning;
mod words;
mod world;
