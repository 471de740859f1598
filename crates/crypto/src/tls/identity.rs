//! The key and self-signed certificate that one side of a plugin connection makes at start and forgets at its end.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber, SignatureAlgorithm,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;
use zeroize::Zeroize;

use super::SERVER_NAME;
use crate::{Error, Secret, random};

/// How far the certificate's validity reaches into the past, for peers whose clock is behind.
const CLOCK_SKEW: Duration = Duration::from_secs(30);
/// How long the certificate is valid: the reference's 262,980 hours, about 30 years.
const LIFETIME: Duration = Duration::from_secs(262_980 * 3600);

/// A one-time ECDSA key on P-256 with its self-signed certificate, made as plugin-protocol §1.8 lays down: subject
/// `O=HashiCorp, CN=localhost`, DNS name `localhost`, for clients and servers.
///
/// Go plugins present P-521 and accept P-256, which is much cheaper to make and to sign with.
pub struct OneTimeIdentity {
    certificate: CertificateDer<'static>,
    pem: String,
    key_pkcs8: Secret<Vec<u8>>,
}

impl OneTimeIdentity {
    /// Makes a new key and certificate, valid from half a minute before `now`.
    ///
    /// # Errors
    /// [`Error::Certificate`] when the library refuses, [`Error::CertificateTime`] when `now` is outside the years
    /// that a certificate can name.
    pub fn generate(now: SystemTime) -> Result<Self, Error> {
        Self::generate_with(&PKCS_ECDSA_P256_SHA256, now)
    }

    /// As [`OneTimeIdentity::generate`], with another kind of key: tests play a Go plugin, which has P-521.
    pub(super) fn generate_with(
        algorithm: &'static SignatureAlgorithm,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let mut key = KeyPair::generate_for(algorithm).map_err(Error::Certificate)?;
        let made = parameters(now)?.self_signed(&key);
        let key_pkcs8 = Secret::new(key.serialize_der());
        key.zeroize();
        let made = made.map_err(Error::Certificate)?;
        Ok(Self {
            pem: made.pem(),
            certificate: made.into(),
            key_pkcs8,
        })
    }

    /// The certificate as the peer will see it, in DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate as PEM text, which a plugin finds in `PLUGIN_CLIENT_CERT`.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The private key, PKCS#8 in DER.
    pub fn key_pkcs8(&self) -> &Secret<Vec<u8>> {
        &self.key_pkcs8
    }
}

impl std::fmt::Debug for OneTimeIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OneTimeIdentity")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

fn parameters(now: SystemTime) -> Result<CertificateParams, Error> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, SERVER_NAME);
    subject.push(DnType::OrganizationName, "HashiCorp");

    let mut serial = random::bytes::<16>();
    // A serial number is a positive integer: with the top bit set, DER would need a seventeenth byte.
    if let Some(first) = serial.first_mut() {
        *first &= 0x7f;
    }

    let mut params =
        CertificateParams::new(vec![SERVER_NAME.to_owned()]).map_err(Error::Certificate)?;
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = at(now.checked_sub(CLOCK_SKEW))?;
    params.not_after = at(now.checked_add(LIFETIME))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::KeyAgreement,
        KeyUsagePurpose::KeyCertSign,
    ];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    Ok(params)
}

/// The moment as a certificate writes it: in whole seconds, in a year of four digits.
fn at(moment: Option<SystemTime>) -> Result<OffsetDateTime, Error> {
    let moment = moment.ok_or(Error::CertificateTime)?;
    let seconds = match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()),
        Err(before) => i64::try_from(before.duration().as_secs()).map(|seconds| -seconds),
    };
    let seconds = seconds.map_err(|_| Error::CertificateTime)?;
    let moment =
        OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| Error::CertificateTime)?;
    if moment.year() < 0 {
        return Err(Error::CertificateTime);
    }
    Ok(moment)
}
