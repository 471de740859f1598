//! A server that answers a list of expected requests, in order, and remembers what it was asked.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// One expected request and its answer.
pub(super) struct Answered {
    request: String,
    status: u16,
    header: &'static str,
    body: String,
}

impl Answered {
    pub(super) fn new(request: &str, status: u16, body: &str) -> Self {
        Self {
            request: request.to_owned(),
            status,
            header: "",
            body: body.to_owned(),
        }
    }

    pub(super) fn header(self, header: &'static str) -> Self {
        Self { header, ..self }
    }
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Method and path, and the headers in lower case.
    pub(super) head: String,
    pub(super) body: String,
}

/// The server.
pub(super) struct Fake {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    left: Arc<Mutex<VecDeque<Answered>>>,
}

impl Fake {
    pub(super) fn new(script: Vec<Answered>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Self {
            address: format!("http://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            left: Arc::new(Mutex::new(script.into())),
        };
        fake.serve(move || listener.accept().unwrap().0);
        fake
    }

    /// One that speaks TLS.
    pub(super) fn tls(script: Vec<Answered>, config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let fake = Self {
            address: format!("https://{}", listener.local_addr().unwrap()),
            asked: Arc::default(),
            left: Arc::new(Mutex::new(script.into())),
        };
        let config = Arc::new(config);
        fake.serve(move || {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            StreamOwned::new(tls, listener.accept().unwrap().0)
        });
        fake
    }

    /// One at a Unix socket.
    pub(super) fn unix(script: Vec<Answered>, socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let fake = Self {
            address: format!("unix://{}", socket.display()),
            asked: Arc::default(),
            left: Arc::new(Mutex::new(script.into())),
        };
        fake.serve(move || listener.accept().unwrap().0);
        fake
    }

    /// Serves one connection after another: a command is done with its own before the next begins.
    fn serve<S: Read + Write>(&self, accept: impl Fn() -> S + Send + 'static) {
        let (asked, left) = (Arc::clone(&self.asked), Arc::clone(&self.left));
        std::thread::spawn(move || {
            loop {
                let _ended = serve(accept(), &asked, &left);
            }
        });
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// What was asked; panics when something expected was not.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let left: Vec<String> = self
            .left
            .lock()
            .unwrap()
            .iter()
            .map(|a| a.request.clone())
            .collect();
        assert!(left.is_empty(), "never asked: {left:?}");
        self.asked.lock().unwrap().clone()
    }
}

/// Serves one connection until it is closed.
fn serve(
    stream: impl Read + Write,
    asked: &Mutex<Vec<Asked>>,
    left: &Mutex<VecDeque<Answered>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let first = head
            .lines()
            .next()?
            .trim_end_matches(" HTTP/1.1")
            .to_owned();
        let headers = head.to_lowercase();
        let length = headers
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        asked.lock().unwrap().push(Asked {
            head: headers,
            body: String::from_utf8(body).unwrap(),
        });
        let next = left.lock().unwrap().pop_front();
        let (status, header, body) = match next {
            Some(next) if next.request == first => (next.status, next.header, next.body),
            Some(next) => {
                let wrong = format!(
                    "{{\"errors\":[\"expected {}, found {first}\"]}}",
                    next.request
                );
                (599, "", wrong)
            }
            None => (599, "", format!("{{\"errors\":[\"unexpected {first}\"]}}")),
        };
        let header = if header.is_empty() {
            String::new()
        } else {
            format!("{header}\r\n")
        };
        let length = match status {
            204 => String::new(),
            _ => format!("Content-Length: {}\r\n", body.len()),
        };
        let stream = reader.get_mut();
        write!(stream, "HTTP/1.1 {status} X\r\n{header}{length}\r\n{body}").ok()?;
        stream.flush().ok()?;
    }
}
