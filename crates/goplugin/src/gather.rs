//! What lies between HTTP/2 and its socket: it gathers what is written, and answers pings late.
//!
//! HTTP/2 writes whatever it has whenever it is polled, and each write is a TLS record, a system call and a wake-up of the peer. So
//! writes are kept here until the task of the connection has nothing left to do, and then leave together.
//!
//! Go's gRPC sends a ping with a window update after nearly every message, to learn how far away its peer is, and one at a time. An
//! answer at once costs a record, a system call and a wake-up on both sides, for each message. The answer is due, but not urgent: it
//! leaves a little later, and the peer pings a hundred times a second at most. h2 answers pings by itself and at once, so they are
//! taken out of what it reads.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How much is gathered, in bytes, before the socket must take it.
const MOST: usize = 64 * 1024;
/// How much is read at once, in bytes.
const READ: usize = 4 * 1024;
/// From this many bytes of a frame on, they are read to where they belong.
const LONG: usize = 2 * 1024;
/// How late a ping is answered.
const LATE: Duration = Duration::from_millis(10);
/// How many pings may wait for their answer; Go has one under way.
const PINGS: usize = 8;

/// The length of a frame's head.
const HEAD: usize = 9;
/// The length of a ping, head and all.
const PING: usize = HEAD + 8;
/// The type of a ping, and the flag of its answer.
const PING_TYPE: u8 = 6;
const ACK: u8 = 1;
/// What a client sends before its first frame, in bytes.
const PREFACE: usize = 24;

/// The stream that HTTP/2 gets.
pub(crate) struct Gathered<I>(Arc<Mutex<Inner<I>>>);

/// The other end of the same stream, for the task of the connection.
pub(crate) struct Outlet<I>(Arc<Mutex<Inner<I>>>);

struct Inner<I> {
    io: I,
    written: Vec<u8>,
    /// How much of `written` the socket has.
    sent: usize,
    /// Whether `written` ends with a frame.
    is_whole: bool,
    read: Box<[u8]>,
    /// What of `read` is still to be looked at.
    unread: std::ops::Range<usize>,
    place: Place,
    held: [u8; PING],
    pings: Vec<[u8; 8]>,
    answer_at: Option<Pin<Box<Sleep>>>,
}

/// Where in the frames that arrive we are.
#[derive(Clone, Copy)]
enum Place {
    /// In a head, or in a ping, of which so many bytes are held.
    Head(usize),
    /// A head is passed on, from this byte.
    Passing(usize),
    /// In a frame that has so many bytes left.
    Frame(usize),
}

/// Lays it over `io`. `is_client`: the peer sends frames from its first byte on.
pub(crate) fn gathered<I>(io: I, is_client: bool) -> (Gathered<I>, Outlet<I>) {
    let inner = Arc::new(Mutex::new(Inner {
        io,
        written: Vec::new(),
        sent: 0,
        is_whole: false,
        read: vec![0; READ].into(),
        unread: 0..0,
        place: if is_client {
            Place::Head(0)
        } else {
            Place::Frame(PREFACE)
        },
        held: [0; PING],
        pings: Vec::new(),
        answer_at: None,
    }));
    (Gathered(Arc::clone(&inner)), Outlet(inner))
}

