//! What must hold for any first line of a plugin's stdout (plugin-protocol §1.6).
//!
//! The first byte of the input says what the host offered, the rest is the line. Shared by the fuzz target and the test that
//! replays its corpus.

use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use linchpin_crypto::tls::{OneTimeIdentity, client_config};
use linchpin_goplugin::{Address, Handshake};

/// Checks one input; whether its line is a handshake.
pub(crate) fn check(data: &[u8]) -> bool {
    let Some((flags, line)) = data.split_first() else {
        return false;
    };
    let auto_mtls = flags & 1 == 1;
    let offered: &[u32] = match (flags >> 1) & 3 {
        0 => &[5],
        1 => &[3, 4, 5],
        2 => &[],
        _ => &[0, 1, u32::MAX],
    };
    match Handshake::parse(line, offered, auto_mtls) {
        Ok(handshake) => {
            accepted(&handshake, offered, auto_mtls);
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
            // 200 characters of the line, each of up to ten when escaped, and our own words.
            assert!(text.len() < 2_500, "{} bytes", text.len());
            false
        }
    }
}

fn accepted(handshake: &Handshake, offered: &[u32], auto_mtls: bool) {
    assert!(offered.contains(&handshake.app_version));
    match &handshake.address {
        Address::Unix(path) => {
            let text = path.to_str().expect("the line was text");
            assert!(path.is_absolute() && text.len() <= 107, "{text:?}");
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        Address::Tcp(socket) => {
            assert!(socket.ip().is_loopback() && socket.port() != 0, "{socket}");
        }
    }
    assert_eq!(handshake.certificate.is_some(), auto_mtls);
    let shown = format!("{handshake:?}");
    assert!(shown.len() < 2_000, "{shown}");

    let line = handshake.to_string();
    let again = Handshake::parse(line.as_bytes(), offered, auto_mtls);
    assert_eq!(again.as_ref(), Ok(handshake), "{line}");
    assert_eq!(again.map(|again| again.to_string()), Ok(line));

    if let Some(certificate) = &handshake.certificate {
        // Which bytes they are shows at the TLS handshake; that they are no certificate must not matter before.
        assert_eq!(certificate.first(), Some(&0x30));
        let config = client_config(identity(), certificate.clone().into());
        assert!(config.is_ok(), "{config:?}");
    }
}

/// The host's own certificate, as for every plugin one.
fn identity() -> &'static OneTimeIdentity {
    static IDENTITY: OnceLock<OneTimeIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        OneTimeIdentity::generate(now).expect("a key and a certificate")
    })
}
