//! The parameters of `keys/:name`: what they are, in which order they are checked, and what comes
//! of them.

use super::barcode;
use super::base32;
use super::key::{Algorithm, Key};
use super::url::{OtpUrl, escape_label, escape_value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use linchpin_engine::Error;
use linchpin_engine::path::Fields;
use serde::Serialize;

/// The widest QR code, in pixels: more than any screen shows, and a few hundred kilobytes at most.
const MAX_QR_SIZE: i64 = 4096;

/// The longest key that is made, in bytes.
const MAX_KEY_SIZE: i64 = 1024;

/// What a write asks for.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) key: Key,
    /// What is answered of a key that was made.
    pub(super) export: Option<Export>,
}

/// A request to show a new key.
#[derive(Debug)]
pub(super) struct Export {
    /// Pixels; 0 = no QR code.
    qr_size: u32,
}

/// A new key, shown once.
#[derive(Serialize)]
pub(super) struct Exported {
    #[serde(skip_serializing_if = "Option::is_none")]
    barcode: Option<String>,
    url: String,
}

/// Checks the parameters.
pub(super) fn read(fields: &Fields) -> Result<Asked, Error> {
    let generate = fields.bool("generate");
    let mut secret = fields.text("key").to_owned();
    let mut issuer = fields.text("issuer").to_owned();
    let mut account_name = fields.text("account_name").to_owned();
    let mut period = fields.duration("period").map_or(30, |period| {
        i64::try_from(period.as_secs()).unwrap_or(i64::MAX)
    });
    let mut algorithm = fields
        .optional_text("algorithm")
        .unwrap_or("SHA1")
        .to_owned();
    let mut digits = fields.int("digits").unwrap_or(6);
    let skew = fields.int("skew").unwrap_or(1);
    let qr_size = fields.int("qr_size").unwrap_or(200);
    let key_size = fields.int("key_size").unwrap_or(20);
    let url = fields.text("url");

    if generate && !secret.is_empty() {
        return refused("a key should not be passed if generate is true");
    }
    if generate && !url.is_empty() {
        return refused("a url should not be passed if generate is true");
    }
    if !url.is_empty() {
        let Some(url) = OtpUrl::parse(url) else {
            return refused("an error occurred while parsing url string");
        };
        url.account().clone_into(&mut account_name);
        if let Some(given) = url.issuer() {
            given.clone_into(&mut issuer);
        }
        if let Some(given) = url.parameter("period") {
            let Ok(given) = given.parse() else {
                return refused("an error occurred while parsing period value in url");
            };
            period = given;
        }
        if let Some(given) = url.parameter("algorithm") {
            given.clone_into(&mut algorithm);
        }
        if let Some(given) = url.parameter("digits") {
            let Ok(given) = given.parse() else {
                return refused("an error occurred while parsing digits value in url");
            };
            digits = given;
        }
        url.parameter("secret")
            .unwrap_or_default()
            .clone_into(&mut secret);
    }

    let digits = match digits {
        6 => 6,
        8 => 8,
        _ => return refused("the digits value can only be 6 or 8"),
    };
    let Some(algorithm) = Algorithm::parse(&algorithm) else {
        return refused("the algorithm value is not valid");
    };
    let period = match u64::try_from(period) {
        Ok(period @ 1..) => period,
        _ => return refused("the period value must be greater than zero"),
    };
    let skew = match skew {
        0 => 0,
        1 => 1,
        _ => return refused("the skew value must be 0 or 1"),
    };
    if qr_size < 0 {
        return refused("the qr_size value must be greater than or equal to zero");
    }
    let qr_size = match u32::try_from(qr_size) {
        Ok(pixels) if i64::from(pixels) <= MAX_QR_SIZE => pixels,
        _ => {
            return refused(format!(
                "the qr_size value must not be greater than {MAX_QR_SIZE}"
            ));
        }
    };
    if key_size <= 0 {
        return refused("the key_size value must be greater than zero");
    }
    let key_size = match usize::try_from(key_size) {
        Ok(bytes) if key_size <= MAX_KEY_SIZE => bytes,
        _ => {
            return refused(format!(
                "the key_size value must not be greater than {MAX_KEY_SIZE}"
            ));
        }
    };

    if generate {
        if account_name.is_empty() {
            return refused("the account_name value is required for generated keys");
        }
        if issuer.is_empty() {
            return refused("the issuer value is required for generated keys");
        }
        let mut bytes = vec![0; key_size];
        linchpin_crypto::random::fill(&mut bytes);
        secret = base32::encode(&bytes);
    } else {
        if secret.is_empty() {
            return refused("the key value is required");
        }
        secret = base32::padded(&secret);
        if let Err(base32::Illegal(at)) = base32::decode(&secret) {
            return refused(format!(
                "invalid key value: illegal base32 data at input byte {at}"
            ));
        }
    }
    let exported = fields.optional_bool("exported").unwrap_or(true);
    Ok(Asked {
        key: Key {
            key: secret,
            issuer,
            account_name,
            period,
            algorithm,
            digits,
            skew,
        },
        export: (generate && exported).then_some(Export { qr_size }),
    })
}

fn refused<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::refused(text))
}

impl Export {
    /// The URL of a key, and its QR code.
    pub(super) fn render(&self, key: &Key) -> Result<Exported, Error> {
        let url = format!(
            "otpauth://totp/{}:{}?algorithm={}&digits={}&issuer={}&period={}&secret={}",
            escape_label(&key.issuer),
            escape_label(&key.account_name),
            key.algorithm.name(),
            key.digits,
            escape_value(&key.issuer),
            key.period,
            key.key,
        );
        let barcode = match self.qr_size {
            0 => None,
            pixels => Some(barcode::png(&url, pixels).map_err(|why| {
                Error::refused_wrapped(format!("failed to generate QR code image: {why}"))
            })?),
        };
        Ok(Exported {
            barcode: barcode.map(|png| STANDARD.encode(png)),
            url,
        })
    }
}
