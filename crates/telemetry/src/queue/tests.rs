use super::*;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

const SOON: Duration = Duration::from_secs(20);

/// A reader that takes one write at a time, when it is told to.
struct Reader {
    started: SyncSender<()>,
    leave: Receiver<()>,
    text: Arc<Mutex<String>>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.started.send(()).map_err(io::Error::other)?;
        self.leave.recv().map_err(io::Error::other)?;
        self.text.lock().push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct World {
    queue: Queue,
    started: Receiver<()>,
    leave: SyncSender<()>,
    text: Arc<Mutex<String>>,
}

fn start(lines: usize, bytes: usize) -> World {
    let (started, has_started) = sync_channel(1000);
    let (leave, has_leave) = sync_channel(1000);
    let text = Arc::default();
    let reader = Reader {
        started,
        leave: has_leave,
        text: Arc::clone(&text),
    };
    let notice = |lost| format!("({lost} lost)").into_bytes();
    World {
        queue: Queue::start(Bounds { lines, bytes }, reader, notice).unwrap(),
        started: has_started,
        leave,
        text,
    }
}

impl World {
    /// Logs a line and waits until the reader, which then stalls, has begun to take it.
    fn stall(&self) {
        self.queue.put(b"a");
        self.started.recv_timeout(SOON).unwrap();
    }

    /// The reader takes everything from now on.
    fn read_on(&self) {
        for _ in 0..900 {
            self.leave.send(()).unwrap();
        }
        assert!(self.queue.flush(SOON));
    }
}

#[test]
fn lines_that_do_not_fit_are_counted_where_they_would_have_been() {
    let world = start(3, 1000);
    world.stall();
    for line in ["b", "c", "d", "e", "f"] {
        world.queue.put(line.as_bytes());
    }
    world.leave.send(()).unwrap();
    world.started.recv_timeout(SOON).unwrap();
    // The reader has taken `a` and begun with `b`: there is room for one.
    world.queue.put(b"g");
    world.queue.put(b"h");
    world.read_on();
    assert_eq!(*world.text.lock(), "abcd(2 lost)g(1 lost)");
    world.queue.put(b"i");
    assert!(world.queue.flush(SOON));
    assert_eq!(*world.text.lock(), "abcd(2 lost)g(1 lost)i");
}

#[test]
fn long_lines_have_a_bound_of_their_own_that_counts_the_one_being_written() {
    let world = start(1000, 10);
    world.stall();
    world.queue.put(b"23456789");
    world.queue.put(b"xx");
    world.queue.put(b"0");
    world.queue.put(b"y");
    world.read_on();
    assert_eq!(*world.text.lock(), "a23456789(1 lost)0(1 lost)");
    // What was written has made room again, and what can never fit is counted too.
    world.queue.put(b"0123456789");
    assert!(world.queue.flush(SOON));
    world.queue.put(b"0123456789x");
    assert!(world.queue.flush(SOON));
    assert!(world.text.lock().ends_with("(1 lost)0123456789(1 lost)"));
}

#[test]
fn the_end_does_not_wait_for_a_reader_that_has_stalled() {
    let world = start(1000, 1000);
    assert!(world.queue.flush(Duration::ZERO), "nothing was logged");
    world.stall();
    let began = Instant::now();
    assert!(!world.queue.flush(Duration::from_millis(50)));
    assert!(began.elapsed() < SOON);
    world.read_on();
}
