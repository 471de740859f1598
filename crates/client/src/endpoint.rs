//! Where a server is, as people write it: `http://host:port`, perhaps with a path in front of the API.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The port that a server listens on unless it is told otherwise.
const DEFAULT_PORT: u16 = 8200;

/// A server's address as a URL. Only `http` can be spoken: see [`EndpointError::Https`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    prefix: Arc<str>,
}

/// Why a text is not the address of a server that this client can speak to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// TLS is asked for.
    #[error(
        "{0:?} asks for TLS, which this client cannot speak yet: use an http:// address, or the command line of Vault \
         or OpenBao"
    )]
    Https(String),
    /// A scheme that is not HTTP.
    #[error("{address:?} begins with {scheme:?}; the address of a server is http://HOST:PORT")]
    Scheme {
        /// The whole text.
        address: String,
        /// What stands before the colon.
        scheme: String,
    },
    /// No host, or a port that is none.
    #[error("{0:?} is not the address of a server: http://HOST:PORT")]
    Malformed(String),
}

impl Endpoint {
    /// The host's name or address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What stands before `/v1/` in every path: empty, or beginning with `/` and not ending with it.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Host and port as the header `Host` says them.
    pub(crate) fn authority(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
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
        let rest = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => {
                return Err(EndpointError::Https(text.to_owned()));
            }
            Some((scheme, _)) => {
                return Err(EndpointError::Scheme {
                    address: text.to_owned(),
                    scheme: scheme.to_owned(),
                });
            }
            None => text,
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => {
                let (host, port) = bracketed.split_once(']').ok_or_else(malformed)?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':').ok_or_else(malformed)?),
                };
                (host, port)
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| malformed())?,
            None => DEFAULT_PORT,
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "@?#".contains(c);
        if host.is_empty() || rest.contains(odd) {
            return Err(malformed());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            prefix: path.trim_end_matches('/').into(),
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.prefix)
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
            ("HTTP://localhost", "http://localhost:8200"),
            ("localhost:1", "http://localhost:1"),
            ("http://[::1]:8200", "http://[::1]:8200"),
            ("http://[::1]", "http://[::1]:8200"),
            ("http://proxy:80/vault/", "http://proxy:80/vault"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!(endpoint.to_string(), shown, "{text}");
        }
        let endpoint: Endpoint = "http://[::1]:9".parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.port()), ("::1", 9));
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused_with_the_reason() {
        let refusal = |text: &str| text.parse::<Endpoint>().unwrap_err();
        assert!(matches!(
            refusal("https://127.0.0.1:8200"),
            EndpointError::Https(_)
        ));
        assert!(
            refusal("unix:///run/vault.sock")
                .to_string()
                .contains("\"unix\"")
        );
        for text in [
            "",
            "http://",
            "http://host:port",
            "http://:80",
            "http://[::1",
            "http://a b",
            "http://user@host",
        ] {
            assert!(
                matches!(refusal(text), EndpointError::Malformed(_)),
                "{text}"
            );
        }
    }
}
