//! A loopback server in place of the services that plugins call. It answers what Terraform's API answers to the calls that the plugin makes,
//! refuses to be a proxy, and remembers every request line.
//!
//! A plugin that is started with it as its proxy reaches nothing outside this machine.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The running server; ends when dropped.
pub(super) struct Fake {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _server: JoinSet<()>,
}

impl Fake {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let state = State {
            seen: Arc::clone(&seen),
            tokens: Arc::default(),
        };
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(state.clone().serve(socket));
            }
        });
        Self {
            address,
            seen,
            _server: server,
        }
    }

    /// `http://127.0.0.1:port`.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it has received a request whose line begins so, such as `DELETE /api`.
    pub(super) fn has_seen(&self, begin: &str) -> bool {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .any(|line| line.starts_with(begin))
    }
}

#[derive(Clone)]
struct State {
    seen: Arc<Mutex<Vec<String>>>,
    tokens: Arc<AtomicU32>,
}

impl State {
    /// One connection with one request. What breaks it is the client's business.
    async fn serve(self, socket: TcpStream) {
        drop(self.exchange(socket).await);
    }

    async fn exchange(self, socket: TcpStream) -> std::io::Result<()> {
        let mut socket = BufReader::new(socket);
        let mut line = String::new();
        socket.read_line(&mut line).await?;
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            socket.read_line(&mut header).await?;
            let Some((name, value)) = header.trim().split_once(':') else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map(String::as_str);
        let mut body = vec![0; length.unwrap_or("0").parse().unwrap_or_default()];
        socket.read_exact(&mut body).await?;
        self.seen.lock().unwrap().push(line.trim().to_owned());
        let (status, answer) = self.answer(&line);
        let answer = answer.map(|answer| answer.to_string()).unwrap_or_default();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/vnd.api+json\r\nTFP-API-Version: 2.5\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{answer}",
            answer.len()
        );
        socket.write_all(text.as_bytes()).await?;
        socket.shutdown().await
    }

    fn answer(&self, line: &str) -> (&'static str, Option<Value>) {
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match (method, path) {
            ("GET", "/api/v2/ping") => ("204 No Content", None),
            ("GET", "/api/v2/organizations/acme") => (
                "200 OK",
                Some(json!({"data": {
                    "id": "acme", "type": "organizations", "attributes": {"name": "acme"},
                }})),
            ),
            ("POST", path) if path.contains("/authentication-token") => {
                let number = self.tokens.fetch_add(1, Ordering::Relaxed) + 1;
                let attributes =
                    json!({"token": format!("token-{number}"), "description": "made by a fake"});
                (
                    "201 Created",
                    Some(json!({"data": {
                        "id": format!("at-{number}"), "type": "authentication-tokens", "attributes": attributes,
                    }})),
                )
            }
            ("DELETE", path) if path.starts_with("/api/v2/authentication-tokens/") => {
                ("204 No Content", None)
            }
            ("CONNECT", _) => ("403 Forbidden", None),
            _ => (
                "404 Not Found",
                Some(json!({"errors": [{"status": "404", "title": "not found"}]})),
            ),
        }
    }
}
