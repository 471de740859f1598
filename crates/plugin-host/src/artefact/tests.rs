//! Which bytes are run, and what is said when they cannot be.

use super::*;
use crate::testing::Scratch;
use std::os::unix::fs::PermissionsExt;

struct Plugins {
    scratch: Scratch,
    directory: PluginDirectory,
    artefacts: Artefacts,
}

impl Plugins {
    fn new() -> Self {
        let scratch = Scratch::new();
        let directory = PluginDirectory::open(scratch.path()).unwrap();
        Self {
            scratch,
            directory,
            artefacts: Artefacts::default(),
        }
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Sha256 {
        let path = self.scratch.path().join(name);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Sha256(linchpin_crypto::sha256(bytes))
    }

    fn open(&self, name: &str, sha: Sha256, how: Execution) -> Result<Arc<Artefact>, Error> {
        self.artefacts.open(&self.directory, "tp", name, sha, how)
    }
}

fn elf(payload: &[u8]) -> Vec<u8> {
    let mut bytes = std::fs::read("/proc/self/exe").unwrap();
    bytes.truncate(4_096);
    bytes.extend_from_slice(payload);
    bytes[56..58].fill(0); // no program headers, so that nothing is missing
    bytes
}

fn contents(artefact: &Artefact) -> Vec<u8> {
    let fd = artefact.descriptor().unwrap();
    let mut bytes = vec![0; 1 << 20];
    let read = rustix::io::pread(fd, &mut bytes, 0).unwrap();
    bytes.truncate(read);
    bytes
}

#[test]
fn h42_a_sealed_copy_keeps_what_was_hashed() {
    let plugins = Plugins::new();
    let original = elf(b"one");
    let sha = plugins.write("tp1", &original, 0o755);
    let artefact = plugins.open("tp1", sha, Execution::Sealed).unwrap();
    assert_eq!(artefact.execution(), Execution::Sealed);
    assert_eq!(artefact.verified(), "at execution");

    let path = plugins.scratch.path().join("tp1");
    std::fs::write(&path, elf(b"two")).unwrap();
    artefact.check_again().unwrap();
    assert_eq!(contents(&artefact), original);
    let fd = artefact.descriptor().unwrap();
    assert!(rustix::io::pwrite(fd, b"x", 0).is_err());
    assert!(plugins.open("tp1", sha, Execution::Sealed).is_err());
}

#[test]
fn one_sealed_copy_per_digest_while_it_is_used() {
    let plugins = Plugins::new();
    let sha = plugins.write("tp1", &elf(b"one"), 0o755);
    let first = plugins.open("tp1", sha, Execution::Sealed).unwrap();
    let second = plugins.open("tp1", sha, Execution::Sealed).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let weak = Arc::downgrade(&first);
    drop((first, second));
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_fresh_file_is_not_trusted_by_its_times() {
    let plugins = Plugins::new();
    plugins.write("tp1", &elf(b"one"), 0o755);
    let file = File::open(plugins.scratch.path().join("tp1")).unwrap();
    let identity = Identity::of(Path::new("tp1"), &file).unwrap();
    let now = SystemTime::now();
    assert!(!identity.is_settled(now));
    assert!(identity.is_settled(now + std::time::Duration::from_secs(3_600)));
}

#[test]
fn h42_the_other_modes_hash_again_before_a_respawn() {
    for (name, how) in [("d", Execution::Descriptor), ("p", Execution::Path)] {
        let plugins = Plugins::new();
        let sha = plugins.write(name, &elf(b"one"), 0o755);
        let artefact = plugins.open(name, sha, how).unwrap();
        artefact.check_again().unwrap();
        artefact.check_again().unwrap();
        std::fs::write(plugins.scratch.path().join(name), elf(b"two")).unwrap();
        let refusal = artefact.check_again().unwrap_err().to_string();
        assert!(
            refusal.starts_with("checksums did not match: "),
            "{refusal}"
        );
    }
}

#[test]
fn h57_scripts_run_by_path() {
    let plugins = Plugins::new();
    let sha = plugins.write("tp.sh", b"#!/bin/sh\n", 0o755);
    let artefact = plugins.open("tp.sh", sha, Execution::Sealed).unwrap();
    assert_eq!(artefact.execution(), Execution::Path);
    assert_eq!(artefact.verified(), "at start");
    assert!(artefact.descriptor().is_none());
}

#[test]
fn h57_a_refused_file_says_what_is_wrong_with_it() {
    let plugins = Plugins::new();
    let mut foreign = elf(b"");
    foreign[18] = if cfg!(target_arch = "x86_64") {
        183
    } else {
        62
    };
    foreign[19] = 0;
    let program = std::fs::read("/proc/self/exe").unwrap();
    let cut_off = &program[..64 * 1024];
    let start = &elf(b"")[..40];
    let mut musl = program.clone();
    let name = b"/lib64/ld-linux-x86-64.so.2\0";
    let at = musl.windows(name.len()).position(|w| w == name);
    if let Some(at) = at {
        musl[at..at + 22].copy_from_slice(b"/lib/ld-musl-gone.so.1");
        musl[at + 22] = 0;
    }
    let mut object = elf(b"");
    object[16] = 1;
    let mut library = elf(b"");
    library[16] = 3;
    library[24..32].fill(0);
    std::fs::create_dir(plugins.scratch.path().join("folder")).unwrap();
    for (name, bytes, mode, expected) in [
        ("empty", b"".as_slice(), 0o755, "it is empty: copy it again"),
        (
            "text",
            b"hello, world, this is text".as_slice(),
            0o755,
            "neither an ELF executable",
        ),
        ("foreign", &foreign, 0o755, "it was built for "),
        (
            "plain",
            &elf(b""),
            0o644,
            "permission denied: it is not executable",
        ),
        ("cut-off", cut_off, 0o755, "it is cut off after "),
        ("start", start, 0o755, "it is cut off: copy it again"),
        ("musl", &musl, 0o755, "such as Alpine Linux"),
        ("object", &object, 0o755, "it is an object file"),
        ("library", &library, 0o755, "it is a shared library"),
        ("mac", b"\xcf\xfa\xed\xfe".as_slice(), 0o755, "GOOS=linux"),
        (
            "windows",
            b"MZ\x90".as_slice(),
            0o755,
            "it is a program for Windows",
        ),
        (
            "zip",
            b"PK\x03\x04".as_slice(),
            0o755,
            "it is a zip archive: unpack it",
        ),
        (
            "gzip",
            b"\x1f\x8b\x08".as_slice(),
            0o755,
            "it is compressed with gzip",
        ),
        (
            "page",
            b"\n<!DOCTYPE html>".as_slice(),
            0o755,
            "it is a page of a web site",
        ),
        (
            "gone.sh",
            b"#! /nowhere/sh -e\n".as_slice(),
            0o755,
            "its interpreter /nowhere/sh: no such file or directory",
        ),
        (
            "dos.sh",
            b"#!/bin/sh\r\nexit 1\r\n".as_slice(),
            0o755,
            "carriage return",
        ),
        ("none.sh", b"#!\n".as_slice(), 0o755, "names no interpreter"),
        (
            "data.sh",
            b"#!/etc/passwd\n".as_slice(),
            0o755,
            "its interpreter /etc/passwd is not executable",
        ),
    ] {
        let sha = plugins.write(name, bytes, mode);
        let refusal = plugins.open(name, sha, Execution::Sealed).unwrap_err();
        let text = refusal.to_string();
        assert!(text.contains(expected) && text.contains(name), "{text}");
    }
    let folder = plugins.open("folder", Sha256([0; 32]), Execution::Sealed);
    assert!(
        folder
            .unwrap_err()
            .to_string()
            .contains("it is a directory")
    );
}

#[test]
fn h57_where_memory_files_are_forbidden_the_file_itself_is_executed() {
    let mut plugins = Plugins::new();
    plugins.artefacts.may_use_memory = false;
    let sha = plugins.write("tp1", &elf(b"one"), 0o755);
    let artefact = plugins.open("tp1", sha, Execution::Sealed).unwrap();
    assert_eq!(artefact.execution(), Execution::Descriptor);
    assert_eq!(artefact.verified(), "at execution");
}

#[test]
fn h42_a_wrong_digest_names_file_expected_and_actual() {
    let plugins = Plugins::new();
    let actual = plugins.write("tp1", &elf(b"one"), 0o755);
    let expected = Sha256([0; 32]);
    for how in [Execution::Sealed, Execution::Descriptor, Execution::Path] {
        let text = plugins.open("tp1", expected, how).unwrap_err().to_string();
        assert!(text.contains("checksums did not match"), "{text}");
        for part in ["/tp1", &actual.to_string(), &expected.to_string()] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[test]
fn a_pipe_is_refused_at_once() {
    let plugins = Plugins::new();
    let pipe = plugins.scratch.path().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o755);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let (directory, name) = (&plugins.directory, "pipe");
    let digest = plugins.artefacts.digest(directory, "tp", name);
    assert!(
        digest
            .unwrap_err()
            .to_string()
            .contains("not a regular file")
    );
    let opened = plugins.open(name, Sha256([0; 32]), Execution::Sealed);
    assert!(
        opened
            .unwrap_err()
            .to_string()
            .contains("not a regular file")
    );
}

#[test]
fn a_file_that_was_replaced_has_another_digest_whatever_it_is_now() {
    let plugins = Plugins::new();
    let sha = plugins.write("tp1", &elf(b"one"), 0o755);
    plugins.write("tp1", b"notes, not a program", 0o755);
    let refused = plugins.open("tp1", sha, Execution::Sealed).unwrap_err();
    assert!(matches!(refused, Error::Checksum { .. }), "{refused}");
}

#[test]
fn a_digest_is_remembered_until_the_file_changes() {
    let plugins = Plugins::new();
    let first = plugins.write("tp1", &elf(b"one"), 0o755);
    let digest = || {
        plugins
            .artefacts
            .digest(&plugins.directory, "tp", "tp1")
            .unwrap()
    };
    assert_eq!((digest(), digest()), (first, first));
    let second = plugins.write("tp1", &elf(b"two"), 0o755);
    assert_eq!(digest(), second);
}
