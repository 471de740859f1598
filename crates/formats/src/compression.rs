//! The optional compression of JSON values inside the barrier (storage-format §0.1). One marker byte in front says
//! which; no JSON document begins with one of them. Never apply this to texts, raw keys or protobuf entries.

use std::borrow::Cow;
use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

use crate::Error;

/// Marks a gzip stream. The only kind that is written.
const GZIP: u8 = b'G';
/// Marks framed snappy; identity buckets use it.
const SNAPPY: u8 = b'S';
/// Marks LZ4 (old Vault).
const LZ4: u8 = b'4';
/// Marks LZW (old Vault).
const LZW: u8 = b'L';

/// The longest value that is uncompressed, 64 MiB: twice what a store holds, so that a small damaged or hostile value
/// cannot fill the memory.
pub const MAX_UNCOMPRESSED: usize = 64 << 20;

/// The value itself, uncompressed if its first byte says that it is compressed.
///
/// # Errors
/// [`Error::Compression`] for snappy, LZ4 and LZW; [`Error::Damaged`]; [`Error::TooLong`].
pub fn open(value: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    let unsupported = |method| Err(Error::Compression { method });
    match value.split_first() {
        Some((&GZIP, stream)) => gunzip(stream).map(Cow::Owned),
        Some((&SNAPPY, _)) => unsupported("snappy"),
        Some((&LZ4, _)) => unsupported("LZ4"),
        Some((&LZW, _)) => unsupported("LZW"),
        _ => Ok(Cow::Borrowed(value)),
    }
}

/// `value` as a gzip stream of the best compression behind its marker, as single mount tables are stored.
#[must_use]
pub fn gzip(value: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![GZIP], Compression::best());
    // PANIC: the encoder fails only where its output does, and a `Vec` takes everything.
    #[expect(clippy::expect_used, reason = "writing to memory does not fail")]
    let compressed = encoder
        .write_all(value)
        .and_then(|()| encoder.finish())
        .expect("compression in memory");
    compressed
}

fn gunzip(stream: &[u8]) -> Result<Vec<u8>, Error> {
    let mut value = Vec::new();
    let one_more = u64::try_from(MAX_UNCOMPRESSED).map_or(u64::MAX, |limit| limit + 1);
    GzDecoder::new(stream)
        .take(one_more)
        .read_to_end(&mut value)
        .map_err(|_| Error::Damaged)?;
    if value.len() > MAX_UNCOMPRESSED {
        return Err(Error::TooLong {
            limit: MAX_UNCOMPRESSED,
        });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_byte_decides() {
        assert_eq!(open(b"{\"a\":1}").unwrap(), &b"{\"a\":1}"[..]);
        assert_eq!(open(b"").unwrap(), &b""[..]);
        let refused = |value: &[u8], method| {
            assert_eq!(open(value), Err(Error::Compression { method }));
        };
        refused(b"S\xff\x06\x00\x00sNaPpY", "snappy");
        refused(b"4...", "LZ4");
        refused(b"L...", "LZW");
    }

    #[test]
    fn damaged_streams_are_an_error() {
        let whole = gzip(b"some value");
        for cut in 1..whole.len() {
            assert_eq!(open(&whole[..cut]), Err(Error::Damaged), "{cut}");
        }
        assert_eq!(open(b"Gnot gzip"), Err(Error::Damaged));
    }

    #[test]
    fn a_small_value_cannot_grow_without_bound() {
        let bomb = gzip(&vec![0; MAX_UNCOMPRESSED + 1]);
        assert!(bomb.len() < 100_000);
        assert!(matches!(open(&bomb), Err(Error::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn gzip_opens_to_the_same_value(value in any::<Vec<u8>>()) {
            let compressed = gzip(&value);
            prop_assert_eq!(open(&compressed).unwrap(), Cow::<[u8]>::Owned(value));
        }
    }
}
