//! A plugin that shakes hands and then answers nothing, for this crate's tests.

use linchpin_crypto::tls::{self, OneTimeIdentity};
use linchpin_goplugin::names::{BACKEND_VERSION, env};
use linchpin_goplugin::{Address, Handshake};
use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;
use tokio::net::UnixListener;
use tokio_rustls::TlsAcceptor;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = tls::certificate_from_pem(&std::env::var(env::CLIENT_CERT)?)?;
    let own = OneTimeIdentity::generate(SystemTime::now())?;
    let acceptor = TlsAcceptor::from(tls::server_config(&own, host)?);
    let path = PathBuf::from(std::env::var(env::UNIX_SOCKET_DIR)?).join("socket-of-mute");
    let listener = UnixListener::bind(&path)?;
    let handshake = Handshake {
        app_version: BACKEND_VERSION,
        address: Address::Unix(path),
        certificate: Some(own.certificate().to_vec()),
        broker_multiplexing: None,
    };
    writeln!(std::io::stdout(), "{handshake}")?;
    eprintln!("mute: says nothing more");
    let (stream, _) = listener.accept().await?;
    let _connection = acceptor.accept(stream).await?;
    std::future::pending().await
}
