//! Hashes: SHA-256 for artefacts and records, SHA-1 only where the plugin protocol asks for it.

use aws_lc_rs::digest;

/// The SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256Hasher::new();
    hasher.update(data);
    hasher.finish()
}

/// The SHA-1 of the concatenated `parts` as 40 lower-case hexadecimal digits.
///
/// This is the token hash that a plugin sees as its `client_token`: SHA-1 over the mount's UUID and the token
/// (plugin-protocol §3.10). Nothing else may use SHA-1.
pub fn sha1_hex(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    for part in parts {
        context.update(part);
    }
    hex::encode(context.finish())
}

/// SHA-256 over data that arrives in pieces, for instance an artefact that is being copied into memory.
#[derive(Clone)]
pub struct Sha256Hasher(digest::Context);

impl Sha256Hasher {
    /// Starts with no data.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds the next piece.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The hash of everything added.
    pub fn finish(self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        out
    }
}

impl Default for Sha256Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Sha256Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sha256Hasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_a_known_text() {
        assert_eq!(
            hex::encode(sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn pieces_hash_like_the_whole() {
        let mut hasher = Sha256Hasher::new();
        hasher.update(b"a");
        hasher.update(b"");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), sha256(b"abc"));
    }

    #[test]
    fn sha1_of_known_parts() {
        assert_eq!(
            sha1_hex(&[b"a", b"bc"]),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(sha1_hex(&[]), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
