//! A load generator that costs little: requests are written as prepared bytes, of answers only status and length are read. The general client of
//! the other tests spends about as much per request as the server, which would measure the client.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Reads `path` on `connections` connections for `time`; the latency of every answer. Any answer but 200 is an error.
pub(crate) async fn drive(
    address: SocketAddr,
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<Vec<Duration>> {
    let request =
        format!("GET /v1/{path} HTTP/1.1\r\nHost: {address}\r\nX-Vault-Token: root\r\n\r\n");
    let until = Instant::now() + time;
    let mut running = JoinSet::new();
    for _ in 0..connections {
        let request = request.clone().into_bytes();
        running.spawn(async move { one(address, &request, until).await });
    }
    let mut took = Vec::new();
    while let Some(connection) = running.join_next().await {
        took.extend(connection.context("a connection of the load panicked")??);
    }
    Ok(took)
}

async fn one(address: SocketAddr, request: &[u8], until: Instant) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true)?;
    let mut took = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    let mut sent = Instant::now();
    while sent < until {
        stream.write_all(request).await?;
        buffer.clear();
        while !is_complete(&buffer)? {
            ensure!(
                stream.read_buf(&mut buffer).await? > 0,
                "the server closed the connection"
            );
        }
        let now = Instant::now();
        took.push(now - sent);
        sent = now;
    }
    Ok(took)
}

/// Whether a whole answer of status 200 is there.
fn is_complete(answer: &[u8]) -> Result<bool> {
    let Some(head) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(false);
    };
    let text = std::str::from_utf8(answer.get(..head).unwrap_or_default())
        .context("a head that is not text")?;
    ensure!(text.starts_with("HTTP/1.1 200"), "the answer was {text}");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(answer.len() >= head + 4 + length.context("an answer without a length")?)
}
