//! Random values in the shapes that Vault's records and protocols use. All come from the library's generator,
//! which is seeded by the kernel and safe to use from every thread.

/// Digits, upper-case and lower-case letters: the alphabet of every "base62 random" of the storage format (§0).
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Fills `into` with random bytes.
pub fn fill(into: &mut [u8]) {
    // PANIC: AWS-LC ends the process itself when the kernel gives no entropy; its generator has no failure to
    // return. Handing an impossible error to every caller would only make room for code that goes on without one.
    #[expect(
        clippy::expect_used,
        reason = "the generator aborts rather than returning an error"
    )]
    aws_lc_rs::rand::fill(into).expect("the random generator does not fail");
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    fill(&mut out);
    out
}

/// A random string of `length` characters out of `0-9A-Za-z`, each equally likely: 10 characters make a multiplex id
/// (plugin-protocol §1.6), 24 the random part of a token.
pub fn base62(length: usize) -> String {
    let mut out = String::with_capacity(length);
    let mut pool = [0_u8; 64];
    while out.len() < length {
        fill(&mut pool);
        // Six bits number one of 64 characters, two of which do not exist. Those draws are thrown away: folding them
        // back would make the first two characters twice as likely as the others.
        let drawn = pool
            .iter()
            .filter_map(|byte| BASE62.get(usize::from(byte & 0x3f)))
            .take(length - out.len());
        out.extend(drawn.map(|&letter| char::from(letter)));
    }
    out
}

/// A random UUID as 36 lower-case characters with hyphens. Like those of the reference implementations it is 128
/// random bits without version or variant (storage-format §0).
pub fn uuid() -> String {
    let mut out = String::with_capacity(36);
    let digits = hex::encode(bytes::<16>());
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_has_the_length_and_alphabet_asked_for() {
        for length in [0, 1, 10, 24, 63, 64, 65, 1000] {
            let text = base62(length);
            assert_eq!(text.len(), length);
            assert!(text.bytes().all(|letter| letter.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn base62_draws_every_character_about_equally_often() {
        let mut counts = std::collections::BTreeMap::new();
        for letter in base62(62_000).bytes() {
            *counts.entry(letter).or_insert(0_u32) += 1;
        }
        assert_eq!(counts.len(), 62);
        // Expected 1,000 each with a deviation of 31; folding instead of rejecting would give two of them 1,900.
        assert!(counts.values().all(|count| (700..1300).contains(count)));
    }

    #[test]
    fn uuids_have_the_shape_and_differ() {
        let one = uuid();
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(
            one.bytes()
                .all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        );
        assert_ne!(one, uuid());
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(bytes::<32>(), bytes::<32>());
    }
}
