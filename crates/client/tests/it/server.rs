//! A server that answers every request with 200, and with the head of the request in the header `X-Asked`.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::authority::{Authority, Signed};

static SOCKETS: AtomicU32 = AtomicU32::new(0);

/// The server. Its thread ends with the process.
pub(crate) enum Server {
    Plain(SocketAddr),
    Tls(SocketAddr),
    Unix(PathBuf),
}

impl Server {
    /// Without TLS.
    pub(crate) fn plain() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self::Plain(address)
    }

    /// With TLS, and only for clients of that authority if one is given.
    pub(crate) fn tls(own: &Signed, clients_of: Option<&Authority>) -> Self {
        let provider = linchpin_crypto::tls::provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients_of {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.certificate().der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::Pkcs8(own.key.serialize_der().into());
        let config = builder
            .with_single_cert(vec![own.certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(tls, stream.unwrap());
                std::thread::spawn(move || serve(stream));
            }
        });
        Self::Tls(address)
    }

    /// On a Unix socket.
    pub(crate) fn unix() -> Self {
        let number = SOCKETS.fetch_add(1, Ordering::Relaxed);
        let name = format!("linchpin-client-{}-{number}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self::Unix(socket)
    }

    pub(crate) fn address(&self) -> String {
        match self {
            Self::Plain(address) => format!("http://{address}"),
            Self::Tls(address) => format!("https://{address}"),
            Self::Unix(socket) => format!("unix://{}", socket.display()),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Unix(socket) = self {
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// Serves one connection until it ends, or its handshake fails.
fn serve(stream: impl Read + Write) {
    let mut stream = BufReader::new(stream);
    loop {
        // A handshake record, to a server without TLS: it says in its own protocol that this is none.
        if stream
            .fill_buf()
            .is_ok_and(|bytes| bytes.first() == Some(&0x16))
        {
            let refusal = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
            let _ = stream.get_mut().write_all(refusal);
            return;
        }
        let mut head = String::new();
        loop {
            let before = head.len();
            match stream.read_line(&mut head) {
                Ok(read) if read > 0 => {}
                _ => return,
            }
            if head[before..].trim().is_empty() {
                break;
            }
        }
        let asked = head.trim().replace("\r\n", " | ");
        let answer =
            format!("HTTP/1.1 200 OK\r\nX-Asked: {asked}\r\nContent-Length: 2\r\n\r\n{{}}");
        let peer = stream.get_mut();
        if peer
            .write_all(answer.as_bytes())
            .and_then(|()| peer.flush())
            .is_err()
        {
            return;
        }
    }
}
