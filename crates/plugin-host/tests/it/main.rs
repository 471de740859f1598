//! Real processes: what is started, what is said when it cannot be, and that nothing is left.

#![cfg(test)]

mod captured;
mod deadlines;
mod executions;
mod lives;
mod plugins;
mod raw_plugin;
mod scratch;
mod spawning;
mod starts;
mod words;
mod world;
