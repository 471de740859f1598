//! Unmodified Go plugins, each in an old and a new version, through a whole life: register, mount, use, pin, reload, use, roll back, use,
//! unmount. `docs/plugins.md` lists them with what was noticed.
//!
//! One driver, and a description of each plugin in `go_plugins/plugins.rs`. The default run has two of them, the long run all.

mod fake;
mod plugins;
mod slapd;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::{Duration, Instant};

use linchpin_testkit::client::{Method, Request};
use linchpin_testkit::{
    Expect, Fixture, Load, Process, Product, Settings, Store, Target, fixture, long_tests, run,
    skip, until,
};
use serde_json::{Value, json};

use plugins::{Plugin, Release};
use step::Step;

/// Two mounts, so that it is seen whether they share a process.
const MOUNTS: [&str; 2] = ["m", "n"];
/// Below it are the values that engines store.
const ENGINES: &str = "logical/";

#[test]
fn kv() {
    upgrade(Product::Linchpin, &plugins::kv_near());
}

#[test]
fn terraform() {
    upgrade(Product::Linchpin, &plugins::terraform());
}

#[test]
fn long_kv_of_2023() {
    upgrade_if_asked(Product::Linchpin, &plugins::kv_far());
}

#[test]
fn long_mongodbatlas() {
    upgrade_if_asked(Product::Linchpin, &plugins::mongodbatlas());
}

#[test]
fn long_alicloud() {
    upgrade_if_asked(Product::Linchpin, &plugins::alicloud());
}

#[test]
fn long_openldap() {
    upgrade_if_asked(Product::Linchpin, &plugins::openldap());
}

#[test]
fn long_openbao_sdk() {
    upgrade_if_asked(Product::Linchpin, &plugins::openbao());
}

/// Once more with a server whose store can be read: an upgrade and a roll-back do not touch what the plugin has stored.
mod inspected {
    use super::*;

    #[test]
    fn long_kv_of_2023() {
        upgrade_if_asked(Product::Mutant, &plugins::kv_far());
    }

    #[test]
    fn long_terraform() {
        upgrade_if_asked(Product::Mutant, &plugins::terraform());
    }

    #[test]
    fn long_mongodbatlas() {
        upgrade_if_asked(Product::Mutant, &plugins::mongodbatlas());
    }

    #[test]
    fn long_alicloud() {
        upgrade_if_asked(Product::Mutant, &plugins::alicloud());
    }

    #[test]
    fn long_openldap() {
        upgrade_if_asked(Product::Mutant, &plugins::openldap());
    }

    #[test]
    fn long_openbao_sdk() {
        upgrade_if_asked(Product::Mutant, &plugins::openbao());
    }
}

/// A plugin of before protocol version 5 is recognised and refused with a text that says what to do, and nothing is left of it.
#[test]
fn long_a_plugin_of_an_older_protocol_is_refused() {
    const TOO_OLD: &str =
        "the plugin was built with a Vault SDK that is too old: rebuild it with v0.6.0 or newer";
    if !asked_for() {
        return;
    }
    let refused = Fixture::GoPlugin("terraform-refused");
    let Some(binary) = fixture(refused) else {
        return skip(refused);
    };
    run(Product::Linchpin, async |product| {
        let t = Target::start(product).await;
        t.plugins().install("old", &binary);
        t.register("old", "0.6.0", "old", json!({}))
            .await
            .ok()
            .warns(TOO_OLD);
        t.mount("m", "old", json!({}))
            .await
            .is(400)
            .error_has(TOO_OLD);
        t.get("sys/mounts/m").await.is(400);
        until("nothing is left of it", || async {
            t.plugin_pids().is_empty().then_some(())
        })
        .await;
    });
}

fn upgrade_if_asked(product: Product, plugin: &Plugin) {
    if asked_for() {
        upgrade(product, plugin);
    }
}

/// Says so when the long tests were not asked for. That is no skip: nothing is missing.
fn asked_for() -> bool {
    if !long_tests() {
        let line = "left out, `cargo xtask test --long` runs it";
        drop(writeln!(std::io::stderr(), "{line}"));
    }
    long_tests()
}

/// What a plugin may talk to.
struct World {
    fake: fake::Fake,
    slapd: Option<slapd::Slapd>,
}

impl World {
    async fn start(t: &Target, plugin: &Plugin) -> Self {
        let people = [
            "person-m",
            "person-n",
            "later-m",
            "later-n",
            "service-m",
            "service-n",
        ];
        let slapd = match plugin.name {
            "go-openldap" => Some(slapd::Slapd::start(t.server().folder(), &people).await),
            _ => None,
        };
        Self {
            fake: fake::Fake::start().await,
            slapd,
        }
    }

