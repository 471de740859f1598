//! Who may connect to whom: checks H9, H11, H12 and H13 of plugin-protocol §8.

use std::path::Path;
use std::sync::Arc;

use linchpin_crypto::tls::{self, OneTimeIdentity};
use linchpin_goplugin::Handshake;
use linchpin_goplugin::host::{Connection, Open};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::pair::{Handler, Pair, folder, identity, plugin};

fn silent() -> Handler {
    Arc::new(|_, _, _| Box::pin(async { Ok(None) }))
}

async fn open(
    handshake: &Handshake,
    identity: &OneTimeIdentity,
    folder: &Path,
) -> Result<(), linchpin_goplugin::host::Error> {
    let host = Connection::open(Open {
        handshake,
        identity,
        socket_dir: folder.to_owned(),
        exited: CancellationToken::new(),
        output: None,
    })
    .await?;
    // With TLS 1.3 a client learns only at its first call that its certificate was refused.
    host.health().await
}

#[tokio::test]
async fn h09_another_certificate_than_in_the_line_is_refused() {
    let (own, folder) = (identity(), folder());
    let running = plugin(&own, &folder, true, silent());
    open(running.handshake(), &own, &folder).await.unwrap();
    let mut forged = running.handshake().clone();
    forged.certificate = Some(identity().certificate().to_vec());
    assert!(open(&forged, &own, &folder).await.is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn h11_the_plugin_refuses_another_host_and_plaintext() {
    let (own, folder) = (identity(), folder());
    let running = plugin(&own, &folder, true, silent());
    assert!(
        open(running.handshake(), &identity(), &folder)
            .await
            .is_err()
    );
    let mut plain = running.handshake().clone();
    plain.certificate = None;
    assert!(open(&plain, &own, &folder).await.is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn h13_an_instances_socket_takes_nobody_but_its_plugin() {
    let pair = Pair::new(|_, _, _| async { Ok(None) }).await;
    let _instance = pair.mount(&Arc::default()).await;
    let socket = pair.folder.join("b1");
    let stranger = identity();
    // The stranger knows and accepts the host's certificate; with TLS 1.3 it learns at its first read that its own was refused.
    let config = tls::client_config(&stranger, pair.own.certificate().clone()).unwrap();
    let stream = UnixStream::connect(&socket).await.unwrap();
    let mut stream = TlsConnector::from(config)
        .connect(tls::server_name(), stream)
        .await
        .unwrap();
    let refused = stream.read_u8().await.unwrap_err();
    assert!(refused.to_string().contains("alert"), "{refused}");
    // Plaintext HTTP/2 gets no answer but the end of the connection or a TLS alert.
    let mut stream = UnixStream::connect(&socket).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.len() < 16, "no HTTP/2 settings frame: {answer:?}");
}
