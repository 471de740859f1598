//! The SDK: the example and the template in memory; the fault plugin and the example as processes, seen from a host (checks P1, P2, P5, P6,
//! P8 to P10, P13, P14 and P16 of plugin-protocol §8; the others are in `linchpin-goplugin`'s tests and, P3 and P17, in the testkit's).
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
