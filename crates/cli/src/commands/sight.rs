//! `plugin instances`, `plugin status` and `plugin logs`: what runs, what should run, and what plugins have written.

use super::{Entry, FORMAT, HTTP, cell, plugin_type};
use crate::call::Call;
use crate::failure::Failure;
use crate::grammar::{Command, Flag};
use crate::print::{Format, duration};
use crate::session::Ask;
use crate::table::Table;
use crate::tree::Tree;

pub(crate) const ENTRIES: &[Entry] = &[
    Entry {
        command: Command {
            name: "plugin status",
            arguments: "[TYPE] [NAME]",
            synopsis: "Compare what runs with what should run",
            about: "Shows for every mount of a plugin the version it is tuned to, the version that a reload would run (the pin\n\
                    where there is one), and the version that runs. A mount is pending when a reload would change it.",
            examples: &[
                ("Every plugin:", "plugin status"),
                (
                    "One plugin, with digests and totals:",
                    "plugin status -format=json secret my-kv",
                ),
            ],
            flags: &[],
            groups: &[&FORMAT, &HTTP],
        },
        run: status,
    },
    Entry {
        command: Command {
            name: "plugin instances",
            arguments: "",
            synopsis: "Show the instances that run",
            about: "Shows what serves each mount: plugin, version, process, and how it fares.",
            examples: &[
                ("What runs now:", "plugin instances"),
                (
                    "With digest, containment and the last error:",
                    "plugin instances -detailed",
                ),
            ],
            flags: &[Flag::switch(
                "detailed",
                "Show digest, containment and the last error too.",
            )],
            groups: &[&FORMAT, &HTTP],
        },
        run: instances,
    },
    Entry {
        command: Command {
            name: "plugin logs",
            arguments: "TYPE NAME",
            synopsis: "Show what a plugin has logged",
            about: "Shows the last lines that the plugin's processes have written to their log, oldest first.",
            examples: &[
                ("The last 100 lines:", "plugin logs secret my-kv"),
                (
                    "Of one version alone:",
                    "plugin logs -version=1.1.0 -n=500 secret my-kv",
                ),
            ],
            flags: &[
                Flag::value("version", "VERSION", "Only lines of this version."),
                Flag::value(
                    "n",
                    "NUMBER",
                    "How many lines, at most 1000. The default is 100.",
                ),
            ],
            groups: &[&FORMAT, &HTTP],
        },
        run: logs,
    },
];

fn status(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let (kind, name) = (
        call.typed.argument(0).to_owned(),
        call.typed.argument(1).to_owned(),
    );
    if !kind.is_empty() {
        plugin_type(&kind)?;
    }
    let answer = call
        .ask(&Ask::get("sys/plugins/status"))
        .map_err(|error| error.during("Error reading the status of plugins"))?;
    call.warn(&answer.warnings());
    let plugins: Vec<Tree> = answer
        .data()
        .get("plugins")
        .elements()
        .iter()
        .filter(|plugin| kind.is_empty() || plugin.get("type").text() == kind)
        .filter(|plugin| name.is_empty() || plugin.get("name").text() == name)
        .cloned()
        .collect();
    if plugins.is_empty() && !name.is_empty() {
        return Err(Failure::refused(format!("No {kind} plugin named {name}")));
    }
    let table = status_table(&plugins);
    let mut whole = vec![("plugins", Tree::List(plugins))];
    if let Some(node) = answer.data().find("node") {
        whole.push(("node", node.clone()));
    }
    call.show(&table, &Tree::map(whole))
}

fn status_table(plugins: &[Tree]) -> Table {
    let mut table = Table::new([
        "Name",
        "Type",
        "Pinned",
        "Mount",
        "Configured",
        "Desired",
        "Running",
        "State",
        "Pending",
    ]);
    for plugin in plugins {
        let of_plugin = ["name", "type", "pinned_version"].map(|name| cell(plugin, name));
        let of_mount = |mount: &Tree| {
            [
                "mount",
                "configured_version",
                "desired_version",
                "running_version",
                "state",
                "pending",
            ]
            .map(|name| cell(mount, name))
        };
        let mounts = plugin.get("mounts").elements();
        if mounts.is_empty() {
            let mut row = of_plugin.to_vec();
            row.extend(of_mount(&Tree::Null));
            table.row(row);
        }
        for mount in mounts {
            let mut row = of_plugin.to_vec();
            row.extend(of_mount(mount));
            table.row(row);
        }
    }
    table
}

fn instances(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let answer = call
        .ask(&Ask::get("sys/plugins/instances"))
        .map_err(|error| error.during("Error listing plugin instances"))?;
    call.warn(&answer.warnings());
    let table = instances_table(answer.data().get("instances"), call.typed.on("detailed"));
    call.show(&table, answer.data())
}

