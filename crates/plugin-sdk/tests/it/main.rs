//! The fault plugin as a process, seen from a host: the checks P1, P2, P6, P8, P9, P13 and P16 of plugin-protocol §8.
#![cfg(test)]

// The template's tests name their crate.
extern crate self as my_plugin;

mod child;
mod greeter;
mod life;
mod start;
mod template;
mod views;

pub(crate) use template::create;