impl<I: AsyncWrite + Unpin> Outlet<I> {
    /// Sends what has been gathered. To be polled whenever the task of the connection has nothing left to do; the task is woken when
    /// there is more to send. Ends only when the stream is broken.
    pub(crate) fn poll_broken(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.lock();
        let is_due = match &mut inner.answer_at {
            Some(at) => at.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if is_due && inner.is_whole {
            inner.answer_pings();
        }
        match inner.poll_send(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<I: AsyncWrite + Unpin> Inner<I> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self
            .written
            .get(self.sent..)
            .filter(|rest| !rest.is_empty())
        {
            match ready!(Pin::new(&mut self.io).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.sent += taken,
            }
        }
        self.written.clear();
        self.sent = 0;
        // One large message must not keep its room for ever.
        self.written.shrink_to(MOST);
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn answer_pings(&mut self) {
        self.answer_at = None;
        for ping in self.pings.drain(..) {
            self.written
                .extend_from_slice(&[0, 0, 8, PING_TYPE, ACK, 0, 0, 0, 0]);
            self.written.extend_from_slice(&ping);
        }
    }

    /// Passes on what was read, without the pings.
    fn pass(&mut self, to: &mut ReadBuf<'_>) {
        while to.remaining() > 0 {
            if let Place::Passing(from) = self.place {
                let head = self.held.get(from..HEAD).unwrap_or_default();
                let part = head.get(..to.remaining()).unwrap_or(head);
                to.put_slice(part);
                self.place = match from + part.len() {
                    HEAD => Place::Frame(length_of(&self.held)),
                    at => Place::Passing(at),
                };
                continue;
            }
            let unread = self.read.get(self.unread.clone()).unwrap_or_default();
            if unread.is_empty() {
                return;
            }
            let taken = match self.place {
                Place::Frame(left) => {
                    let most = left.min(to.remaining());
                    let part = unread.get(..most).unwrap_or(unread);
                    to.put_slice(part);
                    self.place = match left - part.len() {
                        0 => Place::Head(0),
                        left => Place::Frame(left),
                    };
                    part.len()
                }
                Place::Head(have) => {
                    let wanted = if have < HEAD { HEAD } else { PING };
                    let part = unread.get(..wanted - have).unwrap_or(unread);
                    if let Some(room) = self.held.get_mut(have..have + part.len()) {
                        room.copy_from_slice(part);
                    }
                    let taken = part.len();
                    self.place = match have + taken {
                        HEAD if !is_ping(&self.held) => Place::Passing(0),
                        PING => {
                            self.take_ping();
                            Place::Head(0)
                        }
                        have => Place::Head(have),
                    };
                    taken
                }
                Place::Passing(_) => 0,
            };
            self.unread.start += taken;
        }
    }

    fn take_ping(&mut self) {
        let [.., a, b, c, d, e, f, g, h] = self.held;
        self.pings.push([a, b, c, d, e, f, g, h]);
        let late = if self.pings.len() < PINGS {
            LATE
        } else {
            Duration::ZERO
        };
        if self.answer_at.is_none() || late.is_zero() {
            self.answer_at = Some(Box::pin(tokio::time::sleep(late)));
        }
    }
}

fn length_of(head: &[u8; PING]) -> usize {
    let [a, b, c, ..] = *head;
    u32::from_be_bytes([0, a, b, c]) as usize
}

/// Whether a head is one of a ping that wants an answer. One of another length is an error, which h2 tells the peer.
fn is_ping(head: &[u8; PING]) -> bool {
    let [_, _, _, kind, flags, ..] = *head;
    kind == PING_TYPE && flags & ACK == 0 && length_of(head) == PING - HEAD
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gathered<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        let inner = &mut *inner;
        let before = to.filled().len();
        loop {
            inner.pass(to);
            if to.filled().len() > before || to.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if let Place::Frame(left) = inner.place
                && left >= LONG
            {
                let most = left.min(to.remaining());
                let mut part = ReadBuf::new(to.initialize_unfilled_to(most));
                ready!(Pin::new(&mut inner.io).poll_read(cx, &mut part))?;
                let came = part.filled().len();
                to.advance(came);
                inner.place = match left - came {
                    0 => Place::Head(0),
                    left => Place::Frame(left),
                };
                return Poll::Ready(Ok(()));
            }
            let mut read = ReadBuf::new(&mut inner.read);
            ready!(Pin::new(&mut inner.io).poll_read(cx, &mut read))?;
            inner.unread = 0..read.filled().len();
            if inner.unread.is_empty() {
                // The end, also in the middle of a frame.
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Gathered<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.0.lock();
        if inner.written.len() >= MOST {
            ready!(inner.poll_send(cx))?;
        }
        let before = inner.written.len();
        inner.is_whole = false;
        for part in parts {
            inner.written.extend_from_slice(part);
        }
        Poll::Ready(Ok(inner.written.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// HTTP/2 says here that a frame has ended. It is sent when everything else is done, by [`Outlet::poll_send`].
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().is_whole = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.lock();
        ready!(inner.poll_send(cx))?;
        Pin::new(&mut inner.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
