//! The spawner: the one thread that forks.
//!
//! It lives as long as the server, because the parent-death signal that protects us from orphaned
//! plugins fires when the *thread* that forked ends. Forked on a thread of the blocking pool, a
//! plugin is killed ten idle seconds later (measured; the feature `fault-injection` brings that
//! mistake back so that a test can go red).
//!
//! It is also the only place where descriptors become inheritable, for the moment of one fork.

mod child;
pub(crate) mod orphans;

pub use child::{Child, Exit};

use crate::Error;
use crate::artefact::Artefact;
use crate::environment::Variables;
use crate::launch::{Containment, Launcher, Plan};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

/// Starts that wait for their fork. A fork takes a millisecond; whoever comes when so many wait
/// waits for a place.
const WAITING_STARTS: usize = 64;

/// What is started.
#[derive(Debug)]
pub struct SpawnRequest {
    /// The executable.
    pub artefact: Arc<Artefact>,
    /// Exactly the registered arguments.
    pub args: Vec<String>,
    /// The whole environment.
    pub variables: Variables,
    /// The private directory of the process; exists, mode 0700.
    pub private: PathBuf,
    /// What else it may write below.
    pub writable: Vec<PathBuf>,
    /// How much it is restricted.
    pub containment: Containment,
}

/// A process that was forked, with its pipes.
#[derive(Debug)]
pub struct Spawned {
    /// The process, watched and reaped.
    pub child: Child,
    /// Its stdout.
    pub stdout: OwnedFd,
    /// Its stderr.
    pub stderr: OwnedFd,
    /// The launcher's report; ends when the plugin's code begins, or with the process.
    pub report: OwnedFd,
}

/// The handle to the spawner thread. The thread ends when the last handle is dropped.
#[derive(Debug, Clone)]
pub struct Spawner {
    starts: mpsc::Sender<Start>,
    launcher: Arc<Launcher>,
    tracker: TaskTracker,
    #[cfg(feature = "fault-injection")]
    forks_on_the_blocking_pool: bool,
}

type Start = (SpawnRequest, oneshot::Sender<Result<child::Raw, Error>>);

impl Spawner {
    /// Starts the thread and makes this process the reaper of its plugins' orphans. `tracker` owns
    /// the tasks that wait for the processes; it is awaited at shutdown.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(launcher: Launcher, tracker: TaskTracker) -> Result<Self, Error> {
        // A plugin's own children come to us when it dies, so that they can be ended too.
        let me = rustix::process::getpid();
        if let Err(error) = rustix::process::set_child_subreaper(Some(me)) {
            tracing::warn!(%error, "cannot become the reaper of orphaned plugin children");
        }
        let launcher = Arc::new(launcher);
        let (starts, queue) = mpsc::channel::<Start>(WAITING_STARTS);
        let its_launcher = Arc::clone(&launcher);
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || serve(queue, &its_launcher))
            .map_err(|e| Error::system("start the spawner thread", e))?;
        Ok(Self {
            starts,
            launcher,
            tracker,
            #[cfg(feature = "fault-injection")]
            forks_on_the_blocking_pool: false,
        })
    }

    /// The mutant: every fork happens on a thread that ends when it has been idle for a while.
    #[cfg(feature = "fault-injection")]
    #[must_use]
    pub fn forking_on_the_blocking_pool(mut self) -> Self {
        self.forks_on_the_blocking_pool = true;
        self
    }

    /// Forks. The process is reaped whatever happens, and killed when the result is dropped.
    ///
    /// # Cancel safety
    /// A future dropped before the reply leaves nothing: the process is killed and reaped.
    ///
    /// # Errors
    /// [`Error::System`] when the fork fails, [`Error::Stopping`] when the thread has ended.
    pub async fn spawn(&self, request: SpawnRequest) -> Result<Spawned, Error> {
        #[cfg(feature = "fault-injection")]
        if self.forks_on_the_blocking_pool {
            let launcher = Arc::clone(&self.launcher);
            let forked = tokio::task::spawn_blocking(move || fork(&launcher, request)).await;
            return forked.map_err(|_| Error::Stopping)??.watched(&self.tracker);
        }
        let (reply, answer) = oneshot::channel();
        self.starts
            .send((request, reply))
            .await
            .map_err(|_| Error::Stopping)?;
        let raw = answer.await.map_err(|_| Error::Stopping)??;
        raw.watched(&self.tracker)
    }

    /// The launcher that processes are started through.
    #[must_use]
    pub fn launcher(&self) -> &Launcher {
        &self.launcher
    }
}

fn serve(mut queue: mpsc::Receiver<Start>, launcher: &Launcher) {
    while let Some((request, reply)) = queue.blocking_recv() {
        if reply.is_closed() {
            continue; // whoever asked has gone: no fork for nobody
        }
        // A reply that nobody takes any more is dropped, which kills and reaps the process.
        let _ = reply.send(fork(launcher, request));
    }
}

/// The fork itself. Blocks until the launcher's code has begun, about a millisecond.
fn fork(launcher: &Launcher, request: SpawnRequest) -> Result<child::Raw, Error> {
    let failed = |e: io::Error| Error::system("start the launcher", e);
    let (report, report_end) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|e| Error::system("make a pipe", e))?;
    // Inheritable copies, for this fork only: no other fork can happen meanwhile, as this is the
    // only thread that forks.
    let status = inheritable(&report_end)?;
    let artefact = match request.artefact.descriptor() {
        Some(fd) => Some(inheritable(&fd)?),
        None => None,
    };
    let plan = Plan {
        parent: std::process::id(),
        status: status.as_raw_fd(),
        artefact: artefact.as_ref().map(AsRawFd::as_raw_fd),
        containment: request.containment,
        private: request.private,
        writable: request.writable,
        file: request.artefact.file().to_owned(),
        argv0: request.artefact.path().as_os_str().to_owned(),
        args: request.args.into_iter().map(OsString::from).collect(),
    };
    let mut child = Command::new(launcher.path())
        .args(plan.arguments())
        .env_clear()
        .envs(request.variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(failed)?;
    drop((status, artefact, report_end));
    let pipes = (child.stdout.take(), child.stderr.take());
    let mut raw = child::Raw::of(child)?;
    let (Some(stdout), Some(stderr)) = pipes else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    raw.pipes(stdout.into(), stderr.into(), report);
    Ok(raw)
}

fn inheritable(fd: &impl AsFd) -> Result<OwnedFd, Error> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3)
        .and_then(|copy| {
            rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
            Ok(copy)
        })
        .map_err(|e| Error::system("hand a descriptor on", e))
}
