//! The one line that a plugin prints on its stdout to say where it listens (plugin-protocol §1.6).
//!
//! ```text
//! CORE|APP|NETWORK|ADDRESS|PROTOCOL|SERVERCERT[|MUX]
//! 1|5|unix|/tmp/plugin728440770|grpc|MIICTz…
//! ```
//!
//! The host reads it from a program that may be anything, so [`Handshake::parse`] takes bytes, never panics and says which
//! rule was broken. It is pure: no clock, no I/O.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What a plugin said about itself, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The app protocol version that both sides speak (§1.4).
    pub app_version: u32,
    /// Where the plugin listens.
    pub address: Address,
    /// The DER of the plugin's certificate; `None` without AutoMTLS.
    pub certificate: Option<Vec<u8>>,
    /// Whether the plugin offers broker multiplexing; `None` when it was not asked (§1.13).
    pub broker_multiplexing: Option<bool>,
}

/// The address of a plugin's main socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A unix socket; the path fits `sun_path`.
    Unix(PathBuf),
    /// A TCP socket on the loopback interface.
    Tcp(SocketAddr),
}

/// Which rule of the handshake a line breaks. The parts of the line in it are cut to a sane length and hold no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// Not a handshake line at all.
    #[error(
        "Unrecognized remote plugin message: {line:?}; the program is not a plugin, was built for another machine, or printed \
         something before its handshake line"
    )]
    Unrecognized {
        /// What was there in its place.
        line: String,
    },
    /// Another go-plugin protocol.
    #[error("incompatible core protocol version {found:?}, expected 1")]
    CoreVersion {
        /// What the plugin speaks.
        found: String,
    },
    /// An app version that was not offered.
    #[error(
        "incompatible API version with plugin: plugin version {found:?}, client versions {offered:?}"
    )]
    AppVersion {
        /// What the plugin speaks.
        found: String,
        /// What we offered.
        offered: Vec<u32>,
    },
    /// The old protocol of go-plugin.
    #[error("plugin speaks net/rpc; only plugins that speak gRPC are supported")]
    NetRpc,
    /// A protocol that nobody knows.
    #[error("unknown plugin protocol {found:?}, expected grpc")]
    Protocol {
        /// The word in the line.
        found: String,
    },
    /// A network that we do not connect to.
    #[error("unknown plugin network {found:?}, expected unix or tcp")]
    Network {
        /// The word in the line.
        found: String,
    },
    /// An address that we do not connect to.
    #[error("unusable plugin address {found:?}: {reason}")]
    Address {
        /// The address in the line.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// AutoMTLS was asked for and the line has no certificate.
    #[error("plugin sent no certificate although AutoMTLS was asked for")]
    NoCertificate,
    /// The certificate field does not hold one whole certificate.
    #[error("plugin sent a certificate that cannot be read: {reason}")]
    Certificate {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Field 7 is not a boolean.
    #[error("plugin sent {found:?} where true or false says whether it multiplexes its broker")]
    Multiplexing {
        /// The word in the line.
        found: String,
    },
}

/// The longest path of a unix socket, without its terminator.
const SUN_PATH: usize = if cfg!(target_os = "linux") { 107 } else { 103 };
/// A certificate field up to this length holds something else: old plugins put unrelated data there.
const NO_CERTIFICATE: usize = 50;
/// How much of a foreign line an error repeats, in characters.
const QUOTED: usize = 200;

impl Handshake {
    /// Reads the first line of a plugin's stdout. `offered` are the app versions of `PLUGIN_PROTOCOL_VERSIONS`, `auto_mtls` says
    /// whether `PLUGIN_CLIENT_CERT` was set.
    ///
    /// # Errors
    /// [`HandshakeError`] names the first rule that the line breaks.
    pub fn parse(line: &[u8], offered: &[u32], auto_mtls: bool) -> Result<Self, HandshakeError> {
        let unrecognized = || HandshakeError::Unrecognized {
            line: quote(&String::from_utf8_lossy(line)),
        };
        let text = std::str::from_utf8(line)
            .map_err(|_| unrecognized())?
            .trim();
        let mut fields = text.split('|');
        let (Some(core), Some(app), Some(network), Some(address)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(unrecognized());
        };
        // A line with four bars in it is not yet a handshake: anything may print tables.
        let core_version: u32 = core.parse().map_err(|_| unrecognized())?;
        if core_version != 1 {
            return Err(HandshakeError::CoreVersion { found: quote(core) });
        }
        let app_version = app
            .parse()
            .ok()
            .filter(|version| offered.contains(version))
            .ok_or_else(|| HandshakeError::AppVersion {
                found: quote(app),
                offered: offered.to_vec(),
            })?;
        let address = parse_address(network, address)?;
        match fields.next() {
            Some("grpc") => {}
            None | Some("" | "netrpc") => return Err(HandshakeError::NetRpc),
            Some(other) => {
                return Err(HandshakeError::Protocol {
                    found: quote(other),
                });
            }
        }
        let certificate = fields
            .next()
            .filter(|field| auto_mtls && field.len() > NO_CERTIFICATE)
            .map(parse_certificate)
            .transpose()?;
        if auto_mtls && certificate.is_none() {
            return Err(HandshakeError::NoCertificate);
        }
        let broker_multiplexing = fields.next().map(parse_bool).transpose()?;
        Ok(Self {
            app_version,
            address,
            certificate,
            broker_multiplexing,
        })
    }
}

/// The line itself, without its newline, as a plugin prints it.
impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = self.certificate.as_deref().unwrap_or_default();
        write!(
            f,
            "1|{}|{}|grpc|{}",
            self.app_version,
            self.address,
            STANDARD_NO_PAD.encode(certificate)
        )?;
        match self.broker_multiplexing {
            Some(offered) => write!(f, "|{offered}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("app_version", &self.app_version)
            .field("address", &self.address)
            .field("certificate", &self.certificate.is_some())
            .field("broker_multiplexing", &self.broker_multiplexing)
            .finish()
    }
}

/// Network and address, with the bar between them.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix|{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp|{address}"),
        }
    }
}

