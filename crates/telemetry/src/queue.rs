//! The lines on their way to the log's reader.
//!
//! A reader may stall: a pipe that nobody empties, a terminal after Ctrl-S, a container's log whose disk is full. Then
//! the write to it blocks, for ever perhaps. So those who log only put lines here, and one thread, which has nothing
//! else to do, writes them. The queue is bounded in lines and in bytes. What does not fit is lost and counted, and the
//! count is written where the lost lines would have been.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// How much waits to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) lines: usize,
    pub(crate) bytes: usize,
}

impl Default for Bounds {
    /// What a flood of a few seconds at `trace` may hold.
    fn default() -> Self {
        Self {
            lines: 8192,
            bytes: 8 << 20,
        }
    }
}

/// Where lines are put; clones share the queue.
#[derive(Clone)]
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    bounds: Bounds,
    state: Mutex<State>,
    /// A line was put in, or lost.
    arrived: Condvar,
    /// Everything is written.
    idle: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Line>,
    /// Of the lines, and of the one that is being written.
    bytes: usize,
    /// How many were lost since the last line that was not.
    lost: u64,
    /// Whether the thread is writing.
    busy: bool,
}

/// What the thread writes next.
struct Line {
    text: Box<[u8]>,
    /// How many lines were lost before this one.
    lost: u64,
}

impl Queue {
    /// Starts the thread that writes to `sink`, for the rest of the process. `notice` says in a line that so many
    /// lines were lost.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(crate) fn start(
        bounds: Bounds,
        mut sink: impl Write + Send + 'static,
        notice: impl Fn(u64) -> Vec<u8> + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Self(Arc::new(Shared {
            bounds,
            state: Mutex::default(),
            arrived: Condvar::new(),
            idle: Condvar::new(),
        }));
        let ours = queue.clone();
        let write = move || {
            let mut written = 0;
            loop {
                let line = ours.next(written);
                // A reader that is gone, or a full disk, is no reason not to serve, and there is nobody to tell.
                if line.lost > 0 {
                    let _ = sink.write_all(&notice(line.lost));
                }
                let _ = sink.write_all(&line.text);
                written = line.text.len();
            }
        };
        thread::Builder::new().name("log".to_owned()).spawn(write)?;
        Ok(queue)
    }

    /// Puts a line in, or counts it as lost. Never waits for the reader.
    fn put(&self, text: &[u8]) {
        let mut state = self.0.state.lock();
        let bytes = state.bytes.saturating_add(text.len());
        if state.lines.len() >= self.0.bounds.lines || bytes > self.0.bounds.bytes {
            state.lost += 1;
        } else {
            let line = Line {
                text: text.into(),
                lost: std::mem::take(&mut state.lost),
            };
            state.lines.push_back(line);
            state.bytes = bytes;
        }
        drop(state);
        self.0.arrived.notify_one();
    }

    /// Waits for something to write, after the thread has written `written` bytes.
    fn next(&self, written: usize) -> Line {
        let mut state = self.0.state.lock();
        state.bytes = state.bytes.saturating_sub(written);
        loop {
            state.busy = true;
            if let Some(line) = state.lines.pop_front() {
                return line;
            }
            if state.lost > 0 {
                let lost = std::mem::take(&mut state.lost);
                let text = Box::default();
                return Line { text, lost };
            }
            state.busy = false;
            self.0.idle.notify_all();
            self.0.arrived.wait(&mut state);
        }
    }

    /// Waits until everything is written, at most for `limit`. Whether it is.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.0.state.lock();
        while state.busy || state.lost > 0 || !state.lines.is_empty() {
            if self.0.idle.wait_until(&mut state, end).timed_out() {
                return false;
            }
        }
        true
    }
}

/// The subscriber formats an event into one piece and writes that at once: a piece is a line.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Queue {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
