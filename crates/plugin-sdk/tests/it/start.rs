//! Before and at the handshake line.

use std::process::{Command, Output};

use linchpin_goplugin::names::{BACKEND_COOKIE, DATABASE_COOKIE};

use crate::child::{Plugin, binary};

fn by_hand(variables: &[(&str, &str)]) -> Output {
    Command::new(binary())
        .env_remove(BACKEND_COOKIE.0)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn p01_started_by_hand_it_says_that_it_is_a_plugin() {
    for variables in [&[][..], &[DATABASE_COOKIE][..]] {
        let output = by_hand(variables);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let notice = String::from_utf8(output.stderr).unwrap();
        assert!(notice.contains("is a plugin"), "{notice}");
    }
}

#[test]
fn p02_without_the_hosts_certificate_there_is_no_line() {
    let output = by_hand(&[BACKEND_COOKIE]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn p02_the_line_has_six_fields_and_a_seventh_when_asked() {
    let plugin = Plugin::start(&[]).await;
    let fields: Vec<&str> = plugin.line.trim_end_matches('\n').split('|').collect();
    let [core, app, network, address, protocol, certificate] = fields.as_slice() else {
        panic!("{}", plugin.line);
    };
    assert_eq!(
        (*core, *app, *network, *protocol),
        ("1", "5", "unix", "grpc")
    );
    assert!(address.starts_with(&plugin.folder.display().to_string()));
    assert!(certificate.len() > 50 && !certificate.ends_with('='));
    assert!(plugin.line.ends_with('\n'));

    let asked = Plugin::start(&[("PLUGIN_MULTIPLEX_GRPC", "true")]).await;
    assert!(asked.line.ends_with("|false\n"), "{}", asked.line);
}
