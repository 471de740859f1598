//! Where a server is, as people write it: `https://host:port`, perhaps with a path in front of the API, or `unix:///socket`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// The port that a server listens on, for an address that says neither scheme nor port.
const SERVERS_PORT: u16 = 8200;
/// The ports of the schemes.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    place: Place,
    prefix: Arc<str>,
}

/// What is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address, and its port. IPv6 addresses are without their brackets.
    Tcp { host: String, port: u16, tls: bool },
    /// A Unix socket, on which HTTP is spoken without TLS.
    Unix(PathBuf),
}

/// Why a text is not the address of a server that this client can speak to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A scheme that is none of those.
    #[error(
        "{address:?} begins with {scheme:?}; the address of a server is http://HOST:PORT, https://HOST:PORT or \
         unix:///SOCKET"
    )]
    Scheme {
        /// The whole text.
        address: String,
        /// What stands before the colon.
        scheme: String,
    },
    /// No host or socket, or a port that is none.
    #[error(
        "{0:?} is not the address of a server: http://HOST:PORT, https://HOST:PORT or unix:///SOCKET"
    )]
    Malformed(String),
}

impl Endpoint {
    /// The Unix socket, if it is one.
    pub fn socket(&self) -> Option<&Path> {
        match &self.place {
            Place::Unix(socket) => Some(socket),
            Place::Tcp { .. } => None,
        }
    }

    /// Whether the server is expected to speak TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self.place, Place::Tcp { tls: true, .. })
    }

    /// What stands before `/v1/` in every URL. On a Unix socket the host is one in name only.
    pub fn base(&self) -> String {
        let scheme = if self.is_tls() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.prefix)
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Host and port as the header `Host` says them: without the port that goes without saying.
    pub(crate) fn authority(&self) -> String {
        match &self.place {
            Place::Unix(_) => "localhost".to_owned(),
            Place::Tcp { host, port, tls } => {
                let host = if host.contains(':') {
                    format!("[{host}]")
                } else {
                    host.clone()
                };
                match (port, tls) {
                    (&HTTP_PORT, false) | (&HTTPS_PORT, true) => host,
                    _ => format!("{host}:{port}"),
                }
            }
        }
    }

    pub(crate) fn shared_prefix(&self) -> Arc<str> {
        Arc::clone(&self.prefix)
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let malformed = || EndpointError::Malformed(text.to_owned());
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => (String::new(), text),
        };
        let (tls, usual_port) = match scheme.as_str() {
            "" => (false, SERVERS_PORT),
            "http" => (false, HTTP_PORT),
            "https" => (true, HTTPS_PORT),
            "unix" if rest.starts_with('/') => {
                return Ok(Self {
                    place: Place::Unix(PathBuf::from(rest)),
                    prefix: "".into(),
                });
            }
            "unix" => return Err(malformed()),
            _ => {
                return Err(EndpointError::Scheme {
                    address: text.to_owned(),
                    scheme,
                });
            }
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split(authority).ok_or_else(malformed)?;
        let port = match port {
            Some(port) => port.parse().map_err(|_| malformed())?,
            None => usual_port,
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
        if host.is_empty() || rest.contains(odd) {
            return Err(malformed());
        }
        Ok(Self {
            place: Place::Tcp {
                host: host.to_owned(),
                port,
                tls,
            },
            prefix: path.trim_end_matches('/').into(),
        })
    }
}

/// Host and port of `host:port` or `[address]:port`.
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    let Some(bracketed) = authority.strip_prefix('[') else {
        return Some(match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        });
    };
    let (host, port) = bracketed.split_once(']')?;
    match port {
        "" => Some((host, None)),
        port => Some((host, Some(port.strip_prefix(':')?))),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(socket) => write!(f, "unix://{}", socket.display()),
            Place::Tcp { .. } => f.write_str(&self.base()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (text, shown) in [
            ("http://127.0.0.1:8200", "http://127.0.0.1:8200"),
            ("http://127.0.0.1:8200/", "http://127.0.0.1:8200"),
            ("HTTP://localhost", "http://localhost"),
            ("localhost", "http://localhost:8200"),
            ("https://vault.example", "https://vault.example"),
            ("https://[::1]:8200/", "https://[::1]:8200"),
            ("unix:///run/vault.sock", "unix:///run/vault.sock"),
            ("localhost:1", "http://localhost:1"),
            ("http://[::1]:8200", "http://[::1]:8200"),
            ("http://[::1]", "http://[::1]"),
            ("http://proxy:80/vault/", "http://proxy/vault"),
            ("https://proxy:80/vault/", "https://proxy:80/vault"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown, "{text}");
        }
        let socket: Endpoint = "unix:///run/vault.sock".parse().unwrap();
        assert_eq!(socket.base(), "http://localhost");
        assert!(!socket.is_tls());
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused_with_the_reason() {
        let refusal = |text: &str| text.parse::<Endpoint>().unwrap_err();
        assert!(refusal("ftp://host").to_string().contains("\"ftp\""));
        for text in [
            "",
            "http://",
            "http://host:port",
            "http://:80",
            "http://[::1",
            "http://a b",
            "http://user@host",
            "https://",
            "unix://",
            "unix://run/vault.sock",
        ] {
            assert!(
                matches!(refusal(text), EndpointError::Malformed(_)),
                "{text}"
            );
        }
    }
}
