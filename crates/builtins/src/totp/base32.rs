//! Base 32 (RFC 4648), as keys are written; the offsets of errors are those that Vault names.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Where some text is not base 32: the byte's offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Illegal(pub(super) usize);

/// Encodes without padding.
pub(super) fn encode(data: &[u8]) -> String {
    let mut out = String::with_capacity(data.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0_u32, 0);
    let mut push = |index: u32| {
        let letter = usize::try_from(index & 31)
            .ok()
            .and_then(|i| ALPHABET.get(i));
        out.push(char::from(*letter.unwrap_or(&b'A')));
    };
    for byte in data {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(buffer >> bits);
        }
    }
    if bits > 0 {
        push(buffer << (5 - bits));
    }
    out
}

/// Adds the padding that makes whole groups of eight.
pub(super) fn padded(text: &str) -> String {
    let missing = (8 - text.len() % 8) % 8;
    format!("{text}{}", "=".repeat(missing))
}

/// Decodes padded text; upper and lower case, and line breaks are skipped.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, Illegal> {
    let letters: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let mut out = Vec::with_capacity(letters.len() / 8 * 5);
    for (group, chunk) in letters.chunks(8).enumerate() {
        let start = group * 8;
        let last = start + chunk.len() == letters.len();
        let used = chunk.iter().position(|b| *b == b'=').unwrap_or(chunk.len());
        // Padding stands only at the very end, after 2, 4, 5 or 7 letters, and is complete.
        if used < 2 && used < chunk.len() {
            return Err(Illegal(first_bad(chunk, start).unwrap_or(start + used)));
        }
        if let Some(bad) = first_bad(chunk.get(..used).unwrap_or_default(), start) {
            return Err(Illegal(bad));
        }
        if used < chunk.len() {
            let padding = chunk.get(used..).unwrap_or_default();
            if !last || chunk.len() < 8 || padding.iter().any(|b| *b != b'=') {
                return Err(Illegal(start + used));
            }
            if matches!(used, 3 | 6) {
                return Err(Illegal(start + used));
            }
        } else if chunk.len() < 8 {
            return Err(Illegal(letters.len()));
        }
        let (mut buffer, mut bits) = (0_u64, 0);
        for letter in chunk.get(..used).unwrap_or_default() {
            buffer = (buffer << 5) | value(*letter).unwrap_or_default();
            bits += 5;
        }
        buffer <<= 40 - bits;
        let bytes = buffer.to_be_bytes();
        out.extend_from_slice(bytes.get(3..3 + bits / 8).unwrap_or_default());
    }
    Ok(out)
}

fn value(letter: u8) -> Option<u64> {
    ALPHABET
        .iter()
        .position(|a| *a == letter)
        .and_then(|at| u64::try_from(at).ok())
}

fn first_bad(letters: &[u8], start: usize) -> Option<usize> {
    letters
        .iter()
        .position(|letter| value(*letter).is_none())
        .map(|at| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vectors_of_the_standard_hold() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(encode(plain.as_bytes()), encoded);
            assert_eq!(decode(&padded(encoded)), Ok(plain.as_bytes().to_vec()));
        }
    }

    #[test]
    fn errors_name_the_byte_that_the_witness_names() {
        for (key, at) in [
            ("not base 32!", 3),
            ("hxdm vjec jjws", 4),
            ("HXDMVJEC1", 8),
            ("HXDMVJECJ", 9),
            ("HXDMV=EC", 5),
            ("HXDM\nVJEC", 8),
            ("=", 0),
            ("htxt7k", 6),
            ("H", 1),
        ] {
            assert_eq!(decode(&padded(key)), Err(Illegal(at)), "{key:?}");
        }
        for good in ["HX", "HX==", "hxdmvje", "HXDMVJEC"] {
            assert!(decode(&padded(good)).is_ok(), "{good}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(data in prop::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(decode(&padded(&encode(&data))), Ok(data));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            let _ = decode(&padded(&text));
        }
    }
}
