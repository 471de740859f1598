//! Ciphers, hashes, random values and TLS set-up. This is the only crate that names a crypto library
//! (`aws-lc-rs`, and `rustls` with that provider); everything above sees the few types defined here.
//!
//! | module | what it is for |
//! |---|---|
//! | [`aead`] | AES-GCM with random nonces: the barrier's records and the seal's blobs |
//! | [`hash`] | SHA-256, whole or while copying; the SHA-1 of the plugin protocol's token hash |
//! | [`hmac`] | HMAC with SHA-1, SHA-256 and SHA-512; comparison in constant time |
//! | [`random`] | random bytes, base-62 strings, UUID texts |
//! | [`secret`] | a wrapper that never prints what it holds and wipes it when dropped |
//! | [`tls`] | one-time certificates and pinned peers for plugin connections |

pub mod aead;
pub mod hash;
pub mod hmac;
pub mod random;
pub mod secret;
pub mod tls;

pub use aead::AeadKey;
pub use hash::{Sha256Hasher, sha1_hex, sha256};
pub use hmac::{HmacHash, HmacKey, constant_time_eq};
pub use secret::Secret;

/// Why a cryptographic operation did not succeed. No variant ever carries key material or plaintext.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key's length fits no variant of AES.
    #[error("an AES key has 16, 24 or 32 bytes, not {length}")]
    KeyLength {
        /// Length of the refused key in bytes.
        length: usize,
    },
    /// The input is too short to hold a nonce and a tag.
    #[error("sealed input of {length} bytes is shorter than a nonce and a tag")]
    Truncated {
        /// Length of the input in bytes.
        length: usize,
    },
    /// Ciphertext, tag, nonce, additional data and key do not belong together. Which of them is wrong cannot be known.
    #[error("the sealed input does not authenticate")]
    Unauthentic,
    /// The input is too long to be sealed.
    #[error("{length} bytes are too many to seal at once")]
    TooLong {
        /// Length of the plaintext in bytes.
        length: usize,
    },
    /// A one-time key or certificate could not be made.
    #[error("make a one-time certificate")]
    Certificate(#[source] rcgen::Error),
    /// The time given for a certificate's validity is outside the years 0 to 9999.
    #[error("a certificate cannot be valid at the given time")]
    CertificateTime,
    /// A certificate's PEM text could not be read.
    #[error("the text is not one certificate in PEM")]
    CertificatePem(#[source] rustls::pki_types::pem::Error),
    /// TLS settings were refused.
    #[error("build a TLS configuration")]
    Tls(#[source] rustls::Error),
}
