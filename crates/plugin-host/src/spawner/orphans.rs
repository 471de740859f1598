//! Ends what a plugin has started and left: children that moved to a group of their own, so that
//! they did not end with it.
//!
//! As the subreaper this process becomes their parent. They are told from its other children by
//! the variable that names the private directory of the plugin they came from.

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// How often the list of children is read again: each round ends one generation of orphans, and
/// their own children come to us by that.
const ROUNDS: usize = 8;

/// Kills and reaps every child of this process that carries the private directory in its
/// environment. Call it when the plugin itself has ended; blocks for a moment.
pub(crate) fn end(private: &Path) {
    let marker = marker(private);
    for _ in 0..ROUNDS {
        let orphans: Vec<Pid> = children()
            .into_iter()
            .filter(|pid| carries(*pid, &marker))
            .collect();
        if orphans.is_empty() {
            return;
        }
        for pid in orphans {
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            tracing::info!(pid = %pid, "ending a process that a plugin left behind");
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        }
    }
}

/// Kills every process that carries the private directory in its environment, whoever its parent is:
/// what the plugins of a server have left that was itself killed. Blocks for a moment.
pub(crate) fn end_anywhere(private: &Path) {
    let marker = marker(private);
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    let numbers = processes.flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        Pid::from_raw(number)
    });
    for pid in numbers.filter(|pid| *pid != rustix::process::getpid()) {
        // Opened before it is looked at: the number may be another process's a moment later.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        if carries(pid, &marker) {
            tracing::info!(pid = %pid, "ending a process that a plugin of a killed server left behind");
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        }
    }
}

fn marker(private: &Path) -> Vec<u8> {
    let mut marker = b"\0PLUGIN_UNIX_SOCKET_DIR=".to_vec();
    marker.extend_from_slice(private.as_os_str().as_bytes());
    marker.push(0);
    marker
}

/// Every child of every thread of this process. Empty where the kernel does not list them.
fn children() -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok())
        .flat_map(|list| {
            let numbers = list.split_whitespace().filter_map(|n| n.parse().ok());
            numbers.filter_map(Pid::from_raw).collect::<Vec<_>>()
        })
        .collect()
}

fn carries(pid: Pid, marker: &[u8]) -> bool {
    let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let mut all = vec![0];
    all.extend(environment);
    all.windows(marker.len()).any(|part| part == marker)
}
