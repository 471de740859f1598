//! The launcher: the second stage between the server's fork and the plugin's code.
//!
//! The spawner starts the server's own executable again, as `linchpin plugin-exec …`. That short
//! life restricts itself (parent-death signal, no new privileges, no core dumps, descriptors,
//! Landlock) and then becomes the plugin. Nothing of this could be done between fork and exec of a
//! threaded server, where only async-signal-safe code may run.
//!
//! What it applied, or why it failed, goes to the server as one line on a pipe that closes by
//! itself when the plugin's code begins. Errors of `exec` therefore have a name, not just a
//! status.

mod plan;
mod restrict;

pub(crate) use plan::Plan;
pub use restrict::Containment;

use crate::Error;
use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The sub-command. Internal: no help mentions it, its arguments may change with every release.
pub(crate) const SUBCOMMAND: &str = "plugin-exec";

/// What `plugin-exec` exits with when it could not become the plugin.
const EXIT_NOT_STARTED: i32 = 127;

/// Becomes a plugin process if this process was started as `… plugin-exec …`; then it does not
/// return. The binary calls this before anything else, above all before it starts a thread.
pub fn main_if_requested() {
    let mut arguments = std::env::args_os();
    if arguments.nth(1).is_none_or(|word| word != SUBCOMMAND) {
        return;
    }
    let plan = Plan::parse(arguments);
    let report = match plan {
        Ok(plan) => become_plugin(&plan),
        // There is nobody to tell but whoever typed this by hand.
        Err(reason) => format!("{SUBCOMMAND}: {reason}"),
    };
    let _ = writeln!(std::io::stderr(), "{report}");
    std::process::exit(EXIT_NOT_STARTED);
}

/// The executable that runs [`main_if_requested`], opened once at start so that a package upgrade
/// under a running server changes nothing.
#[derive(Debug)]
pub struct Launcher {
    executable: OwnedFd,
}

impl Launcher {
    /// The server's own executable.
    ///
    /// # Errors
    /// When `/proc` is not mounted.
    pub fn of_this_executable() -> Result<Self, Error> {
        Self::open(Path::new("/proc/self/exe"))
    }

    /// Another executable whose `main` begins with [`main_if_requested`]; tests need this.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        File::open(path)
            .map(|file| Self {
                executable: file.into(),
            })
            .map_err(|e| Error::system("open the launcher's executable", e))
    }

    /// A path that names it in every child of this process.
    pub(crate) fn path(&self) -> PathBuf {
        descriptor_path(self.executable.as_fd())
    }
}

/// Applies the plan and executes. Returns only when that failed, with what to say on stderr.
fn become_plugin(plan: &Plan) -> String {
    let applied = match restrict::apply(plan) {
        Ok(applied) => applied,
        Err(reason) => return give_up(plan, &reason),
    };
    report(plan, &format!("applied {applied}\n"));
    let errno = execute(plan);
    give_up(plan, &errno)
}

fn give_up(plan: &Plan, reason: &str) -> String {
    report(plan, &format!("failed {reason}\n"));
    format!("{SUBCOMMAND}: {}: {reason}", plan.argv0.display())
}

/// Tells the server. When it is gone, so is the reason to tell.
fn report(plan: &Plan, line: &str) {
    let _ = rustix::io::write(restrict::borrow(plan.status), line.as_bytes());
}

/// The errno of the failed `execve`, as text.
fn execute(plan: &Plan) -> String {
    let path = match plan.artefact {
        Some(fd) => named_link(plan, restrict::borrow(fd)),
        None => plan.file.clone(),
    };
    let arguments = std::iter::once(&plan.argv0).chain(&plan.args);
    let variables = std::env::vars_os().map(|(name, value)| {
        let mut word = name;
        word.push("=");
        word.push(value);
        word
    });
    let strings = |words: Vec<OsString>| -> Result<Vec<CString>, String> {
        let word = |w: OsString| CString::new(w.as_bytes()).map_err(|e| e.to_string());
        words.into_iter().map(word).collect()
    };
    let prepared = strings(vec![path.into_os_string()])
        .and_then(|path| Ok((path, strings(arguments.cloned().collect())?)))
        .and_then(|(path, args)| Ok((path, args, strings(variables.collect())?)));
    match prepared {
        Ok((path, arguments, variables)) => match path.first() {
            Some(path) => execve(path, &arguments, &variables),
            None => "no path".to_owned(),
        },
        Err(reason) => reason,
    }
}

/// A name for the descriptor, below the private directory: the kernel takes a process's short name
/// from the path that was executed, and `/proc/self/fd/9` would make it `9`. In a folder of its own,
/// since the directory also holds sockets, and a plugin's file may be called like one.
fn named_link(plan: &Plan, fd: BorrowedFd<'_>) -> PathBuf {
    let target = descriptor_path(fd);
    let name = Path::new(&plan.argv0).file_name().unwrap_or_default();
    let folder = plan.private.join("exe");
    let link = folder.join(name);
    match std::fs::create_dir(&folder).and_then(|()| symlink(&target, &link)) {
        Ok(()) => link,
        Err(_) => target,
    }
}

fn descriptor_path(fd: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", fd.as_raw_fd()).into()
}

/// `execve(2)` and nothing else: the standard library's `exec` searches `PATH` and hands a file
/// that the kernel refuses to a shell, which must not happen to a plugin.
#[expect(unsafe_code, reason = "there is no safe execve")]
fn execve(path: &CString, arguments: &[CString], variables: &[CString]) -> String {
    use std::ffi::{c_char, c_int};
    const SIGPIPE: c_int = 13;
    const SIG_DFL: usize = 0;
    // SAFETY: these are the C library's functions with the types that POSIX gives them.
    unsafe extern "C" {
        fn execve(
            path: *const c_char,
            arguments: *const *const c_char,
            variables: *const *const c_char,
        ) -> c_int;
        fn signal(number: c_int, handler: usize) -> usize;
    }
    let pointers = |words: &[CString]| -> Vec<*const c_char> {
        let end = std::iter::once(std::ptr::null());
        words.iter().map(|word| word.as_ptr()).chain(end).collect()
    };
    let (arguments, variables) = (pointers(arguments), pointers(variables));
    // SAFETY: no other thread exists, and SIG_DFL is a valid disposition. The Rust runtime has set
    // this signal to be ignored, which `exec` would hand on to the plugin.
    unsafe {
        signal(SIGPIPE, SIG_DFL);
    }
    // SAFETY: all pointers are to NUL-terminated strings that live until the call returns, both
    // lists end with a null pointer.
    unsafe {
        execve(path.as_ptr(), arguments.as_ptr(), variables.as_ptr());
    }
    explain(&std::io::Error::last_os_error(), path)
}

/// What the errno of `execve` means for a file that was opened, hashed and found executable.
fn explain(error: &std::io::Error, path: &CString) -> String {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOENT) => {
            "no such file or directory: its interpreter or loader is missing".to_owned()
        }
        Some(Errno::NOEXEC) => {
            "exec format error: it is no executable of this system or architecture".to_owned()
        }
        Some(Errno::ACCESS) => {
            "permission denied: it or its interpreter is not executable, or its file system is \
             mounted noexec"
                .to_owned()
        }
        Some(Errno::TXTBSY) => "text file busy: it is open for writing".to_owned(),
        _ => format!("{error} (executing {})", path.to_string_lossy()),
    }
}
