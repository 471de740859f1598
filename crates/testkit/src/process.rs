//! Processes as `/proc` shows them.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

/// One process of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its parent's id.
    pub parent: u32,
    /// The letter of its state: `Z` is a zombie that nobody has waited for.
    pub state: char,
    /// The name of its program, at most 15 characters.
    pub name: String,
}

impl Process {
    /// The process with that id, if there is one, a zombie included.
    pub fn find(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // pid (name) state parent …, where the name may hold spaces and parentheses.
        let (head, tail) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = tail.split_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        Some(Self {
            pid,
            parent,
            state,
            name: name.to_owned(),
        })
    }

    /// Whether a process with that id runs; a zombie does not.
    pub fn runs(pid: u32) -> bool {
        Self::find(pid).is_some_and(|process| process.state != 'Z')
    }

    /// Everything that descends from `ancestor`, zombies included.
    pub fn descendants(ancestor: u32) -> Vec<Self> {
        let all = Self::all();
        let mut found = Vec::new();
        let mut parents = vec![ancestor];
        while let Some(parent) = parents.pop() {
            for process in all.values().filter(|process| process.parent == parent) {
                parents.push(process.pid);
                found.push(process.clone());
            }
        }
        found
    }

    /// Everything whose environment holds `entry`, wherever it has been moved to in the tree of processes.
    pub fn with_environment(entry: &str) -> Vec<Self> {
        let holds = |pid: &u32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|found| found == entry.as_bytes())
        };
        Self::all()
            .into_values()
            .filter(|process| holds(&process.pid))
            .collect()
    }

    fn all() -> BTreeMap<u32, Self> {
        let entries = fs::read_dir("/proc").into_iter().flatten();
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.filter_map(|pid| Some((pid, Self::find(pid)?)))
            .collect()
    }

    /// What its open descriptors refer to, such as `socket:[1234]`.
    pub fn descriptors(pid: u32) -> Vec<PathBuf> {
        let entries = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        entries
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .collect()
    }

    /// CPU time that it has used, its threads included, user and kernel, in milliseconds.
    pub fn cpu_milliseconds(pid: u32) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, tail)| tail.split_whitespace().collect())
            .unwrap_or_default();
        // utime and stime are the 14th and 15th fields of the line, in ticks of 10 ms.
        let ticks = |at: usize| {
            fields
                .get(at)
                .and_then(|field| field.parse::<u64>().ok())
                .unwrap_or_default()
        };
        (ticks(11) + ticks(12)) * 10
    }

    /// Memory that it holds now, in KiB.
    pub fn resident_kib(pid: u32) -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap_or_default()
    }

    /// Ends it at once, if it is still there.
    pub fn kill(pid: u32) {
        signal(pid, Signal::KILL);
    }

    /// Stops it where it is, until it is killed: it goes on holding what it holds, and answers nothing.
    pub fn stop(pid: u32) {
        signal(pid, Signal::STOP);
    }
}

/// Sends a signal; a process that is gone is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _gone_is_fine = kill_process(pid, signal);
    }
}
