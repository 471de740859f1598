//! Connections that live long, die early, or mean harm.

use crate::fake;
use crate::wire;
use linchpin_http::Limits;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

async fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest)).await.is_ok()
}

fn request(path: &str) -> Vec<u8> {
    format!("GET /v1/{path} HTTP/1.1\r\nHost: h\r\nX-Vault-Token: root\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_request() {
    let server = fake::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&request("hang")).await.unwrap();
    server.seen.arrived.notified().await;
    let ctx = server.seen.context.lock().clone().unwrap();
    assert!(!ctx.cancel.is_cancelled());
    drop(stream);
    timeout(SOON, ctx.cancel.cancelled())
        .await
        .expect("cancelled");
    server.end().await;
}

#[tokio::test]
async fn an_answered_request_is_not_cancelled() {
    let server = fake::start(Limits::default()).await;
    assert_eq!(wire::get(server.address, "x").await.status, 200);
    let ctx = server.seen.context.lock().clone().unwrap();
    assert!(!ctx.cancel.is_cancelled());
    assert!(ctx.deadline.is_some());
    assert_eq!(ctx.request_id.len(), 36);
    server.end().await;
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = fake::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        stream.write_all(&request("x")).await.unwrap();
        let answer = wire::read_one(&mut stream).await;
        assert_eq!(answer.status, 200);
        ids.push(answer.text());
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "each request has an id of its own");
    // Pipelined: both are answered, in order.
    let both = [request("x"), request("none")].concat();
    stream.write_all(&both).await.unwrap();
    assert_eq!(wire::read_one(&mut stream).await.status, 200);
    assert_eq!(wire::read_one(&mut stream).await.status, 404);
    server.end().await;
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let limits = Limits {
        header_read: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    for start in ["", "G", "GET /v1/x HT", "PRI * HTTP/2"] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        assert!(closed(&mut stream).await, "{start:?}");
    }
    assert!(server.seen.lines.lock().is_empty());
    server.end().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_later_than_a_slow_one() {
    let limits = Limits {
        header_read: Duration::from_millis(100),
        idle: Duration::from_millis(1500),
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&request("x")).await.unwrap();
    wire::read_one(&mut stream).await;
    let idle_since = tokio::time::Instant::now();
    assert!(closed(&mut stream).await);
    assert!(idle_since.elapsed() >= Duration::from_millis(1400));
    server.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_408() {
    let limits = Limits {
        request: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let answer = wire::exchange(
        server.address,
        b"POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{\"a\"",
    )
    .await;
    assert_eq!(answer.status, 408);
    assert!(server.seen.lines.lock().is_empty());
    server.end().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_it_is_sent() {
    let limits = Limits {
        body: 1 << 20,
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let body = "x".repeat((1 << 20) + 1);
    let announced = format!(
        "POST /v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let chunked = format!(
        "POST /v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for request in [announced, chunked] {
        let answer = wire::exchange(server.address, request.as_bytes()).await;
        assert_eq!(answer.status, 413);
        assert_eq!(
            answer.text(),
            "{\"errors\":[\"http: request body too large\"]}\n"
        );
    }
    assert!(server.seen.lines.lock().is_empty());
    server.end().await;
}

fn post(path: &str, bytes: usize) -> Vec<u8> {
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(bytes));
    let length = body.len();
    format!(
        "POST /v1/{path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

const MIB: usize = 1 << 20;

fn few_bodies() -> Limits {
    Limits {
        body: 3 * MIB,
        bodies: 4 * MIB,
        ..Limits::default()
    }
}

#[tokio::test]
async fn bodies_of_running_requests_count_and_one_that_has_no_room_is_503() {
    let server = fake::start(few_bodies()).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(&post("gate", 2 * MIB)).await.unwrap();
    server.seen.arrived.notified().await;
    let kept_alive = String::from_utf8(post("x", 2 * MIB)).unwrap();
    let kept_alive = kept_alive.replace("Connection: close\r\n", "");
    let answer = wire::exchange(server.address, kept_alive.as_bytes()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(
        answer.text(),
        "{\"errors\":[\"the server is reading as many request bodies as it may: try again\"]}\n"
    );
    assert_eq!(server.seen.lines.lock().len(), 1);
    // Its room is given back with its answer.
    server.seen.gate.notify_one();
    assert_eq!(wire::read_one(&mut first).await.status, 200);
    let answer = wire::exchange(server.address, &post("x", 2 * MIB)).await;
    assert_eq!(answer.status, 200);
    server.end().await;
}

#[tokio::test]
async fn half_sent_bodies_count_until_they_are_given_up_and_small_ones_still_pass() {
    let server = fake::start(few_bodies()).await;
    let probe = async || {
        let answer = wire::exchange(server.address, &post("x", 3 * MIB / 2)).await;
        answer.status
    };
    let mut half_sent = Vec::new();
    let fill = async {
        while probe().await != 503 {
            // One that meets a probe may be refused itself, so there may be more than it takes.
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            let request = post("x", 2 * MIB);
            stream.write_all(&request[..MIB]).await.unwrap();
            half_sent.push(stream);
        }
    };
    timeout(SOON, fill).await.expect("refused");
    let answer = wire::exchange(server.address, &post("x", 100)).await;
    assert_eq!(answer.status, 200);
    drop(half_sent);
    let served = async { while probe().await != 200 {} };
    timeout(SOON, served).await.expect("served again");
    server.end().await;
}

#[tokio::test]
async fn a_large_body_in_many_pieces_arrives_whole() {
    let server = fake::start(Limits::default()).await;
    let value = "y".repeat(300_000);
    let body = format!("{{\"a\":\"{value}\"}}");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in body.as_bytes().chunks(70_000) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert_eq!(wire::read_one(&mut stream).await.status, 200);
    assert_eq!(*server.seen.lines.lock(), [format!("update x data={body}")]);
    server.end().await;
}

#[tokio::test]
async fn who_asks_for_leave_to_send_gets_it_unless_the_body_is_too_large() {
    let limits = Limits {
        body: 100,
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let head = |length: usize| {
        format!(
            "POST /v1/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head(7).as_bytes()).await.unwrap();
    assert_eq!(wire::read_one(&mut stream).await.status, 100);
    stream.write_all(b"{\"a\":1}").await.unwrap();
    assert_eq!(wire::read_one(&mut stream).await.status, 200);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head(101).as_bytes()).await.unwrap();
    assert_eq!(wire::read_one(&mut stream).await.status, 413);
    server.end().await;
}

#[tokio::test]
async fn an_ignored_body_does_not_become_the_next_request() {
    let server = fake::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let smuggled = b"GET /v1/evil HTTP/1.1\r\nHost: h\r\n\r\n";
    let head = format!(
        "GET /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
        smuggled.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(smuggled).await.unwrap();
    assert_eq!(wire::read_one(&mut stream).await.status, 200);
    stream.write_all(&request("none")).await.unwrap();
    assert_eq!(wire::read_one(&mut stream).await.status, 404);
    assert_eq!(
        *server.seen.lines.lock(),
        ["read x", "read none token=root"]
    );
    server.end().await;
}

#[tokio::test]
async fn headers_have_a_limit_and_near_it_they_pass() {
    let server = fake::start(Limits::default()).await;
    let with = |size: usize| {
        format!(
            "GET /v1/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Vault-Token: root\r\nX-Big: {}\r\n\r\n",
            "z".repeat(size)
        )
    };
    let answer = wire::exchange(server.address, with(900_000).as_bytes()).await;
    assert_eq!(answer.status, 200);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may answer and close before it has taken everything.
    let _ = stream.write_all(with(2 << 20).as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .expect("closed");
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(server.seen.lines.lock().len(), 1);
    server.end().await;
}

#[tokio::test]
async fn garbage_is_refused_and_the_server_lives_on() {
    let server = fake::start(Limits::default()).await;
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET / v1/x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/x HTTP/9.9\r\nHost: h\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /v1/x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense that is no frame at all",
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(garbage).await;
        stream.shutdown().await.unwrap();
        assert!(closed(&mut stream).await, "{garbage:?}");
    }
    assert!(server.seen.lines.lock().is_empty());
    assert_eq!(wire::get(server.address, "x").await.status, 200);
    server.end().await;
}

#[tokio::test]
async fn beyond_the_connection_limit_a_client_waits_its_turn() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(&request("gate")).await.unwrap();
    server.seen.arrived.notified().await;
    let second = wire::get(server.address, "x");
    tokio::pin!(second);
    assert!(
        timeout(Duration::from_millis(200), second.as_mut())
            .await
            .is_err(),
        "the second connection is not served beside the first"
    );
    server.seen.gate.notify_one();
    assert_eq!(wire::read_one(&mut first).await.status, 200);
    drop(first);
    assert_eq!(timeout(SOON, second).await.unwrap().status, 200);
    server.end().await;
}

#[tokio::test]
async fn at_shutdown_a_running_request_is_answered_and_idle_connections_close() {
    let server = fake::start(Limits::default()).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(&request("x")).await.unwrap();
    wire::read_one(&mut idle).await;
    server.seen.arrived.notified().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    busy.write_all(&request("gate")).await.unwrap();
    server.seen.arrived.notified().await;
    server.stop.cancel();
    assert!(closed(&mut idle).await);
    assert!(closed(&mut silent).await);
    assert!(!server.tasks.is_empty(), "the request is waited for");
    server.seen.gate.notify_one();
    let answer = wire::read_one(&mut busy).await;
    assert_eq!(answer.status, 200);
    assert!(closed(&mut busy).await);
    timeout(SOON, server.tasks.wait()).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn what_does_not_end_at_shutdown_is_cancelled_then_cut() {
    let limits = Limits {
        drain: Duration::from_millis(100),
        abandon: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = fake::start(limits).await;
    let mut polite = TcpStream::connect(server.address).await.unwrap();
    polite.write_all(&request("cancellable")).await.unwrap();
    server.seen.arrived.notified().await;
    let mut stuck = TcpStream::connect(server.address).await.unwrap();
    stuck.write_all(&request("hang")).await.unwrap();
    server.seen.arrived.notified().await;
    server.stop.cancel();
    let answer = wire::read_one(&mut polite).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        answer.text(),
        "{\"errors\":[\"server is shutting down\"]}\n"
    );
    assert!(closed(&mut stuck).await);
    timeout(SOON, server.tasks.wait()).await.unwrap();
}
