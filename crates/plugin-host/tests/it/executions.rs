//! How the bytes of a plugin come to run: scripts, wrappers, libraries beside the plugin, and what a
//! process finds in its environment.

use crate::scratch::{eventually, is_gone};
use crate::world::{World, example};
use linchpin_engine::{Fleet, Joining};
use linchpin_model::{Execution, PluginEntry};
use std::path::Path;
use std::process::Command;

/// Mounts the entry and gives the process that serves it.
async fn pid(world: &World, entry: PluginEntry) -> u32 {
    let made = world.prepare(entry, "a", Joining::Newest).await.unwrap();
    made.backend.initialize(&world.ctx).await.unwrap();
    let pid = world.pid(&made.backend).await;
    let listed = world.host.instances();
    assert_eq!(
        listed[0].pid(),
        Some(pid),
        "the process is the plugin itself"
    );
    std::mem::forget(made);
    pid
}

fn environment(pid: u32) -> Vec<String> {
    let words = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let words = words
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn h57_a_wrapper_script_finds_what_lies_beside_it() {
    let world = World::new(|_| {});
    world.scratch.write("real", example("fault"));
    let script = "#!/bin/sh\nexec \"$(dirname \"$0\")/real\" \"$@\"\n";
    let pid = pid(&world, world.other("wrapper.sh", script)).await;
    let process = world.host.instances()[0].process.clone().unwrap();
    assert_eq!(process.verified, "at start");
    let real = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    assert_eq!(real, world.scratch.plugins().join("real"));
}

/// As plugins do that were built with go-plugin before 1.5.
#[tokio::test(flavor = "multi_thread")]
async fn h58_a_plugin_that_only_knows_tmpdir_makes_its_socket_in_the_private_directory() {
    let world = World::new(|_| {});
    world.scratch.write("real", example("fault"));
    let script = "#!/bin/sh\nunset PLUGIN_UNIX_SOCKET_DIR\nexec \"$(dirname \"$0\")/real\"\n";
    let pid = pid(&world, world.other("old.sh", script)).await;
    let words = environment(pid);
    assert!(
        !words
            .iter()
            .any(|word| word.starts_with("PLUGIN_UNIX_SOCKET_DIR="))
    );
    let temporary = words.iter().find_map(|word| word.strip_prefix("TMPDIR="));
    let private = Path::new(temporary.unwrap());
    assert_eq!(private.parent(), Some(&*world.scratch.root().join("s")));
    let entries = std::fs::read_dir(private).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut sockets = names.filter(|name| name.starts_with("plugin"));
    assert!(sockets.next().is_some(), "the plugin's own socket is there");
    world.host.shutdown().await;
    assert!(is_gone(pid));
    assert_eq!(world.directories(), 0);
}

/// A small program that needs a library beside itself, and then becomes the plugin beside it. The
/// compiler is the one that links every Rust program.
#[tokio::test(flavor = "multi_thread")]
async fn h57_a_library_beside_the_plugin_is_found_when_it_runs_by_path() {
    let world = World::new(|_| {});
    let plugins = world.scratch.plugins();
    world.scratch.write("real", example("fault"));
    let source = world.scratch.root().join("source");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("beside.c"), "int beside(void) { return 0; }\n").unwrap();
    let program = format!(
        "#include <unistd.h>\nint beside(void);\nint main(void) {{ if (beside()) return 1; \
         execl(\"{0}\", \"{0}\", (char *)0); return 2; }}\n",
        plugins.join("real").display()
    );
    std::fs::write(source.join("program.c"), program).unwrap();
    let compile = |words: &[&str]| {
        let done = Command::new("cc").args(words).current_dir(&source).status();
        assert!(done.is_ok_and(|status| status.success()), "cc {words:?}");
    };
    compile(&["-shared", "-fPIC", "-o", "libbeside.so", "beside.c"]);
    compile(&[
        "-o",
        "program",
        "program.c",
        "-L.",
        "-lbeside",
        "-Wl,-rpath,$ORIGIN",
    ]);
    std::fs::copy(source.join("libbeside.so"), plugins.join("libbeside.so")).unwrap();
    let mut entry = world.other("origin", std::fs::read(source.join("program")).unwrap());
    let sealed = world.prepare(entry.clone(), "a", Joining::Newest).await;
    let text = sealed.err().unwrap().to_string();
    for part in [
        "the library libbeside.so cannot be loaded",
        "execution=path",
    ] {
        assert!(text.contains(part), "{text}: {part}");
    }
    entry.execution = Some(Execution::Path);
    assert!(pid(&world, entry).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn h44_a_process_finds_what_it_inherits_its_entry_and_what_the_server_says() {
    let world = World::new(|_| {});
    let entry = world.entry(&[
        "LANG=of-the-entry",
        "VAULT_VERSION=of-the-entry",
        "MY_TOKEN=x",
    ]);
    let pid = pid(&world, entry).await;
    let words = environment(pid);
    let has = |word: &str| words.iter().any(|w| w == word);
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    // A token in the entry's own environment is the entry's business.
    for word in [&path, "LANG=of-the-entry", "MY_TOKEN=x"] {
        assert!(has(word), "{word}: {words:?}");
    }
    for name in ["PLUGIN_AUTOMTLS_ENABLED", "PLUGIN_METADATA_MODE", "VERSION"] {
        let value = |prefix: &str| {
            let start = format!("{prefix}_{name}=");
            words
                .iter()
                .find_map(|w| w.strip_prefix(&start).map(str::to_owned))
        };
        assert!(
            value("VAULT").is_some_and(|v| v != "of-the-entry"),
            "{name}"
        );
        assert_eq!(value("VAULT"), value("BAO"), "{name}");
    }
    let mut names: Vec<&str> = words.iter().filter_map(|w| w.split('=').next()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "each variable once");
    eventually("it is listed", || !world.host.instances().is_empty()).await;
}
