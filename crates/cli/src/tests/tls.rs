//! Commands over TLS, with the files that flags and variables name, and over a Unix socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::{Answered, Fake, command, offline};

/// A directory with the files `ca.pem`, `cert.pem` and `key.pem`, for server and client alike.
struct Files(PathBuf);

impl Files {
    /// The files, and a server that shows that certificate and wants to see it.
    fn new(name: &str) -> (Self, ServerConfig) {
        let directory = format!("linchpin-cli-{name}-{}", std::process::id());
        let files = Self(std::env::temp_dir().join(directory));
        std::fs::create_dir_all(&files.0).unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = ca.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["vault.example".to_owned()]).unwrap();
        let signed = params.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
        for (file, text) in [
            ("ca.pem", authority.pem()),
            ("cert.pem", signed.pem()),
            ("key.pem", key.serialize_pem()),
        ] {
            std::fs::write(files.0.join(file), text).unwrap();
        }
        let provider = linchpin_crypto::tls::provider();
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let clients =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(
                vec![signed.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        (files, config)
    }

    fn path(&self, file: &str) -> String {
        self.0.join(file).display().to_string()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn secret() -> Answered {
    Answered::new("GET /v1/app/x", 200, r#"{"data":{"a":"1"}}"#)
}

#[test]
fn flags_and_variables_name_the_files_of_tls() {
    let (files, config) = Files::new("tls");
    let fake = Fake::tls((0..2).map(|_| secret()).collect(), config);
    let address = fake.address();
    let (ca, cert, key) = (
        files.path("ca.pem"),
        files.path("cert.pem"),
        files.path("key.pem"),
    );
    let by_flags = format!(
        "read -field=a -ca-cert={ca} -client-cert={cert} -client-key={key} -tls-server-name=vault.example app/x"
    );
    let ended = command(&by_flags, "", &[("VAULT_ADDR", &address)]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "1"), "{ended:?}");

    let mut variables = vec![
        ("VAULT_ADDR", address.as_str()),
        ("VAULT_CLIENT_CERT", &cert),
        ("BAO_CLIENT_KEY", &key),
        ("VAULT_CACERT", &ca),
    ];
    // The certificate is for another name than the address has.
    let ended = command("read -field=a app/x", "", &variables);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.err.contains("not valid for"), "{ended:?}");
    assert!(ended.err.contains("or -tls-server-name)"), "{ended:?}");
    variables.push(("VAULT_SKIP_VERIFY", "true"));
    let ended = command("read -field=a app/x", "", &variables);
    assert_eq!((ended.code, ended.out.as_str()), (0, "1"), "{ended:?}");
    let line = "read -field=a -tls-skip-verify=false app/x";
    let ended = command(line, "", &variables);
    assert_eq!(ended.code, 2, "the flag wins: {ended:?}");
    fake.asked();
}

#[test]
fn a_unix_socket_is_reached_and_shown_to_curl() {
    let socket = format!("linchpin-cli-{}.sock", std::process::id());
    let socket = std::env::temp_dir().join(socket);
    let fake = Fake::unix(vec![secret()], &socket);
    let address = fake.address();
    let ended = command("read -field=a app/x", "", &[("VAULT_ADDR", &address)]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "1"), "{ended:?}");
    let line = "read -output-curl-string app/x";
    let ended = command(line, "", &[("VAULT_ADDR", &address)]);
    let begin = format!("curl --unix-socket '{}' -H", socket.display());
    assert!(ended.out.starts_with(&begin), "{ended:?}");
    assert!(
        ended.out.ends_with("\"http://localhost/v1/app/x\"\n"),
        "{ended:?}"
    );
    fake.asked();
    std::fs::remove_file(Path::new(&socket)).unwrap();
}

#[test]
fn curl_gets_the_files_of_tls_too() {
    let line = "read -address=https://v.example -output-curl-string -tls-skip-verify -ca-cert=/c -client-cert=/d -client-key=/e x";
    let ended = offline(line);
    assert_eq!(
        ended.out,
        "curl --insecure --cacert '/c' --cert '/d' --key '/e' -H \"X-Vault-Request: true\" -H \"X-Vault-Token: $VAULT_TOKEN\" \
         \"https://v.example/v1/x\"\n"
    );
}
