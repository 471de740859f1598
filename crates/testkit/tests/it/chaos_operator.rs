//! Carries the scripts of chaos out: what operators do must come out as the script says, unless a process of that plugin ended meanwhile;
//! then it is done again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use linchpin_testkit::chaos::{Action, Blow, Script, Selection, Step, Version, Violence};
use linchpin_testkit::client::{Client, Method, Reply, Request};
use linchpin_testkit::{Process, until};
use serde_json::{Value, json};

use crate::chaos::World;
use crate::chaos_fleet::MOUNTS;
use crate::chaos_verdict::Blown;

/// How often a step is done again that ends of processes have spoiled.
const ATTEMPTS: usize = 20;

/// Plays the script of one plugin until the end of the chaos; returns it as far as it has come.
pub(crate) async fn operate(world: Arc<World>, plugin: usize, mut script: Script) -> Script {
    let client = world.t.server().client();
    loop {
        let before = script.clone();
        let Some(step) = script.next() else {
            return before;
        };
        if world.is_over_within(step.pause).await {
            return before;
        }
        carry_out(&world, &client, plugin, &step).await;
    }
}

/// Brings a plugin to rest: all of its mounts in one generation of an entry with this note.
pub(crate) async fn close(world: &World, plugin: usize, script: &Script, note: u64) {
    let client = world.t.server().client();
    for action in script.closing(note) {
        let runs = match &action {
            Action::Reload(_) => (0..MOUNTS).map(|mount| (mount, Version::New)).collect(),
            _ => std::collections::BTreeMap::new(),
        };
        let step = Step {
            pause: Duration::ZERO,
            action,
            succeeds: true,
            runs,
        };
        carry_out(world, &client, plugin, &step).await;
    }
}

async fn carry_out(world: &World, client: &Client, plugin: usize, step: &Step) {
    let name = world.plugin(plugin).name;
    for _ in 0..ATTEMPTS {
        let begin = Instant::now();
        let outcome = act(world, client, plugin, &step.action).await;
        let took = begin.elapsed();
        let as_promised = match &outcome {
            Ok(reply) if step.succeeds => reply.is_success(),
            Ok(reply) => (400..500).contains(&reply.status()),
            Err(_) => false,
        };
        let answer = match &outcome {
            Ok(reply) => format!("{} {}", reply.status(), reply.errors().join("; ")),
            Err(text) => text.clone(),
        };
        world.note(format!(
            "{name}: {:?} → {} in {} ms",
            step.action,
            answer.trim_end(),
            took.as_millis()
        ));
        if as_promised {
            world.count_step(&step.action);
            if step.succeeds {
                check_versions(world, client, plugin, step).await;
            }
            return;
        }
        if outcome.is_err() || !world.was_blown(plugin, begin, Instant::now()) {
            let promise = if step.succeeds { "done" } else { "refused" };
            return world.wrong(format!(
                "{name}: {:?} must be {promise}, and was answered {answer}",
                step.action
            ));
        }
    }
    world.wrong(format!(
        "{name}: {:?} did not succeed {ATTEMPTS} times",
        step.action
    ));
}

/// What a reload that succeeded has moved runs what it was moved to.
async fn check_versions(world: &World, client: &Client, plugin: usize, step: &Step) {
    for (mount, version) in &step.runs {
        let mount = world.plugin(plugin).mount(*mount);
        let reply = client.get(&format!("sys/mounts/{mount}")).await;
        let running = reply.map(|reply| reply.at("/data/running_plugin_version"));
        if !matches!(&running, Ok(Value::String(running)) if running == version.text()) {
            world.wrong(format!(
                "{mount} runs {running:?} after {:?}, not {version:?}",
                step.action
            ));
        }
    }
}

