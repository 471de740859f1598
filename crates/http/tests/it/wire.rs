//! HTTP/1.1 by hand: bytes out, bytes in.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One answer as it came.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lower-case names, sorted; without `date`.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        Some(value)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends `request` on a connection of its own and reads until the server closes it.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    parse(&all)
}

/// A GET with a token on a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    let request = format!(
        "GET /v1/{path} HTTP/1.1\r\nHost: h\r\nX-Vault-Token: root\r\nConnection: close\r\n\r\n"
    );
    exchange(address, request.as_bytes()).await
}

/// Reads one answer with a `content-length` from a connection that stays open.
pub(crate) async fn read_one(stream: &mut TcpStream) -> Answer {
    let mut all = Vec::new();
    loop {
        let mut byte = [0; 1];
        assert_eq!(stream.read(&mut byte).await.unwrap(), 1, "closed");
        all.extend(byte);
        if all.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let mut answer = parse(&all);
    let length: usize = answer
        .header("content-length")
        .unwrap_or("0")
        .parse()
        .unwrap();
    answer.body = vec![0; length];
    stream.read_exact(&mut answer.body).await.unwrap();
    answer
}

fn parse(all: &[u8]) -> Answer {
    let Some(end) = all.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Answer::default();
    };
    let head = String::from_utf8_lossy(&all[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .filter(|(name, _)| name != "date")
        .collect();
    headers.sort();
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: all[end + 4..].to_vec(),
    }
}
