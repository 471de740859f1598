//! The same over HTTP/2.

use crate::fake;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use linchpin_http::Limits;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

const SOON: Duration = Duration::from_secs(20);

async fn connect(address: SocketAddr, tasks: &TaskTracker) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    sender
}

fn request(method: &str, path: &str, body: &'static str) -> http::Request<Full<Bytes>> {
    http::Request::builder()
        .method(method)
        .uri(format!("http://vault.example/v1/{path}"))
        .header("X-Vault-Token", "root")
        .header("X-Custom-Id", "7")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

#[tokio::test]
async fn requests_share_a_connection_and_have_the_same_meaning() {
    let server = fake::start(Limits::default()).await;
    let tasks = TaskTracker::new();
    let mut sender = connect(server.address, &tasks).await;
    let waiting = sender.send_request(request("GET", "gate", ""));
    server.seen.arrived.notified().await;
    let answer = sender
        .send_request(request("POST", "lease", "{\"a\":1.10}"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(body.ends_with(b"\n"));
    assert!(String::from_utf8_lossy(&body).contains("\"lease_duration\":60"));
    let headers = server.seen.headers.lock().clone();
    assert!(headers.contains(&("Host".to_owned(), "vault.example".to_owned())));
    assert!(headers.contains(&("X-Custom-Id".to_owned(), "7".to_owned())));
    let answer = sender
        .send_request(request("LIST", "none", ""))
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    server.seen.gate.notify_one();
    assert_eq!(waiting.await.unwrap().status(), 200);
    assert_eq!(
        *server.seen.lines.lock(),
        [
            "read gate token=root",
            "update lease token=root data={\"a\":1.10}",
            "list none/ token=root"
        ]
    );
    drop(sender);
    server.end().await;
}

#[tokio::test]
async fn a_reset_stream_cancels_its_request_only() {
    let server = fake::start(Limits::default()).await;
    let tasks = TaskTracker::new();
    let mut sender = connect(server.address, &tasks).await;
    let abandoned = sender.send_request(request("GET", "hang", ""));
    server.seen.arrived.notified().await;
    let ctx = server.seen.context.lock().clone().unwrap();
    drop(abandoned);
    timeout(SOON, ctx.cancel.cancelled())
        .await
        .expect("cancelled");
    let answer = sender.send_request(request("GET", "x", "")).await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(sender);
    server.end().await;
}

#[tokio::test]
async fn a_connection_that_goes_away_cancels_all_its_requests() {
    let server = fake::start(Limits::default()).await;
    let tasks = TaskTracker::new();
    // hyper's client keeps its socket in a task of its own, so the cable is cut beside it.
    let (client_end, mut cable) = tokio::io::duplex(64 << 10);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let wire = tasks.spawn(async move {
        let _ = tokio::io::copy_bidirectional(&mut cable, &mut stream).await;
    });
    let (mut sender, connection) =
        http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(client_end))
            .await
            .unwrap();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    let _first = sender.send_request(request("GET", "hang", ""));
    server.seen.arrived.notified().await;
    let ctx = server.seen.context.lock().clone().unwrap();
    wire.abort();
    timeout(SOON, ctx.cancel.cancelled())
        .await
        .expect("cancelled");
    server.end().await;
}

#[tokio::test]
async fn shutdown_finishes_running_streams() {
    let server = fake::start(Limits::default()).await;
    let tasks = TaskTracker::new();
    let mut sender = connect(server.address, &tasks).await;
    let waiting = sender.send_request(request("GET", "gate", ""));
    server.seen.arrived.notified().await;
    server.stop.cancel();
    server.seen.gate.notify_one();
    assert_eq!(waiting.await.unwrap().status(), 200);
    timeout(SOON, server.tasks.wait()).await.unwrap();
}
