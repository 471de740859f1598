//! What is done to processes from outside: `kill -9`, and SIGSTOP, after which the supervisor must find out by itself.

use std::time::Duration;

use super::{Prng, pause};

/// One blow. It hits one of the processes that the plugin has at that moment: number `pick`, counted around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    /// How long after the one before.
    pub pause: Duration,
    /// Which plugin.
    pub plugin: usize,
    /// Which of its processes.
    pub pick: usize,
    /// Whether it is stopped; else killed.
    pub stops: bool,
}

/// An endless row of blows.
#[derive(Clone, Debug)]
pub struct Violence {
    numbers: Prng,
    plugins: usize,
}

impl Violence {
    pub(super) fn new(numbers: Prng, plugins: usize) -> Self {
        Self { numbers, plugins }
    }
}

impl Iterator for Violence {
    type Item = Blow;

    fn next(&mut self) -> Option<Blow> {
        Some(Blow {
            pause: pause(&mut self.numbers, 800, 3_500),
            plugin: self.numbers.below(self.plugins),
            pick: self.numbers.below(1_000),
            stops: self.numbers.below(5) == 0,
        })
    }
}
