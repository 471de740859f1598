//! Handshakes between two ends in memory: who is accepted, who is not, and why.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::PKCS_ECDSA_P521_SHA512;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};

use super::*;

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn identity() -> OneTimeIdentity {
    OneTimeIdentity::generate(now()).unwrap()
}

/// Carries bytes between the two until both are done; the first error of either side is the result.
fn shake(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Result<Connected, rustls::Error> {
    let mut client = Connection::from(ClientConnection::new(client, server_name())?);
    let mut server = Connection::from(ServerConnection::new(server)?);
    for _ in 0..10 {
        carry(&mut client, &mut server)?;
        carry(&mut server, &mut client)?;
        // TLS 1.3 lets the client finish before the server has judged its certificate, so both must be done.
        if !client.is_handshaking() && !server.is_handshaking() {
            return Ok(Connected {
                alpn: client.alpn_protocol().map(<[u8]>::to_vec),
            });
        }
    }
    Err(rustls::Error::HandshakeNotComplete)
}

#[derive(Debug)]
struct Connected {
    alpn: Option<Vec<u8>>,
}

fn carry(from: &mut Connection, to: &mut Connection) -> Result<(), rustls::Error> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut reader = io::Cursor::new(wire);
    while to.read_tls(&mut reader).unwrap() > 0 {
        to.process_new_packets()?;
    }
    Ok(())
}

fn mutual(host: &OneTimeIdentity, plugin: &OneTimeIdentity) -> Result<Connected, rustls::Error> {
    shake(
        client_config(host, plugin.certificate().clone()).unwrap(),
        server_config(plugin, host.certificate().clone()).unwrap(),
    )
}

/// Whether the error is this module's own refusal rather than some other failure of the handshake.
fn is_pin_refusal(error: &rustls::Error) -> bool {
    *error
        == rustls::Error::InvalidCertificate(
            rustls::CertificateError::ApplicationVerificationFailure,
        )
}

#[test]
fn h12_pinned_peers_speak_h2_in_both_roles() {
    let (host, plugin) = (identity(), identity());
    assert_eq!(
        mutual(&host, &plugin).unwrap().alpn.as_deref(),
        Some(ALPN_H2)
    );
    assert_eq!(
        mutual(&plugin, &host).unwrap().alpn.as_deref(),
        Some(ALPN_H2)
    );
}

#[test]
fn h08_a_p521_peer_is_accepted_in_both_roles() {
    let host = identity();
    let plugin = OneTimeIdentity::generate_with(&PKCS_ECDSA_P521_SHA512, now()).unwrap();
    mutual(&host, &plugin).unwrap();
    mutual(&plugin, &host).unwrap();
}

#[test]
fn another_server_certificate_is_refused() {
    let (host, plugin, stranger) = (identity(), identity(), identity());
    let error = shake(
        client_config(&host, plugin.certificate().clone()).unwrap(),
        server_config(&stranger, host.certificate().clone()).unwrap(),
    )
    .unwrap_err();
    assert!(is_pin_refusal(&error), "{error:?}");
}

#[test]
fn another_client_certificate_is_refused() {
    let (host, plugin, stranger) = (identity(), identity(), identity());
    let error = shake(
        client_config(&stranger, plugin.certificate().clone()).unwrap(),
        server_config(&plugin, host.certificate().clone()).unwrap(),
    )
    .unwrap_err();
    assert!(is_pin_refusal(&error), "{error:?}");
}

#[test]
fn a_client_without_certificate_is_refused() {
    let (host, plugin) = (identity(), identity());
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedPeer::new(
            plugin.certificate().clone(),
            &provider(),
        )))
        .with_no_client_auth();
    let mut client = client;
    client.alpn_protocols = vec![ALPN_H2.to_vec()];
    let error = shake(
        Arc::new(client),
        server_config(&plugin, host.certificate().clone()).unwrap(),
    )
    .unwrap_err();
    assert_eq!(error, rustls::Error::NoCertificatesPresented);
}

/// Presents `certificate` but signs with the key of `thief`.
fn stolen(certificate: &CertificateDer<'static>, thief: &OneTimeIdentity) -> Arc<SingleCertAndKey> {
    let key = provider()
        .key_provider
        .load_private_key(private_key(thief))
        .unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(
        vec![certificate.clone()],
        key,
    )))
}

