//! Each cause with words that real loaders, SDKs and kernels say.

use super::*;

fn check(exit: Exit, stderr: &[&str], expected: Option<&str>) {
    let stderr: Vec<String> = stderr.iter().map(|line| (*line).to_owned()).collect();
    let seen = Seen {
        exit: Some(exit),
        stderr: &stderr,
        execution: Execution::Sealed,
        script: false,
        confined: true,
    };
    let advice = seen.advice();
    match (&advice, expected) {
        (None, None) => {}
        (Some(text), Some(part)) if text.contains(part) => {}
        other => panic!("{stderr:?}: {other:?}"),
    }
}

#[test]
fn the_words_of_a_loader_are_understood() {
    let status = Exit::Status;
    check(
        status(127),
        &[
            "/p/tp: error while loading shared libraries: libpcsclite.so.1: cannot open shared object \
           file: No such file or directory",
        ],
        Some("the library libpcsclite.so.1 cannot be loaded: install it"),
    );
    check(
        status(127),
        &["Error loading shared library libpq.so.5: No such file or directory (needed by /p/tp)"],
        Some("the library libpq.so.5 cannot be loaded"),
    );
    check(
        status(1),
        &["/p/tp: /lib/libc.so.6: version `GLIBC_2.99' not found (required by /p/tp)"],
        Some("it wants GLIBC_2.99"),
    );
    check(
        status(127),
        &["/p/tp: symbol lookup error: /p/tp: undefined symbol: x"],
        Some("of another version"),
    );
}

#[test]
fn a_library_beside_the_plugin_needs_its_path() {
    let stderr = ["x: error while loading shared libraries: libx.so: no".to_owned()];
    for (execution, hint) in [
        (Execution::Sealed, true),
        (Execution::Descriptor, true),
        (Execution::Path, false),
    ] {
        let seen = Seen {
            exit: Some(Exit::Status(127)),
            stderr: &stderr,
            execution,
            script: false,
            confined: false,
        };
        let text = seen.advice().unwrap();
        assert_eq!(text.contains("execution=path"), hint, "{text}");
    }
}

#[test]
fn the_words_of_plugins_are_understood() {
    let status = Exit::Status;
    check(
        status(0),
        &["plugin tls init: error parsing wrapping token: square/go-jose"],
        Some("rebuild it with v0.6.0 or newer"),
    );
    check(
        status(1),
        &[
            "This binary is a plugin. These are not meant to be executed directly.",
            "Please execute the program that consumes these plugins.",
        ],
        Some("registered under the type database"),
    );
    check(
        status(2),
        &["flag provided but not defined: -mode"],
        Some("args"),
    );
    check(
        status(1),
        &["open /var/lib/tp/state: permission denied"],
        Some("writable"),
    );
    check(status(1), &["out of memory"], None);
}

#[test]
fn an_end_without_words_is_explained_as_far_as_it_can_be() {
    check(
        Exit::Status(0),
        &[],
        Some("its main does not reach the SDK's Serve"),
    );
    check(Exit::Status(0), &["bye"], Some("its last output says why"));
    check(Exit::Status(3), &[], None);
    check(Exit::Unknown, &[], None);
    for (signal, part) in [
        (9, "out-of-memory killer"),
        (31, "seccomp"),
        (4, "GOAMD64"),
        (11, "it crashed"),
        (15, "somebody told it to end"),
        (25, "resource limit"),
    ] {
        check(Exit::Signal(signal), &[], Some(part));
    }
}

#[test]
fn a_script_is_told_from_a_program() {
    let seen = |script| Seen {
        exit: Some(Exit::Status(127)),
        stderr: &[],
        execution: Execution::Path,
        script,
        confined: false,
    };
    assert!(seen(true).advice().is_some_and(|t| t.contains("a shell")));
    assert_eq!(seen(false).advice(), None);
}
