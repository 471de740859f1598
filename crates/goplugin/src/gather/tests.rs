//! Frames survive every way in which they may be cut; pings are answered, late.

use std::task::Waker;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, (payload.len() >> 8) as u8, payload.len() as u8, kind, 0];
    frame.extend_from_slice(&[0, 0, 0, 1]);
    frame.extend_from_slice(payload);
    frame
}

/// Two frames with a ping before, between and after them, and what is left of that.
fn stream() -> (Vec<u8>, Vec<u8>) {
    let (short, long) = (frame(1, b"head"), frame(0, &vec![7; LONG + 100]));
    let ping = frame(PING_TYPE, b"whoever?");
    let all = [&ping, &short, &ping, &long, &ping].map(|f| f.as_slice());
    (all.concat(), [short, long].concat())
}

async fn read_in_pieces(size: usize, room: usize) {
    let (sent, expected) = stream();
    let (mut peer, io) = duplex(64);
    let (mut stream, outlet) = gathered(io, true);
    let write = async move {
        for piece in sent.chunks(size) {
            peer.write_all(piece).await.unwrap();
        }
        peer
    };
    let read = async {
        let mut all = Vec::new();
        let mut piece = vec![0; room];
        while all.len() < expected.len() {
            let came = stream.read(&mut piece).await.unwrap();
            assert_ne!(came, 0);
            all.extend_from_slice(&piece[..came]);
        }
        all
    };
    let (peer, all) = tokio::join!(write, read);
    assert!(all == expected, "pieces of {size} into {room}");
    drop(peer);
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
    assert_eq!(outlet.0.lock().pings, [*b"whoever?"; 3]);
}

#[tokio::test]
async fn frames_are_passed_on_without_the_pings_however_they_are_cut() {
    for size in [1, 3, 8, 9, 10, 17, 64] {
        for room in [1, 5, 9, 64, 8192] {
            read_in_pieces(size, room).await;
        }
    }
}

#[tokio::test]
async fn a_preface_is_no_frame() {
    let (mut peer, io) = duplex(256);
    let (mut stream, _outlet) = gathered(io, false);
    let sent = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &frame(4, b"settings"),
    ]
    .concat();
    peer.write_all(&sent).await.unwrap();
    let mut all = vec![0; sent.len()];
    stream.read_exact(&mut all).await.unwrap();
    assert!(all == sent);
}

async fn sent(outlet: &Outlet<DuplexStream>, peer: &mut DuplexStream, expected: &[u8]) {
    let send = std::future::poll_fn(|cx| outlet.poll_broken(cx));
    let mut came = vec![0; expected.len()];
    tokio::select! {
        () = send => {}
        read = peer.read_exact(&mut came) => { read.unwrap(); }
    }
    assert!(came == expected);
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_late_and_between_frames() {
    let (mut peer, io) = duplex(4096);
    let (mut stream, outlet) = gathered(io, true);
    let all = [frame(PING_TYPE, b"whoever?"), frame(1, b"head")].concat();
    peer.write_all(&all).await.unwrap();
    stream.read_exact(&mut [0; 13]).await.unwrap();
    // Half of a frame is no place for an answer.
    let began = tokio::time::Instant::now();
    stream.write_all(b"frame").await.unwrap();
    sent(&outlet, &mut peer, b"frame").await;
    tokio::time::advance(LATE).await;
    let mut now = Context::from_waker(Waker::noop());
    assert!(outlet.poll_broken(&mut now).is_pending());
    stream.write_all(b" end").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = frame(PING_TYPE, b"whoever?");
    answer[4] = ACK;
    answer[8] = 0;
    sent(&outlet, &mut peer, &[b" end".as_slice(), &answer].concat()).await;
    assert!(began.elapsed() >= LATE);
}

#[tokio::test]
async fn what_is_gathered_is_bounded() {
    let (_peer, io) = duplex(16);
    let (mut stream, _outlet) = gathered(io, true);
    let piece = vec![0; MOST];
    stream.write_all(&piece).await.unwrap();
    let mut now = Context::from_waker(Waker::noop());
    assert!(
        Pin::new(&mut stream)
            .poll_write(&mut now, &piece)
            .is_pending()
    );
}
