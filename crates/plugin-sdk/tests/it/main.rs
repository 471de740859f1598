//! The fault plugin as a process, seen from a host: the checks P1, P2, P6, P8, P9, P13 and P16 of plugin-protocol §8.
#![cfg(test)]

mod child;
mod life;
mod start;
mod views;