fn instances_table(instances: &Tree, is_detailed: bool) -> Table {
    let mut headings = vec![
        "Mount", "Type", "Name", "Version", "State", "PID", "Uptime", "Restarts", "Memory",
    ];
    if is_detailed {
        headings.extend([
            "Generation",
            "SHA256",
            "Multiplexed",
            "Verified",
            "Containment",
            "Handshake",
            "Cause",
            "Last Error",
        ]);
    }
    let mut table = Table::new(headings);
    for instance in instances.elements() {
        let of = |name: &str| cell(instance, name);
        let memory = instance.get("memory_bytes").number();
        let mut row = vec![
            of("mount"),
            of("type"),
            of("name"),
            of("version"),
            of("state"),
            of("pid"),
            instance
                .find("uptime_seconds")
                .map_or_else(String::new, duration),
            of("restarts"),
            memory.map_or_else(String::new, |bytes| format!("{} MiB", bytes >> 20)),
        ];
        if is_detailed {
            let handshake = instance.get("handshake_ms").number();
            row.extend([
                of("generation"),
                of("sha256"),
                of("multiplexed"),
                of("verified"),
                of("containment"),
                handshake.map_or_else(String::new, |ms| format!("{ms} ms")),
                on_one_line(&of("cause")),
                on_one_line(&of("last_error")),
            ]);
        }
        table.row(row);
    }
    table
}

fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn logs(call: &mut Call<'_, '_>) -> Result<(), Failure> {
    let kind = plugin_type(call.typed.argument(0))?.to_owned();
    let name = call.typed.argument(1).to_owned();
    let limit = call.typed.value("n").unwrap_or("100").to_owned();
    if limit.parse::<u32>().is_err() {
        return Err(Failure::usage(format!(
            "-n must be a number, found {limit:?}"
        )));
    }
    let mut ask = Ask::get(&format!("sys/plugins/logs/{kind}/{name}")).with("limit", limit);
    if let Some(version) = call.typed.value("version") {
        ask = ask.with("version", version);
    }
    let answer = match call.ask(&ask) {
        Ok(answer) => answer,
        Err(error)
            if error.status() == Some(404) && error.body().get("errors").elements().is_empty() =>
        {
            return Err(Failure::refused(format!(
                "No {kind} plugin named {name} is registered or has logged anything"
            )));
        }
        Err(error) => return Err(error.during(format!("Error reading the log of plugin {name}"))),
    };
    call.warn(&answer.warnings());
    if call.format != Format::Table {
        return call.show(&Table::of_values(), answer.data());
    }
    for line in answer.data().get("lines").elements() {
        call.say(log_line(line))?;
    }
    Ok(())
}

/// One line as plugins' own logs look: time, level, message, and the rest as pairs.
fn log_line(line: &Tree) -> String {
    let level = format!("[{}]", line.get("level").text().to_uppercase());
    let mut text = format!(
        "{} {level:7} {}",
        line.get("time").text(),
        line.get("message").text().trim_end()
    );
    let mut pairs: Vec<(String, String)> = line
        .get("fields")
        .members()
        .iter()
        .map(|(name, value)| (name.clone(), value.plain()))
        .collect();
    for name in ["version", "pid"] {
        let value = cell(line, name);
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
    }
    for (i, (name, value)) in pairs.iter().enumerate() {
        text += if i == 0 { ": " } else { " " };
        if value.contains(|c: char| c.is_whitespace() || c == '"') {
            text += &format!("{name}={value:?}");
        } else {
            text += &format!("{name}={value}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Tree {
        Tree::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn status_has_a_row_for_each_mount_and_for_a_plugin_without_one() {
        let plugins = tree(
            r#"[{"type":"secret","name":"tp","pinned_version":"v1.1.0","versions":["v1.0.0","v1.1.0"],"mounts":[
            {"mount":"a/","configured_version":"v1.0.0","desired_version":"v1.1.0","running_version":"v1.0.0",
             "state":"running","pending":true}]},
            {"type":"secret","name":"zz","pinned_version":"","versions":["v1.0.0"],"mounts":[]}]"#,
        );
        let expected = "\
Name    Type      Pinned    Mount    Configured    Desired    Running    State      Pending
----    ----      ------    -----    ----------    -------    -------    -----      -------
tp      secret    v1.1.0    a/       v1.0.0        v1.1.0     v1.0.0     running    true
zz      secret    n/a       n/a      n/a           n/a        n/a        n/a        n/a
";
        assert_eq!(status_table(plugins.elements()).print(), expected);
    }

    #[test]
    fn instances_show_their_process() {
        let instances = tree(
            r#"[{"mount":"a/","namespace":"","type":"secret","name":"tp","version":"v1.1.0","sha256":"abc","generation":3,
            "state":"running","cause":"","pid":123,"started":"2026-11-24T15:00:00Z","uptime_seconds":3661,"restarts":0,
            "last_error":"","multiplexed":true,"verified":"at execution","containment":"none","handshake_ms":24,
            "memory_bytes":20971520,"cpu_seconds":0.1,"node":"n"}]"#,
        );
        let expected = "\
Mount    Type      Name    Version    State      PID    Uptime    Restarts    Memory
-----    ----      ----    -------    -----      ---    ------    --------    ------
a/       secret    tp      v1.1.0     running    123    1h1m1s    0           20 MiB
";
        assert_eq!(instances_table(&instances, false).print(), expected);
        let detailed = instances_table(&instances, true).print();
        assert!(detailed.contains("at execution"), "{detailed}");
        assert!(detailed.contains("24 ms"), "{detailed}");
    }

    #[test]
    fn a_log_line_reads_like_the_plugins_own() {
        let line = tree(
            r#"{"time":"2026-11-24T15:00:00.000001Z","level":"warn","message":"slow","fields":{"took":"3 s","path":"x"},
            "version":"v1.1.0","pid":7}"#,
        );
        assert_eq!(
            log_line(&line),
            "2026-11-24T15:00:00.000001Z [WARN]  slow: path=x took=\"3 s\" version=v1.1.0 pid=7"
        );
    }
}
