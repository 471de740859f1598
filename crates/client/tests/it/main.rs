//! The client against servers on this machine: over TLS, with certificates made for each test, and over a Unix socket.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy takes only functions marked as tests for tests"
)]

mod authority;
mod server;

use std::time::Duration;

use authority::{Authority, Signed};
use linchpin_client::{
    Client, ClientIdentity, Error, Method, Reply, Request, TlsError, TlsSettings,
};
use linchpin_crypto::Secret;
use server::Server;

const LIMIT: Duration = Duration::from_secs(20);

/// One request from the first connection on, as the command line makes it.
async fn ask(address: &str, tls: &TlsSettings) -> Result<Reply, Error> {
    let client = Client::reach(&address.parse().unwrap(), tls, LIMIT).await?;
    client
        .send(Request::new(Method::GET, "sys/health").within(LIMIT))
        .await
}

fn trusting(authority: &Authority) -> TlsSettings {
    TlsSettings {
        authorities: vec![authority.pem().into_bytes()],
        ..TlsSettings::default()
    }
}

fn shown(signed: &Signed) -> ClientIdentity {
    ClientIdentity {
        certificates: signed.certificate.pem().into_bytes(),
        key: Secret::new(signed.key.serialize_pem().into_bytes()),
    }
}

fn text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_and_by_no_other() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::tls(&ours.sign("127.0.0.1"), None);
    let reply = ask(&server.address(), &trusting(&ours)).await.unwrap();
    assert_eq!(reply.status(), 200);
    assert!(
        reply
            .header("x-asked")
            .unwrap()
            .contains("GET /v1/sys/health")
    );

    let refused = ask(&server.address(), &trusting(&other)).await.unwrap_err();
    assert!(matches!(refused, Error::Tls { .. }), "{refused:?}");
    // The other authority has the same name, so it may be its signature that is missed.
    let told = text(&refused);
    assert!(
        told.contains("UnknownIssuer") || told.contains("BadSignature"),
        "{refused:?}"
    );
    // Nor by those of the system, whether or not it has some.
    let refused = ask(&server.address(), &TlsSettings::default()).await;
    assert!(
        matches!(
            refused,
            Err(Error::Tls { .. }
                | Error::Settings {
                    source: TlsError::System(_),
                    ..
                })
        ),
        "{refused:?}"
    );
}

#[tokio::test]
async fn several_authorities_may_vouch() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = Server::tls(&ours.sign("127.0.0.1"), None);
    let mut both = trusting(&other);
    both.authorities.push(ours.pem().into_bytes());
    assert_eq!(ask(&server.address(), &both).await.unwrap().status(), 200);
    // In one text, too.
    let one = TlsSettings {
        authorities: vec![format!("{}\n{}", other.pem(), ours.pem()).into_bytes()],
        ..TlsSettings::default()
    };
    assert_eq!(ask(&server.address(), &one).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_certificate_has_the_hosts_name_or_the_one_that_was_given() {
    let ours = Authority::new();
    let server = Server::tls(&ours.sign("vault.example"), None);
    let mut tls = trusting(&ours);
    let refused = ask(&server.address(), &tls).await.unwrap_err();
    assert!(matches!(refused, Error::Tls { .. }), "{refused:?}");
    assert!(
        text(&refused).contains("not valid for"),
        "{}",
        text(&refused)
    );
    tls.server_name = Some("vault.example".to_owned());
    assert_eq!(ask(&server.address(), &tls).await.unwrap().status(), 200);
    tls.server_name = Some("a b".to_owned());
    let refused = ask(&server.address(), &tls).await.unwrap_err();
    assert_eq!(
        text(&refused),
        "set TLS up: \"a b\" cannot be the name of a server"
    );
}

#[tokio::test]
async fn without_verification_any_certificate_will_do() {
    let server = Server::tls(&Authority::new().sign("vault.example"), None);
    let tls = TlsSettings {
        trusts_anyone: true,
        ..TlsSettings::default()
    };
    assert_eq!(ask(&server.address(), &tls).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_shows_its_certificate_when_it_is_asked() {
    let ours = Authority::new();
    let server = Server::tls(&ours.sign("127.0.0.1"), Some(&ours));
    let mut tls = trusting(&ours);
    ask(&server.address(), &tls).await.unwrap_err();
    tls.identity = Some(shown(&Authority::new().sign("client")));
    ask(&server.address(), &tls).await.unwrap_err();
    tls.identity = Some(shown(&ours.sign("client")));
    assert_eq!(ask(&server.address(), &tls).await.unwrap().status(), 200);
    assert!(!format!("{tls:?}").contains("PRIVATE KEY"));
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_told_apart() {
    let ours = Authority::new();
    let server = Server::tls(&ours.sign("127.0.0.1"), None);
    let (one, other) = (shown(&ours.sign("one")), shown(&ours.sign("other")));
    let with = |certificates: &[u8], key: &[u8]| TlsSettings {
        identity: Some(ClientIdentity {
            certificates: certificates.to_vec(),
            key: Secret::new(key.to_vec()),
        }),
        ..trusting(&ours)
    };
    let no_authority = TlsSettings {
        authorities: vec![b"no certificate".to_vec()],
        ..TlsSettings::default()
    };
    for (tls, expected) in [
        (no_authority, "there is no certificate of an authority"),
        (
            with(b"none", one.key.expose()),
            "the client's certificate is no PEM text",
        ),
        (
            with(&one.certificates, b"none"),
            "the client's key is no PEM text of a key that is not encrypted",
        ),
        (
            with(&one.certificates, other.key.expose()),
            "the client's certificate and key cannot be used",
        ),
    ] {
        let refused = text(&ask(&server.address(), &tls).await.unwrap_err());
        let expected = format!("set TLS up: {expected}");
        assert!(refused.starts_with(&expected), "{refused}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_such() {
    let server = Server::plain();
    let https = server.address().replace("http://", "https://");
    let refused = ask(&https, &trusting(&Authority::new())).await.unwrap_err();
    assert!(matches!(refused, Error::PlainText { .. }), "{refused:?}");
    let reply = ask(&server.address(), &TlsSettings::default()).await;
    assert_eq!(reply.unwrap().status(), 200);
}

#[tokio::test]
async fn a_unix_socket_is_an_address_too() {
    let server = Server::unix();
    let reply = ask(&server.address(), &TlsSettings::default())
        .await
        .unwrap();
    let asked = reply.header("x-asked").unwrap();
    assert!(asked.contains("GET /v1/sys/health"), "{asked}");
    assert!(asked.contains("host: localhost"), "{asked}");
    let nobody = ask("unix:///nonexistent/socket", &TlsSettings::default()).await;
    let nobody = text(&nobody.unwrap_err());
    assert!(
        nobody.starts_with("connect to /nonexistent/socket: "),
        "{nobody}"
    );
}
