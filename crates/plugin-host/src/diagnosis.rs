//! What to do about a plugin process that ended before it served, told from what was seen of it.
//!
//! Pure. The error names the file and the cause in any case and shows the plugin's last words; what
//! is added here is the step from there to a cure, for the causes that operators meet: libraries,
//! the wrong kind of plugin, an SDK that is too old, containment, memory.

use crate::spawner::Exit;
use linchpin_goplugin::{HandshakeError, names};
use linchpin_model::Execution;

/// The longest part of a plugin's own words that advice repeats, in characters.
const QUOTED: usize = 120;

/// What was seen of a process that ended, or closed its stdout, before its handshake line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// How it ended; `None` = it still runs.
    pub(crate) exit: Option<Exit>,
    /// Its last lines on stderr.
    pub(crate) stderr: &'a [String],
    /// How it was executed.
    pub(crate) execution: Execution,
    /// Whether it begins with `#!`.
    pub(crate) script: bool,
    /// Whether it may write to a few places only.
    pub(crate) confined: bool,
}

impl Seen<'_> {
    /// What to do about it, if there is something to be said.
    pub(crate) fn advice(&self) -> Option<String> {
        self.of_its_words().or_else(|| self.of_its_end())
    }

    /// What it said itself knows more than how it ended.
    fn of_its_words(&self) -> Option<String> {
        let says = |part: &str| self.stderr.iter().any(|line| line.contains(part));
        if says("error parsing wrapping token") {
            return Some(too_old());
        }
        if let Some(library) = self.missing_library() {
            let beside = match self.execution {
                Execution::Path => "",
                _ => {
                    "; if the library lies beside the plugin, register it with execution=path, for \
                     a plugin that runs from memory has no $ORIGIN"
                }
            };
            return Some(format!(
                "the library {library} cannot be loaded: install it, or use a plugin that is linked \
                 statically (Go: CGO_ENABLED=0){beside}"
            ));
        }
        if let Some(version) = self.missing_version() {
            return Some(format!(
                "it was built against newer libraries than this system has (it wants {version}): \
                 build it on a system as old as this one, or statically (Go: CGO_ENABLED=0)"
            ));
        }
        if says("symbol lookup error: ") || says("Error relocating ") {
            return Some(
                "a library of this system is of another version than the one that it was built \
                 with: rebuild it for this system, or statically (Go: CGO_ENABLED=0)"
                    .to_owned(),
            );
        }
        if says("This binary is a plugin") {
            return Some(
                "it is a plugin of another kind, for it does not know the cookie of secrets engines \
                 and auth methods: a database plugin is registered under the type database, and \
                 plugins of other programs do not run here"
                    .to_owned(),
            );
        }
        if says("flag provided but not defined") {
            return Some("it does not know one of the args that are registered for it".to_owned());
        }
        let refused = |line: &String| {
            let line = line.to_ascii_lowercase();
            line.contains("permission denied") || line.contains("eacces")
        };
        if self.confined && self.stderr.iter().any(refused) {
            return Some(
                "a plugin may write only to its private directory (TMPDIR) and to /dev: what else \
                 it needs is listed as writable in its plugin block of the configuration file"
                    .to_owned(),
            );
        }
        None
    }

    /// The library that its loader did not find: the words of glibc's and of musl's.
    fn missing_library(&self) -> Option<String> {
        let marks = [
            "error while loading shared libraries: ",
            "Error loading shared library ",
        ];
        let after = |line: &'_ String| {
            let rest = marks.iter().find_map(|mark| line.split_once(mark))?.1;
            let name = rest.split_once(':').map_or(rest, |(name, _)| name);
            Some(cut(name))
        };
        self.stderr.iter().find_map(after)
    }

    /// For example `GLIBC_2.38`, as glibc's loader writes it.
    fn missing_version(&self) -> Option<String> {
        self.stderr.iter().find_map(|line| {
            let (_, rest) = line.split_once("version `")?;
            let (version, rest) = rest.split_once('\'')?;
            rest.trim_start()
                .starts_with("not found")
                .then(|| cut(version))
        })
    }

    fn of_its_end(&self) -> Option<String> {
        match self.exit? {
            Exit::Status(0) if self.stderr.is_empty() => Some(
                "a plugin serves until it is told to stop: this is another program, or its main does \
                 not reach the SDK's Serve"
                    .to_owned(),
            ),
            Exit::Status(0) => Some(
                "a Go plugin that cannot open its socket or set up TLS ends like this: its last \
                 output says why"
                    .to_owned(),
            ),
            Exit::Status(126 | 127) if self.script => Some(
                "a shell ends like this when it cannot find or execute a command of the script"
                    .to_owned(),
            ),
            Exit::Status(_) | Exit::Unknown => None,
            Exit::Signal(number) => of_signal(number).map(str::to_owned),
        }
    }
}

/// What a signal means that ended a process which nobody here has ended.
pub(crate) fn of_signal(number: i32) -> Option<&'static str> {
    use rustix::process::Signal;
    let text = match Signal::from_named_raw(number)? {
        Signal::KILL => {
            "it was killed from outside: look for the out-of-memory killer in the kernel's log and at \
             the memory limit of the server's service or container, then for security software"
        }
        Signal::SYS => {
            "a system call that it makes is forbidden to it: look at the seccomp filter of the \
             server's service or container"
        }
        Signal::ILL => {
            "it was built for a newer processor than this one (Go: lower GOAMD64), or the file is \
             damaged"
        }
        Signal::SEGV | Signal::ABORT | Signal::BUS | Signal::FPE => {
            "it crashed: a fault of the plugin, or of the file"
        }
        Signal::TERM | Signal::INT | Signal::HUP | Signal::QUIT => "somebody told it to end",
        Signal::XCPU | Signal::XFSZ => {
            "it went over a resource limit (ulimit) of the server's service or container"
        }
        _ => return None,
    };
    Some(text)
}

/// What to do about a line that is no handshake which this server takes.
pub(crate) fn of_handshake(fault: &HandshakeError, exit: Option<Exit>) -> Option<String> {
    match fault {
        HandshakeError::AppVersion { found, .. } => match found.parse::<u32>() {
            Ok(version) if version < names::BACKEND_VERSION => Some(too_old()),
            _ => Some(format!(
                "the plugin offers no protocol {}: is it one of secrets engines and auth methods, \
                 and not of a newer server?",
                names::BACKEND_VERSION
            )),
        },
        HandshakeError::NetRpc | HandshakeError::NoCertificate => Some(format!(
            "rebuild the plugin with a current SDK, whose ServeMultiplex speaks gRPC over TLS and \
             plugin protocol {}",
            names::BACKEND_VERSION
        )),
        HandshakeError::Unrecognized { .. } => Some(match exit {
            Some(exit) => format!("the program ended ({exit}): it is not a plugin"),
            None => "the first line on stdout has to be the handshake: what a plugin logs belongs \
                     on stderr"
                .to_owned(),
        }),
        _ => None,
    }
}

fn too_old() -> String {
    format!(
        "the plugin was built with a Vault SDK that is too old: rebuild it with v0.6.0 or newer, \
         which speaks plugin protocol {}, and with go-plugin v1.4.5 or newer, without which it mounts \
         and then reaches no storage",
        names::BACKEND_VERSION
    )
}

fn cut(text: &str) -> String {
    text.trim().chars().take(QUOTED).collect()
}

#[cfg(test)]
mod tests;
