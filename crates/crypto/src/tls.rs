//! TLS between the server and a plugin (plugin-protocol §§1.8-1.9): each side makes a one-time key and certificate,
//! tells the other the certificate during the handshake, and accepts from then on exactly that certificate. Both
//! sides use their certificate as TLS server and as TLS client, since brokered connections reverse the roles.
//!
//! Nothing here looks at names, chains or dates: equality of all bytes replaces them, and the handshake's signature
//! proves that the peer owns the key.

mod identity;
mod pinned;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ServerConfig, client::Resumption};

pub use identity::OneTimeIdentity;
pub use pinned::PinnedPeer;

use crate::Error;

/// The only application protocol of a plugin connection. Go peers refuse a connection without it.
pub const ALPN_H2: &[u8] = b"h2";

/// The name that both sides' certificates carry and that a client sends and expects.
pub const SERVER_NAME: &str = "localhost";

/// [`SERVER_NAME`] in the form a TLS connector takes.
pub fn server_name() -> ServerName<'static> {
    // PANIC: a constant and valid DNS name.
    #[expect(clippy::expect_used, reason = "a constant that parses")]
    ServerName::try_from(SERVER_NAME).expect("localhost is a DNS name")
}

/// The provider that every TLS configuration of the product names, so that no process-wide default matters. It has
/// P-521, which Go plugins sign with; `ring` does not.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The DER bytes of the one certificate in `pem`, as a plugin finds its host's certificate in its environment.
///
/// # Errors
/// [`Error::CertificatePem`] when there is none or it is damaged. Whether the bytes inside are a certificate shows
/// only at the first handshake.
pub fn certificate_from_pem(pem: &str) -> Result<CertificateDer<'static>, Error> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(Error::CertificatePem)
}

/// Settings for the side that opens a connection: the host's main connection, a plugin's brokered one.
///
/// # Errors
/// [`Error::Tls`] when key and certificate of `own` do not fit, which [`OneTimeIdentity`] rules out.
pub fn client_config(
    own: &OneTimeIdentity,
    peer: CertificateDer<'static>,
) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider();
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedPeer::new(peer, &provider)))
        .with_client_auth_cert(vec![own.certificate().clone()], private_key(own))
        .map_err(Error::Tls)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    // A resumed session skips the certificates. A connection belongs to one process and is never made again.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Settings for the side that listens: a plugin's main socket, the host's brokered ones.
///
/// # Errors
/// As [`client_config`].
pub fn server_config(
    own: &OneTimeIdentity,
    peer: CertificateDer<'static>,
) -> Result<Arc<ServerConfig>, Error> {
    let provider = provider();
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(Error::Tls)?
        .with_client_cert_verifier(Arc::new(PinnedPeer::new(peer, &provider)))
        .with_single_cert(vec![own.certificate().clone()], private_key(own))
        .map_err(Error::Tls)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

fn private_key(own: &OneTimeIdentity) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(own.key_pkcs8().expose().clone()).into()
}

#[cfg(test)]
mod tests;
