//! The fleet that chaos is played with: twenty mounts of five plugins, each of which has two versions that are always registered, one that
//! comes and goes, and one that no mount ever comes up with.

use linchpin_testkit::chaos::Version;
use linchpin_testkit::{Expect, Fixture, Target, binary, fixture, skip, switch};
use serde_json::{Value, json};

/// How many mounts each plugin has.
pub(crate) const MOUNTS: usize = 4;

/// No file has it.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One of the five.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    /// Its name in the catalog; its files are `<name>-1` and `<name>-2`, so that its processes are known by their names.
    pub(crate) name: &'static str,
    /// Whether one process serves many mounts.
    pub(crate) multiplexes: bool,
    /// Whether it is the fault plugin, and not the Go one.
    pub(crate) is_fault: bool,
    env: &'static [&'static str],
}

/// The five: each multiplexes or not, ends when asked or must be killed, comes up at once or slowly, is ours or Go's.
pub(crate) fn plugins() -> Vec<Plugin> {
    let fault = |name, multiplexes, env| Plugin {
        name,
        multiplexes,
        is_fault: true,
        env,
    };
    let mut five = vec![
        fault("shared", true, &[]),
        fault("apart", false, &[switch::NO_MULTIPLEXING]),
        fault("stubborn", true, &[switch::IGNORES_SHUTDOWN]),
        fault("slow", true, &["FAULT_SETUP_WAIT_MS=300"]),
        fault("fifth", true, &[]),
    ];
    let go = [Fixture::KvOld, Fixture::KvNew].map(fixture);
    match (go, five.last_mut()) {
        ([Some(_), Some(_)], Some(fifth)) => fifth.is_fault = false,
        _ => skip(Fixture::KvOld),
    }
    five
}

impl Plugin {
    /// The path of its n-th mount.
    pub(crate) fn mount(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }

    /// Whether a process of that name runs it.
    pub(crate) fn owns(&self, process: &str) -> bool {
        let rest = process.strip_prefix(self.name);
        rest.is_some_and(|rest| matches!(rest, "-1" | "-2"))
    }

    /// Where its engine keeps what is written under `key`.
    pub(crate) fn key(&self, mount: usize, key: &str) -> String {
        let folder = if self.is_fault { "kv/" } else { "" };
        format!("{}/{folder}{key}", self.mount(mount))
    }

    fn file(&self, version: Version) -> String {
        let number = if version == Version::Old { 1 } else { 2 };
        format!("{}-{number}", self.name)
    }

    /// The body that registers a version.
    pub(crate) fn entry(&self, t: &Target, version: Version, note: u64) -> Value {
        let file = self.file(version);
        let mut env: Vec<String> = Vec::new();
        let mut sha256 = t.digest(&file);
        if self.is_fault {
            env.extend(self.env.iter().map(ToString::to_string));
            env.push(format!("FAULT_VERSION={}", version.text()));
        }
        match version {
            Version::Broken if self.is_fault => env.push(switch::INITIALIZE_FAILS.to_owned()),
            Version::Broken => NO_DIGEST.clone_into(&mut sha256),
            _ => {}
        }
        if note > 0 {
            env.push(format!("NOTE={note}"));
        }
        json!({"version": version.text(), "command": file, "sha256": sha256, "env": env})
    }

    /// Installs its files, registers what is always there, and mounts.
    pub(crate) async fn set_up(&self, t: &Target) {
        let built = if self.is_fault {
            [binary("fault-v1"), binary("fault-v2")]
        } else {
            [Fixture::KvOld, Fixture::KvNew].map(|file| fixture(file).expect("asked for before"))
        };
        for (version, built) in [Version::Old, Version::New].into_iter().zip(built) {
            t.plugins().install(&self.file(version), &built);
            let path = format!("sys/plugins/catalog/secret/{}", self.name);
            t.post(&path, self.entry(t, version, 0)).await.ok();
        }
        for number in 0..MOUNTS {
            let version = json!({"config": {"plugin_version": Version::Old.text()}});
            t.mount(&self.mount(number), self.name, version).await.ok();
        }
    }

    /// How many processes serve its mounts when all of them were reloaded together.
    pub(crate) fn processes(&self) -> usize {
        if self.multiplexes { 1 } else { MOUNTS }
    }
}