fn parse_address(network: &str, address: &str) -> Result<Address, HandshakeError> {
    let unusable = |reason| HandshakeError::Address {
        found: quote(address),
        reason,
    };
    match network {
        "unix" if !Path::new(address).is_absolute() => Err(unusable("not an absolute path")),
        // No plugin makes such a path, and it would get into our errors and logs.
        "unix" if address.chars().any(char::is_control) => {
            Err(unusable("contains a control character"))
        }
        "unix" if address.len() > SUN_PATH => Err(unusable("too long for a unix socket")),
        "unix" => Ok(Address::Unix(address.into())),
        "tcp" => match address.parse::<SocketAddr>() {
            Err(_) => Err(unusable("not an IP address and port")),
            Ok(socket) if !socket.ip().is_loopback() => {
                Err(unusable("not on the loopback interface"))
            }
            Ok(socket) if socket.port() == 0 => Err(unusable("port 0")),
            Ok(socket) => Ok(Address::Tcp(socket)),
        },
        other => Err(HandshakeError::Network {
            found: quote(other),
        }),
    }
}

fn parse_certificate(field: &str) -> Result<Vec<u8>, HandshakeError> {
    let broken = |reason| HandshakeError::Certificate { reason };
    let der = STANDARD_NO_PAD
        .decode(field)
        .map_err(|_| broken("not unpadded standard base64"))?;
    if is_one_der_sequence(&der) {
        Ok(der)
    } else {
        Err(broken("not one whole DER certificate"))
    }
}

/// Whether the bytes are one DER SEQUENCE and nothing else: enough to tell a truncated certificate. What is inside is compared
/// byte by byte with what the TLS handshake presents.
fn is_one_der_sequence(der: &[u8]) -> bool {
    let Some((0x30, rest)) = der.split_first().map(|(tag, rest)| (*tag, rest)) else {
        return false;
    };
    let Some((&first, rest)) = rest.split_first() else {
        return false;
    };
    if first < 0x80 {
        return rest.len() == usize::from(first);
    }
    let digits = usize::from(first & 0x7f);
    if digits == 0 || digits > 4 {
        return false;
    }
    let Some((length, rest)) = rest.split_at_checked(digits) else {
        return false;
    };
    let length = length
        .iter()
        .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
    rest.len() == length
}

/// The booleans that Go's parser takes (§1.2).
fn parse_bool(word: &str) -> Result<bool, HandshakeError> {
    match word {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(HandshakeError::Multiplexing {
            found: quote(other),
        }),
    }
}

/// Foreign text, fit for an error and a log.
fn quote(text: &str) -> String {
    let mut quoted: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(QUOTED)
        .collect();
    if text.chars().nth(QUOTED).is_some() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests;
