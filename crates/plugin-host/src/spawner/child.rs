//! One child process: watched through its pidfd, reaped on every path.

use super::Spawned;
use crate::Error;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, waitid,
};
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// What `/proc/<pid>/stat` counts in; the same for every program on Linux, whatever the kernel uses.
const TICKS_A_SECOND: u64 = 100;

/// How a process ended. Its `Display` is Go's: `exit status 2`, `signal: killed`, with the name of
/// the signal behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// Somebody else has reaped it; how it ended is lost.
    Unknown,
}

impl Exit {
    /// Whether it ended by itself, with status 0.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Status(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signal = match self {
            Self::Status(status) => return write!(f, "exit status {status}"),
            Self::Unknown => return f.write_str("exit status unknown"),
            Self::Signal(signal) => signal,
        };
        let name = match Signal::from_named_raw(*signal) {
            Some(Signal::KILL) => "killed (SIGKILL)",
            Some(Signal::TERM) => "terminated (SIGTERM)",
            Some(Signal::INT) => "interrupt (SIGINT)",
            Some(Signal::QUIT) => "quit (SIGQUIT)",
            Some(Signal::HUP) => "hangup (SIGHUP)",
            Some(Signal::SEGV) => "segmentation fault (SIGSEGV)",
            Some(Signal::ABORT) => "aborted (SIGABRT)",
            Some(Signal::BUS) => "bus error (SIGBUS)",
            Some(Signal::ILL) => "illegal instruction (SIGILL)",
            Some(Signal::FPE) => "floating point exception (SIGFPE)",
            Some(Signal::SYS) => "bad system call (SIGSYS)",
            Some(Signal::PIPE) => "broken pipe (SIGPIPE)",
            Some(Signal::XCPU) => "CPU time limit exceeded (SIGXCPU)",
            Some(Signal::XFSZ) => "file size limit exceeded (SIGXFSZ)",
            _ => return write!(f, "signal {signal}"),
        };
        write!(f, "signal: {name}")
    }
}

/// A running child process. Dropping it kills the process; the task that watches it reaps it.
#[derive(Debug)]
pub struct Child {
    pid: u32,
    pidfd: OwnedFd,
    /// `/proc/<pid>/statm`, open for the whole life of the process.
    memory: Option<File>,
    exit: watch::Receiver<Option<Exit>>,
}

impl Child {
    /// Its process id, which is also the id of its process group. Not reused before the exit was
    /// seen here.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, once it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Whether it runs at this very moment: asks the kernel, so it is never behind.
    ///
    /// The kernel is asked once, for the memory, since every request asks. A process gives its
    /// memory back before its pidfd says that it has ended, and a killed one whose first thread is a
    /// zombie, while others are still being taken down, has none either: everybody can see its end
    /// then, but its pidfd does not say so yet. A process that was reaped has no entry to read.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let lives = || match &self.memory {
            Some(memory) => has_memory(memory),
            None => !has_ended(&self.pidfd),
        };
        self.exit.borrow().is_none() && lives()
    }

    /// Waits for its end. Any number of tasks may wait.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|seen| *seen)
            .unwrap_or(Exit::Unknown)
    }

    /// A receiver of its end, for tasks that outlive this value.
    #[must_use]
    pub fn exit_watch(&self) -> watch::Receiver<Option<Exit>> {
        self.exit.clone()
    }

    /// SIGKILL for it and its process group.
    pub fn kill(&self) {
        if self.exit.borrow().is_none() {
            let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        }
    }

    /// Its resident memory, in bytes; `None` once it has ended.
    #[must_use]
    pub fn memory(&self) -> Option<u64> {
        // Not from `statm`, which counts in pages, whose size the system chooses.
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
        Some(kibibytes.saturating_mul(1_024))
    }

    /// The CPU time it has used; `None` once it has ended.
    #[must_use]
    pub fn cpu(&self) -> Option<Duration> {
        let milliseconds = self.cpu_ticks()?.saturating_mul(1_000) / TICKS_A_SECOND;
        Some(Duration::from_millis(milliseconds))
    }

    /// User and system time it has used, in clock ticks; `None` once it has ended.
    #[must_use]
    pub fn cpu_ticks(&self) -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name in parentheses may hold anything, blanks and parentheses too.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(user + system)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process that nobody watches yet. Dropping it kills and reaps it, on whatever thread.
#[derive(Debug)]
pub(super) struct Raw {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    pipes: Option<(OwnedFd, OwnedFd, OwnedFd)>,
}

