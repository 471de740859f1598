//! The handshake checks of plugin-protocol §8, H3 to H7, and the promise that nothing panics.

use super::*;
use proptest::prelude::*;

/// A DER SEQUENCE of 60 bytes: long enough to count as a certificate.
fn certificate() -> Vec<u8> {
    let mut der = vec![0x30, 58];
    der.extend(std::iter::repeat_n(7, 58));
    der
}

fn encoded() -> String {
    STANDARD_NO_PAD.encode(certificate())
}

fn parse(line: &str) -> Result<Handshake, HandshakeError> {
    Handshake::parse(line.as_bytes(), &[5], true)
}

#[test]
fn a_good_line_is_read() {
    let handshake = parse(&format!("1|5|unix|/tmp/plugin728440770|grpc|{}", encoded())).unwrap();
    assert_eq!(
        handshake,
        Handshake {
            app_version: 5,
            address: Address::Unix("/tmp/plugin728440770".into()),
            certificate: Some(certificate()),
            broker_multiplexing: None,
        }
    );
}

#[test]
fn h07_blanks_and_carriage_returns_around_the_line_are_tolerated() {
    let line = format!(" 1|5|unix|/tmp/p|grpc|{}\r\n", encoded());
    assert!(parse(&line).is_ok());
}

#[test]
fn h01_what_is_no_handshake_is_repeated_in_the_error() {
    for line in ["", "hello", "1|5|unix", "a|b|c|d", "Usage: x | y | z | w"] {
        let error = parse(line).unwrap_err();
        assert!(
            matches!(error, HandshakeError::Unrecognized { .. }),
            "{line}"
        );
        assert!(
            error
                .to_string()
                .contains("Unrecognized remote plugin message")
        );
    }
    let error = Handshake::parse(b"\x7fELF\xff\x00|1|2|3", &[5], true).unwrap_err();
    assert!(!error.to_string().contains('\0'));
}

#[test]
fn h03_another_core_version_is_refused() {
    let error = parse("2|5|unix|/tmp/p|grpc|").unwrap_err();
    assert_eq!(error, HandshakeError::CoreVersion { found: "2".into() });
}

#[test]
fn h04_an_app_version_that_was_not_offered_is_refused_with_both_lists() {
    for app in ["4", "", "x", "-5", "99999999999"] {
        let error = parse(&format!("1|{app}|unix|/tmp/p|grpc|")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("incompatible API version"), "{text}");
        assert!(text.contains("[5]") && text.contains(app), "{text}");
    }
}

#[test]
fn h05_net_rpc_has_its_own_message() {
    for line in [
        "1|5|unix|/tmp/p",
        "1|5|unix|/tmp/p|",
        "1|5|unix|/tmp/p|netrpc|",
    ] {
        assert_eq!(parse(line).unwrap_err(), HandshakeError::NetRpc, "{line}");
    }
    assert!(matches!(
        parse("1|5|unix|/tmp/p|quic|").unwrap_err(),
        HandshakeError::Protocol { .. }
    ));
}

#[test]
fn h06_a_broken_certificate_is_an_error() {
    let padded = format!("{}==", encoded());
    let mut truncated = certificate();
    truncated.pop();
    let truncated = STANDARD_NO_PAD.encode(truncated);
    let corrupt = encoded().replace('B', "*");
    let url_safe = "_-".repeat(40);
    for field in [padded, truncated, corrupt, url_safe] {
        let error = parse(&format!("1|5|unix|/tmp/p|grpc|{field}")).unwrap_err();
        assert!(
            matches!(error, HandshakeError::Certificate { .. }),
            "{field}: {error}"
        );
    }
}

#[test]
fn a_short_certificate_field_is_no_certificate() {
    for field in ["", "|true", "x"] {
        let error = parse(&format!("1|5|unix|/tmp/p|grpc|{field}")).unwrap_err();
        assert_eq!(error, HandshakeError::NoCertificate);
    }
    let plain = Handshake::parse(b"1|4|unix|/tmp/p|grpc|", &[3, 4], false).unwrap();
    assert_eq!(plain.certificate, None);
}

#[test]
fn addresses_that_cannot_or_must_not_be_connected_to_are_refused() {
    let long = format!("/{}", "x".repeat(107));
    for (network, address) in [
        ("unix", "relative"),
        ("unix", ""),
        ("unix", long.as_str()),
        ("unix", "/tmp/\0"),
        ("unix", "/tmp/\u{1b}[2Jplugin"),
        ("tcp", "10.0.0.1:80"),
        ("tcp", "0.0.0.0:80"),
        ("tcp", "localhost:80"),
        ("tcp", "127.0.0.1:0"),
        ("udp", "127.0.0.1:80"),
    ] {
        assert!(
            parse(&format!("1|5|{network}|{address}|grpc|{}", encoded())).is_err(),
            "{network} {address}"
        );
    }
    assert!(parse(&format!("1|5|tcp|127.0.0.1:10001|grpc|{}", encoded())).is_ok());
}

#[test]
fn field_seven_is_a_boolean() {
    let with = |word: &str| parse(&format!("1|5|unix|/tmp/p|grpc|{}|{word}", encoded()));
    assert_eq!(with("T").unwrap().broker_multiplexing, Some(true));
    assert_eq!(with("false").unwrap().broker_multiplexing, Some(false));
    assert!(matches!(
        with("yes"),
        Err(HandshakeError::Multiplexing { .. })
    ));
}

#[test]
fn an_error_repeats_little_of_a_long_line() {
    let error = parse(&"x".repeat(100_000)).unwrap_err();
    assert!(error.to_string().len() < 1000);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(line in proptest::collection::vec(any::<u8>(), 0..300), auto_mtls: bool) {
        let _ = Handshake::parse(&line, &[5], auto_mtls);
    }

    #[test]
    fn no_fields_make_it_panic(fields in proptest::collection::vec("(1|5|unix|tcp|grpc|netrpc|/tmp/p|[ -~]{0,80})", 0..9)) {
        let _ = Handshake::parse(fields.join("|").as_bytes(), &[5], true);
    }

    #[test]
    fn what_is_printed_reads_back(
        app_version in 3_u32..7,
        name in "/[a-z0-9/]{1,60}",
        port in 1_u16..,
        unix: bool,
        broker_multiplexing: Option<bool>,
    ) {
        let handshake = Handshake {
            app_version,
            address: if unix { Address::Unix(name.into()) } else { Address::Tcp(([127, 0, 0, 1], port).into()) },
            certificate: Some(certificate()),
            broker_multiplexing,
        };
        let line = handshake.to_string();
        prop_assert_eq!(Handshake::parse(line.as_bytes(), &[3, 4, 5, 6], true), Ok(handshake));
    }
}