#[test]
fn h10_a_server_with_the_right_certificate_and_another_key_is_refused() {
    let (host, plugin, thief) = (identity(), identity(), identity());
    let check = |tls: &'static SupportedProtocolVersion| {
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[tls])
            .unwrap()
            .with_client_cert_verifier(Arc::new(PinnedPeer::new(
                host.certificate().clone(),
                &provider(),
            )))
            .with_cert_resolver(stolen(plugin.certificate(), &thief));
        server.alpn_protocols = vec![ALPN_H2.to_vec()];
        let error = shake(
            client_config(&host, plugin.certificate().clone()).unwrap(),
            Arc::new(server),
        )
        .unwrap_err();
        assert_eq!(
            error,
            rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature)
        );
    };
    check(&version::TLS13);
    check(&version::TLS12);
}

#[test]
fn h10_a_client_with_the_right_certificate_and_another_key_is_refused() {
    let (host, plugin, thief) = (identity(), identity(), identity());
    let check = |tls: &'static SupportedProtocolVersion| {
        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[tls])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedPeer::new(
                plugin.certificate().clone(),
                &provider(),
            )))
            .with_client_cert_resolver(stolen(host.certificate(), &thief));
        client.alpn_protocols = vec![ALPN_H2.to_vec()];
        let error = shake(
            Arc::new(client),
            server_config(&plugin, host.certificate().clone()).unwrap(),
        )
        .unwrap_err();
        assert_eq!(
            error,
            rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature)
        );
    };
    check(&version::TLS13);
    check(&version::TLS12);
}

#[test]
fn a_certificate_with_an_intermediate_is_refused() {
    let peer = identity();
    let pinned = PinnedPeer::new(peer.certificate().clone(), &provider());
    let chain = [identity().certificate().clone()];
    let judged = rustls::server::danger::ClientCertVerifier::verify_client_cert(
        &pinned,
        peer.certificate(),
        &chain,
        rustls::pki_types::UnixTime::since_unix_epoch(Duration::ZERO),
    );
    assert!(judged.is_err());
}

#[test]
fn pem_reads_back_to_the_same_certificate() {
    let own = identity();
    assert_eq!(
        &certificate_from_pem(own.certificate_pem()).unwrap(),
        own.certificate()
    );
    assert!(certificate_from_pem("no certificate").is_err());
}

#[test]
fn debug_shows_no_private_key() {
    let own = identity();
    let shown = format!("{own:?}");
    let key = own.key_pkcs8().expose();
    let listed = format!("{key:?}");
    assert!(!shown.contains(&hex::encode(key)) && !shown.contains(&listed[1..listed.len() - 1]));
    assert!(!shown.contains("key_pkcs8"));
}

/// The parts that a Go peer looks at (plugin-protocol §1.8), found in the certificate's bytes as DER writes them.
#[test]
fn the_certificate_has_the_parts_that_a_go_peer_checks() {
    let der = identity().certificate().to_vec();
    let has = |needle: &[u8]| der.windows(needle.len()).any(|window| window == needle);
    let check = |name: &str, needle: &[u8]| assert!(has(needle), "{name}");
    check("CN=localhost", b"\x06\x03\x55\x04\x03\x0c\x09localhost");
    check("O=HashiCorp", b"\x06\x03\x55\x04\x0a\x0c\x09HashiCorp");
    check(
        "SAN DNS localhost",
        b"\x06\x03\x55\x1d\x11\x04\x0d\x30\x0b\x82\x09localhost",
    );
    check(
        "EKU clientAuth",
        b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02",
    );
    check(
        "EKU serverAuth",
        b"\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01",
    );
    // Critical, bits 0 (signature), 2 (encipherment), 4 (agreement), 5 (certificate signing).
    check(
        "key usage",
        b"\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x02\xac",
    );
    check(
        "critical CA",
        b"\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x05\x30\x03\x01\x01\xff",
    );
    check("subject key identifier", b"\x06\x03\x55\x1d\x0e\x04");
    // 30 seconds before and 262,980 hours after 2027-01-15T08:00:00Z.
    check("not before", b"\x17\x0d270115075930Z");
    check("not after", b"20570114200000Z");
}

#[test]
fn a_time_outside_the_calendar_is_an_error() {
    let far = SystemTime::UNIX_EPOCH + Duration::from_secs(400_000_000_000);
    assert!(matches!(
        OneTimeIdentity::generate(far),
        Err(Error::CertificateTime)
    ));
}