impl Raw {
    pub(super) fn of(mut child: std::process::Child) -> Result<Self, Error> {
        let failed = |e: rustix::io::Errno| Error::system("watch a plugin process", e);
        let pid = i32::try_from(child.id())
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| failed(rustix::io::Errno::SRCH))?;
        // The child is not reaped before this, so the number cannot belong to another one.
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Ok(Self {
                pid,
                pidfd: Some(pidfd),
                pipes: None,
            }),
            Err(errno) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(failed(errno))
            }
        }
    }

    pub(super) fn pipes(&mut self, stdout: OwnedFd, stderr: OwnedFd, report: OwnedFd) {
        self.pipes = Some((stdout, stderr, report));
    }

    /// Hands the process to a task that waits for its end and reaps it.
    pub(super) fn watched(mut self, tracker: &TaskTracker) -> Result<Spawned, Error> {
        let failed = |e: std::io::Error| Error::system("watch a plugin process", e);
        let (Some(pidfd), Some((stdout, stderr, report))) = (&self.pidfd, self.pipes.take()) else {
            return Err(failed(std::io::ErrorKind::BrokenPipe.into()));
        };
        let copy = || rustix::io::fcntl_dupfd_cloexec(pidfd, 3).map_err(|e| failed(e.into()));
        let ended = register(copy()?).map_err(failed)?;
        let pidfd = copy()?;
        let memory = File::open(format!("/proc/{}/statm", self.pid)).ok();
        self.pidfd = None; // from here on the task reaps
        let (publish, exit) = watch::channel(None);
        let pid = self.pid;
        tracker.spawn(async move {
            while let Ok(mut ready) = ended.readable().await {
                if has_ended(ended.get_ref()) {
                    break;
                }
                ready.clear_ready();
            }
            publish.send_replace(Some(reap(pid, ended.get_ref().as_fd())));
            reap_group(pid).await;
        });
        Ok(Spawned {
            child: Child {
                pid: pid.as_raw_nonzero().get().unsigned_abs(),
                pidfd,
                memory,
                exit,
            },
            stdout,
            stderr,
            report,
        })
    }
}

#[expect(unsafe_code, reason = "tokio wants a promise about the descriptor")]
fn register(pidfd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is an open descriptor, answers the same number every time, and stays
    // open until the `AsyncFd` that owns it from here on is dropped.
    unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }
        .map_err(|e| e.into_parts().1)
}

/// Whether the process of a `statm` has memory, asked of the kernel.
fn has_memory(memory: &File) -> bool {
    let mut pages = [0_u8; 2];
    match rustix::io::pread(memory, &mut pages, 0) {
        Ok(_) => pages != *b"0 ",
        Err(_) => false,
    }
}

/// Whether the process of a pidfd has ended, asked of the kernel.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(0))
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(pidfd) = self.pidfd.take() {
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            reap(self.pid, pidfd.as_fd());
        }
    }
}

/// Waits for a process that has ended, or was just killed, and ends the rest of its group first:
/// as long as its leader is not reaped, the number of the group cannot belong to another one.
fn reap(pid: Pid, pidfd: std::os::fd::BorrowedFd<'_>) -> Exit {
    let wait = |options| loop {
        match waitid(WaitId::PidFd(pidfd), options) {
            Err(rustix::io::Errno::INTR) => {}
            other => return other,
        }
    };
    let _ = wait(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
    let _ = kill_process_group(pid, Signal::KILL);
    match wait(WaitIdOptions::EXITED) {
        Ok(Some(status)) => match (status.exit_status(), status.terminating_signal()) {
            (Some(status), _) => Exit::Status(status),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Unknown,
        },
        Ok(None) | Err(_) => Exit::Unknown,
    }
}

/// Reaps what the process has left in its group: it was killed with it, and came to us then. The
/// number of a group stays taken for as long as a member, dead or alive, is not reaped.
async fn reap_group(group: Pid) {
    for _ in 0..ORPHAN_ATTEMPTS {
        loop {
            match waitid(
                WaitId::Pgid(Some(group)),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
            ) {
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                Err(_) => return, // no such children: all are reaped, or there were none
            }
        }
        tokio::time::sleep(ORPHAN_PAUSE).await;
    }
}

/// How often and how far apart a killed group is looked at again: four seconds in all. What is not
/// dead then is stuck in the kernel.
const ORPHAN_ATTEMPTS: u32 = 400;
const ORPHAN_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// What `is_alive` relies on: whoever can see the end by the pidfd sees it by the memory.
    #[test]
    fn a_process_that_has_ended_has_no_memory_reaped_or_not() {
        for round in 0..50 {
            let mut child = std::process::Command::new("cat")
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let pid = Pid::from_child(&child);
            let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
            let memory = File::open(format!("/proc/{}/statm", child.id())).unwrap();
            assert!(has_memory(&memory) && !has_ended(&pidfd), "{round}");
            if round % 2 == 0 {
                child.kill().unwrap();
            } else {
                drop(child.stdin.take());
            }
            while !has_ended(&pidfd) {
                std::thread::yield_now();
            }
            assert!(!has_memory(&memory), "{round}: a zombie");
            child.wait().unwrap();
            assert!(!has_memory(&memory), "{round}: reaped");
        }
    }
}