async fn act(
    world: &World,
    client: &Client,
    plugin: usize,
    action: &Action,
) -> Result<Reply, String> {
    let plugin = world.plugin(plugin);
    let name = plugin.name;
    let post = |path: String, body: Value| Request::new(Method::POST, &path).json(&body);
    let delete = |path: String| Request::new(Method::DELETE, &path);
    let request = match action {
        Action::Register { version, note } => post(
            format!("sys/plugins/catalog/secret/{name}"),
            plugin.entry(&world.t, *version, *note),
        ),
        Action::Deregister { version } => delete(format!(
            "sys/plugins/catalog/secret/{name}?version={}",
            version.text()
        )),
        Action::Pin { version } => post(
            format!("sys/plugins/pins/secret/{name}"),
            json!({"version": version.text()}),
        ),
        Action::Unpin => delete(format!("sys/plugins/pins/secret/{name}")),
        Action::Tune { mount, version } => post(
            format!("sys/mounts/{}/tune", plugin.mount(*mount)),
            json!({"plugin_version": version.text()}),
        ),
        Action::Reload(Selection::Name) => post(
            "sys/plugins/reload/backend".to_owned(),
            json!({"plugin": name}),
        ),
        Action::Reload(Selection::Type) => {
            post(format!("sys/plugins/reload/secret/{name}"), json!({}))
        }
        Action::Reload(Selection::Mounts(some)) => {
            let mounts: Vec<String> = some.iter().map(|mount| plugin.mount(*mount)).collect();
            post(
                "sys/plugins/reload/backend".to_owned(),
                json!({"mounts": mounts}),
            )
        }
        Action::Mount => post(
            format!("sys/mounts/{}", plugin.mount(MOUNTS)),
            json!({"type": name}),
        ),
        Action::Unmount => delete(format!("sys/mounts/{}", plugin.mount(MOUNTS))),
    };
    // A reload may have to wait for a stopped process to be found.
    let request = request.within(Duration::from_secs(150));
    client
        .send(request)
        .await
        .map_err(|error| error.to_string())
}

/// Deals the blows until the end of the chaos, and then waits until every process that was hit is gone.
pub(crate) async fn rage(world: Arc<World>, violence: Violence) {
    let mut victims = tokio::task::JoinSet::new();
    for blow in violence {
        if world.is_over_within(blow.pause).await {
            break;
        }
        let Some((number, process)) = strike(&world, blow) else {
            continue;
        };
        let world = Arc::clone(&world);
        victims.spawn(async move {
            until("a process that was hit is gone", || async {
                let looked = Instant::now();
                if !is_there(&process) {
                    return Some(());
                }
                world.blows.lock().unwrap()[number].there = looked;
                None
            })
            .await;
            world.blows.lock().unwrap()[number].gone = Some(Instant::now());
        });
    }
    while let Some(victim) = victims.join_next().await {
        if let Err(error) = victim {
            world.wrong(format!("a process that was hit does not end: {error}"));
        }
    }
}

fn is_there(process: &Process) -> bool {
    Process::find(process.pid).is_some_and(|now| now.state != 'Z' && now.name == process.name)
}

/// Hits, and says which blow it was and whom it hit.
fn strike(world: &World, blow: Blow) -> Option<(usize, Process)> {
    let plugin = world.plugin(blow.plugin);
    let mut processes = Process::descendants(world.t.server().pid());
    processes.retain(|process| process.state != 'Z' && plugin.owns(&process.name));
    processes.sort_by_key(|process| process.pid);
    if processes.is_empty() {
        return None;
    }
    let process = processes.swap_remove(blow.pick % processes.len());
    let number = {
        let mut blows = world.blows.lock().unwrap();
        let at = Instant::now();
        blows.push(Blown {
            plugin: blow.plugin,
            pid: process.pid,
            stopped: blow.stops,
            at,
            there: at,
            gone: None,
        });
        blows.len() - 1
    };
    if blow.stops {
        Process::stop(process.pid);
    } else {
        Process::kill(process.pid);
    }
    let how = if blow.stops { "stopped" } else { "killed" };
    world.note(format!("{}: {} {how}", process.name, process.pid));
    Some((number, process))
}
