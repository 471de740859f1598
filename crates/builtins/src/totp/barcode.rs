//! A QR code as a PNG image.
//!
//! The `qrcode` crate makes the symbol (no dependencies; the standard does not move). The image is
//! one grey sample of one bit per pixel, which takes forty lines and no image library:
//!
//! ```text
//! 89 50 4E 47 0D 0A 1A 0A                               signature
//! 00 00 00 0D  "IHDR"  width height 01 00 00 00 00  crc  one bit, grey
//! length       "IDAT"  zlib(rows)                   crc  each row: 00, then its bits, 1 = white
//! 00 00 00 00  "IEND"                               crc
//! ```

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use qrcode::{Color, EcLevel, QrCode};
use std::io::Write;

/// Draws `text` on a square of `pixels` by `pixels`; the symbol has the largest whole scale that
/// fits, in the middle.
///
/// # Errors
/// Why it cannot be drawn, without the text: it holds the key.
pub(super) fn png(text: &str, pixels: u32) -> Result<Vec<u8>, String> {
    let symbol = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M)
        .map_err(|_| "the key, issuer and account name are too long for it".to_owned())?;
    let modules = symbol.width();
    let size = usize::try_from(pixels).map_err(|_| "the image is too large".to_owned())?;
    let scale = size / modules;
    if scale == 0 {
        return Err(format!(
            "can not scale barcode to an image smaller than {modules}x{modules}"
        ));
    }
    let margin = (size - modules * scale) / 2;
    let dark = symbol.to_colors();
    let is_dark = |x: usize, y: usize| {
        let module = |at: usize| at.checked_sub(margin).map(|at| at / scale);
        match (module(x), module(y)) {
            (Some(column), Some(row)) if column < modules && row < modules => {
                dark.get(row * modules + column) == Some(&Color::Dark)
            }
            _ => false,
        }
    };
    let mut rows = Vec::with_capacity(size * (1 + size.div_ceil(8)));
    for y in 0..size {
        rows.push(0);
        for left in (0..size).step_by(8) {
            let bits = (0..8).fold(0_u8, |bits, i| {
                let white = left + i < size && !is_dark(left + i, y);
                bits << 1 | u8::from(white)
            });
            rows.push(bits);
        }
    }
    encode(pixels, &rows).map_err(|error| error.to_string())
}

fn encode(pixels: u32, rows: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&pixels.to_be_bytes());
    header.extend_from_slice(&pixels.to_be_bytes());
    header.extend_from_slice(&[1, 0, 0, 0, 0]);
    let mut compressed = ZlibEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(rows)?;
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"IDAT", &compressed.finish()?);
    chunk(&mut out, b"IEND", &[]);
    Ok(out)
}

fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    // The largest image is far below four gigabytes.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(data);
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    out.extend_from_slice(&crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::ZlibDecoder;
    use std::io::Read;

    /// The rows of an image as text, from its bytes: an independent reading of the format.
    fn rows(png: &[u8]) -> Vec<String> {
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        let (mut at, mut width, mut data) = (8, 0, Vec::new());
        loop {
            let length = word(at) as usize;
            let kind = &png[at + 4..at + 8];
            let body = &png[at + 8..at + 8 + length];
            let mut crc = Crc::new();
            crc.update(&png[at + 4..at + 8 + length]);
            assert_eq!(crc.sum(), word(at + 8 + length));
            match kind {
                b"IHDR" => {
                    width = word(at + 8) as usize;
                    assert_eq!(&body[8..], [1, 0, 0, 0, 0]);
                }
                b"IDAT" => {
                    ZlibDecoder::new(body).read_to_end(&mut data).unwrap();
                }
                _ => break,
            }
            at += 12 + length;
        }
        data.chunks(1 + width.div_ceil(8))
            .map(|row| {
                assert_eq!(row[0], 0);
                (0..width)
                    .map(|x| {
                        if row[1 + x / 8] >> (7 - x % 8) & 1 == 1 {
                            ' '
                        } else {
                            '#'
                        }
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn the_image_shows_the_symbol_in_its_middle() {
        let text = "otpauth://totp/Vault:test@test.com?algorithm=SHA1&digits=6&issuer=Vault&period=30&secret=35EQZGJAP5PWCTKCAKB2MHPNOM3XULZQ";
        let image = rows(&png(text, 200).unwrap());
        assert_eq!(image.len(), 200);
        let dark: Vec<usize> = (0..200).filter(|y| image[*y].contains('#')).collect();
        // Version 7 is 45 modules wide: four pixels each, ten of margin on every side.
        assert_eq!((dark[0], dark.len()), (10, 180));
        // The finder pattern: seven modules dark, then one light; the same at the right end.
        let top = &image[10];
        assert_eq!(&top[10..42], format!("{}    ", "#".repeat(28)));
        assert_eq!(&top[158..190], format!("    {}", "#".repeat(28)));
    }

    #[test]
    fn what_does_not_fit_is_refused_without_its_text() {
        assert_eq!(
            png("otpauth://totp/i:a", 10).unwrap_err(),
            "can not scale barcode to an image smaller than 25x25"
        );
        let error = png(&"secret".repeat(1000), 200).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