    /// Puts addresses and the mount's path into a text of a description.
    fn fill(&self, mount: &str, text: &str) -> String {
        let ldap = self.slapd.as_ref().map(slapd::Slapd::url);
        text.replace("{mount}", mount)
            .replace("{api}", &self.fake.url())
            .replace("{ldap}", &ldap.unwrap_or_default())
    }
}

fn upgrade(product: Product, plugin: &Plugin) {
    for release in [&plugin.old, &plugin.new] {
        if fixture(release.fixture).is_none() {
            return skip(release.fixture);
        }
    }
    if plugin.name == "go-openldap" && fixture(Fixture::Slapd).is_none() {
        return skip(Fixture::Slapd);
    }
    run(product, async |product| {
        let settings = match product {
            Product::Mutant => Settings::default().with_store_dump(),
            _ => Settings::default(),
        };
        let t = Target::with(product, settings).await;
        let world = World::start(&t, plugin).await;
        let life = Life {
            t: &t,
            plugin,
            world: &world,
        };
        life.run().await;
    });
}

/// One plugin on one server.
struct Life<'a> {
    t: &'a Target,
    plugin: &'a Plugin,
    world: &'a World,
}

impl Life<'_> {
    async fn run(&self) {
        let Plugin { old, new, .. } = self.plugin;
        for release in [old, new] {
            self.register(release).await;
        }
        for mount in MOUNTS {
            self.mount(mount).await;
        }
        self.serves(old).await;
        self.steps(&self.plugin.first).await;
        let before = self.kept().await;

        self.roll_out(new).await;
        self.answers_the_same(&before).await;
        self.steps(&self.plugin.second).await;

        self.roll_out(old).await;
        let after = self.kept().await;
        assert_eq!(after, before, "the roll-back changed what there was");
        self.steps(&self.plugin.third).await;

        self.remove().await;
    }

    /// Registers a version with its digest; the plugin is started for that and says that it has no version of its own.
    async fn register(&self, release: &Release) {
        let file = format!("{}-{}", self.plugin.name, release.version);
        let binary = fixture(release.fixture).unwrap();
        self.t.plugins().install(&file, &binary);
        let more = match self.plugin.proxy {
            true => json!({"env": [
                format!("HTTPS_PROXY={}", self.world.fake.url()),
                format!("HTTP_PROXY={}", self.world.fake.url()),
            ]}),
            false => json!({}),
        };
        let begin = Instant::now();
        self.t
            .register(self.plugin.name, release.version, &file, more)
            .await
            .ok()
            .silent();
        self.say(&format!(
            "{} registered in {:?}",
            release.version,
            begin.elapsed()
        ));
        until("the registration has left no process", || async {
            self.t.plugin_pids().is_empty().then_some(())
        })
        .await;
    }

    async fn mount(&self, mount: &str) {
        let Plugin { name, old, .. } = self.plugin;
        let more = json!({"config": {"plugin_version": old.version}});
        let begin = Instant::now();
        self.t.mount(mount, name, more).await.ok();
        self.say(&format!("{} mounted in {:?}", old.version, begin.elapsed()));
    }

    /// Expects that every mount runs this version, from its own file, in as many processes as it needs; returns these.
    async fn serves(&self, release: &Release) -> BTreeSet<u32> {
        let file = format!("{}-{}", self.plugin.name, release.version);
        for mount in MOUNTS {
            self.t
                .get(&format!("sys/mounts/{mount}"))
                .await
                .is(200)
                .has("/data/running_plugin_version", release.version)
                .has("/data/running_sha256", self.t.digest(&file));
        }
        let wanted = if release.multiplexes { 1 } else { MOUNTS.len() };
        let processes = until("the right number of processes is left", || async {
            let found: BTreeSet<u32> = self.t.plugin_pids().into_iter().collect();
            (found.len() == wanted).then_some(found)
        })
        .await;
        let kib: Vec<u64> = processes
            .iter()
            .map(|pid| Process::resident_kib(*pid))
            .collect();
        self.say(&format!(
            "{} runs in {wanted} processes of {kib:?} KiB",
            release.version
        ));
        processes
    }

    /// Pins a version and reloads, under load. Until the reload the other one runs on.
    async fn roll_out(&self, release: &Release) {
        let name = self.plugin.name;
        let processes: BTreeSet<u32> = self.t.plugin_pids().into_iter().collect();
        let stored = self.stored().await;
        let load = self.load();
        load.advance(20, Duration::from_secs(30)).await;
        self.t
            .post(
                &format!("sys/plugins/pins/secret/{name}"),
                json!({"version": release.version}),
            )
            .await
            .is(200);
        for pid in &processes {
            assert!(self.t.has_process(*pid), "a pin alone ended a process");
        }
        let begin = Instant::now();
        let reply = self
            .t
            .post(&format!("sys/plugins/reload/secret/{name}"), json!({}))
            .await
            .is(200)
            .silent();
        self.say(&format!(
            "{} reloaded in {:?}",
            release.version,
            begin.elapsed()
        ));
        let results = reply.at("/data/results");
        let outcomes: Vec<&Value> = results
            .as_array()
            .unwrap()
            .iter()
            .map(|result| &result["status"])
            .collect();
        assert_eq!(outcomes, MOUNTS.map(|_| "reloaded"), "{results}");
        load.advance(20, Duration::from_secs(30)).await;
        let report = load.stop().await;
        report.expect_all_good(40);
        self.say(&format!(
            "{} requests during it, the slowest took {:?}",
            report.answers.len(),
            report.percentile(1.0)
        ));
        let now = self.serves(release).await;
        assert!(
            now.is_disjoint(&processes),
            "{now:?} are new processes, not {processes:?}"
        );
        // Only reads went on: what the plugin has stored is what it was, byte for byte.
        if let (Some(before), Some(after)) = (stored, self.stored().await) {
            let changed: Vec<&str> = before
                .differences(&after)
                .into_iter()
                .filter(|key| key.starts_with(ENGINES))
                .filter(|key| !self.plugin.restored.iter().any(|end| key.ends_with(end)))
                .collect();
            assert!(changed.is_empty(), "the reload changed {changed:?}");
        }
    }

    fn load(&self) -> Load {
        let path = self.plugin.load;
        let read = move |connection: usize, _| {
            let mount = MOUNTS.get(connection).unwrap();
            Request::new(Method::GET, &format!("{mount}/{path}"))
        };
        Load::start(self.t.client(), MOUNTS.len(), read, |_| String::new())
    }

    async fn stored(&self) -> Option<Store> {
        match self.t.product() {
            Product::Mutant => Some(self.t.server().store().await),
            _ => None,
        }
    }

    async fn steps(&self, steps: &[Step]) {
        for mount in MOUNTS {
            for step in steps {
                step.run(self.t, self.world, mount).await;
            }
        }
    }

    /// What the reads that may not change answer, on every mount.
    async fn kept(&self) -> BTreeMap<String, Value> {
        let mut answers = BTreeMap::new();
        for mount in MOUNTS {
            for path in &self.plugin.kept {
                let path = format!("{mount}/{path}");
                let answer = self.t.get(&path).await.is(200).data();
                answers.insert(path, answer);
            }
        }
        answers
    }

    /// A newer version may answer more than the older one, and nothing else.
    async fn answers_the_same(&self, before: &BTreeMap<String, Value>) {
        for (path, now) in self.kept().await {
            let then = &before[&path];
            let then = then.as_object().expect("an object before");
            let now = now.as_object().expect("an object after");
            for (key, value) in then {
                assert_eq!(now.get(key), Some(value), "{path}: {key} after the upgrade");
            }
            let more: Vec<&String> = now.keys().filter(|key| !then.contains_key(*key)).collect();
            if !more.is_empty() {
                self.say(&format!("{path} now also has {more:?}"));
            }
        }
    }

    /// Unmounts, unpins and deregisters; no process and no file is left.
    async fn remove(&self) {
        let name = self.plugin.name;
        for mount in MOUNTS {
            self.t.delete(&format!("sys/mounts/{mount}")).await.ok();
        }
        until("unmounting has left no process", || async {
            self.t.plugin_pids().is_empty().then_some(())
        })
        .await;
        until("unmounting has left no file", || async {
            self.t.server().temporary_files().is_empty().then_some(())
        })
        .await;
        self.t
            .delete(&format!("sys/plugins/pins/secret/{name}"))
            .await
            .ok();
        for release in [&self.plugin.old, &self.plugin.new] {
            let entry = format!(
                "sys/plugins/catalog/secret/{name}?version={}",
                release.version
            );
            self.t.delete(&entry).await.ok();
            self.t.get(&entry).await.is(404);
        }
        if let Some(stored) = self.stored().await {
            let left: Vec<&str> = stored
                .keys()
                .into_iter()
                .filter(|key| key.starts_with(ENGINES))
                .collect();
            assert!(left.is_empty(), "unmounting has left {left:?}");
        }
    }

    /// For docs/plugins.md; seen with `--nocapture`.
    fn say(&self, line: &str) {
        eprintln!("{}: {line}", self.plugin.name);
    }
}
