//! How a server that speaks TLS is recognised, and what it is shown of its client. Everything comes as PEM texts: who reads files
//! can say which one is wrong.

mod anyone;

use std::sync::Arc;

use linchpin_crypto::Secret;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use anyone::Anyone;

/// What is typed of TLS. The default trusts the authorities of the system and shows nothing.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// PEM texts with the certificates of the authorities that may vouch for the server. Where there are some, the system's do
    /// not count.
    pub authorities: Vec<Vec<u8>>,
    /// What the client shows when it is asked who it is.
    pub identity: Option<ClientIdentity>,
    /// The name that the server's certificate must have, and that is sent to it; `None` = the host of the address.
    pub server_name: Option<String>,
    /// Whether any certificate will do. Whoever is in between can then read everything, the token too.
    pub trusts_anyone: bool,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// PEM text: the client's certificate, then those between it and an authority that the server knows.
    pub certificates: Vec<u8>,
    /// PEM text: the key, not encrypted.
    pub key: Secret<Vec<u8>>,
}

/// Why there can be no TLS with such settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The text of an authority holds a damaged certificate.
    #[error("the certificate of an authority cannot be read")]
    Authority(#[source] rustls::Error),
    /// The text of an authority is no PEM.
    #[error("the certificate of an authority is no PEM text")]
    AuthorityPem(#[source] pem::Error),
    /// The texts of the authorities hold no certificate at all.
    #[error("there is no certificate of an authority")]
    NoAuthority,
    /// The certificates of the system cannot be read, or there are none.
    #[error("the authorities of the system cannot be read")]
    System(#[source] rustls::Error),
    /// The client's certificate is no PEM text, or none at all.
    #[error("the client's certificate is no PEM text")]
    Certificate(#[source] pem::Error),
    /// The client's key is no PEM text, or it is encrypted.
    #[error("the client's key is no PEM text of a key that is not encrypted")]
    Key(#[source] pem::Error),
    /// Certificate and key do not belong together, or the key is of an unknown kind.
    #[error("the client's certificate and key cannot be used")]
    Identity(#[source] rustls::Error),
    /// A name that no certificate can have.
    #[error("{0:?} cannot be the name of a server")]
    Name(String),
    /// The settings as a whole were refused.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// TLS as it was set up, for connections to one name.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

impl Tls {
    /// TLS towards `host`, or towards the name that the settings put in its place.
    pub(crate) fn new(settings: &TlsSettings, host: &str) -> Result<Self, TlsError> {
        let name = settings.server_name.as_deref().unwrap_or(host);
        let wrong = |_| TlsError::Name(name.to_owned());
        let name = ServerName::try_from(name.to_owned()).map_err(wrong)?;
        let provider = linchpin_crypto::tls::provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .dangerous()
            .with_custom_certificate_verifier(verifier(settings, provider)?);
        let mut config = match &settings.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certificates = CertificateDer::pem_slice_iter(&identity.certificates)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(TlsError::Certificate)?;
                if certificates.is_empty() {
                    return Err(TlsError::Certificate(pem::Error::NoItemsFound));
                }
                let key = PrivateKeyDer::from_pem_slice(identity.key.expose());
                builder
                    .with_client_auth_cert(certificates, key.map_err(TlsError::Key)?)
                    .map_err(TlsError::Identity)?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        })
    }
}

fn verifier(
    settings: &TlsSettings,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if settings.trusts_anyone {
        return Ok(Arc::new(Anyone::new(&provider)));
    }
    if settings.authorities.is_empty() {
        let system = rustls_platform_verifier::Verifier::new(provider);
        return Ok(Arc::new(system.map_err(TlsError::System)?));
    }
    let mut roots = RootCertStore::empty();
    for text in &settings.authorities {
        for certificate in CertificateDer::pem_slice_iter(text) {
            let certificate = certificate.map_err(TlsError::AuthorityPem)?;
            roots.add(certificate).map_err(TlsError::Authority)?;
        }
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    // It refuses only to be without any root.
    let verifier = verifier.map_err(|_| TlsError::NoAuthority)?;
    Ok(verifier)
}
