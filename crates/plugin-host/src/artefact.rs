//! Artefacts: the bytes that a plugin process runs, named by their SHA-256 (plugin-protocol §2.6).
//!
//! In mode `sealed`, the default, a file is read once: every chunk is hashed and copied into a
//! memory file, which is then sealed and executed. What was hashed is what runs, whatever happens
//! to the file afterwards. One copy per digest exists, for as long as a process or generation
//! uses it; a new generation hashes again only when the identity of the file has changed.
//!
//! Everything here blocks on the disk: call it on the blocking pool.

mod elf;
mod identity;
mod script;

use crate::error::errno_text;
use crate::{Error, PluginDirectory};
use identity::Identity;
use linchpin_crypto::Sha256Hasher;
use linchpin_model::{Execution, Sha256};
use parking_lot::Mutex;
use rustix::fs::{Access, MemfdFlags, Mode, OFlags, SealFlags};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

/// Files whose digest is remembered; more than any plugin directory we know of holds.
const REMEMBERED_FILES: usize = 1_024;

/// An executable whose digest was checked.
#[derive(Debug)]
pub struct Artefact {
    sha256: Sha256,
    path: PathBuf,
    file: PathBuf,
    script: bool,
    image: Image,
}

/// What the kernel is given to execute.
#[derive(Debug)]
enum Image {
    /// A sealed memory file.
    Sealed(OwnedFd),
    /// The opened file.
    Descriptor(OwnedFd),
    /// The path.
    Path,
}

impl Artefact {
    /// The digest of what runs.
    #[must_use]
    pub fn sha256(&self) -> Sha256 {
        self.sha256
    }

    /// The absolute path that the entry names: `argv[0]` of its processes.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same with symlinks resolved.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// How it is really executed: a script asked for as `sealed` runs by path.
    #[must_use]
    pub fn execution(&self) -> Execution {
        match self.image {
            Image::Sealed(_) => Execution::Sealed,
            Image::Descriptor(_) => Execution::Descriptor,
            Image::Path => Execution::Path,
        }
    }

    /// Whether it begins with `#!`.
    #[must_use]
    pub fn is_script(&self) -> bool {
        self.script
    }

    /// When the digest was checked, in the words of the API: `at execution` or `at start`.
    #[must_use]
    pub fn verified(&self) -> &'static str {
        match self.image {
            Image::Sealed(_) | Image::Descriptor(_) => "at execution",
            Image::Path => "at start",
        }
    }

    /// The descriptor to execute; `None` = execute [`Artefact::file`] by path.
    #[must_use]
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        match &self.image {
            Image::Sealed(fd) | Image::Descriptor(fd) => Some(fd.as_fd()),
            Image::Path => None,
        }
    }

    /// What is wrong with the file by now, for a start that `exec` refused: the interpreter or
    /// loader may have gone since it was opened. Blocks.
    #[must_use]
    pub fn look_again(&self) -> Option<Error> {
        let opened = open_executable(&self.file).ok()?;
        look(&self.file, &opened, self.script).err()
    }

    /// Checks the bytes again before another process is started from them. A sealed copy cannot
    /// have changed; the other modes hash the file again. Blocks.
    ///
    /// # Errors
    /// [`Error::Checksum`], or what [`Artefacts::open`] reports about the file.
    pub fn check_again(&self) -> Result<(), Error> {
        match &self.image {
            Image::Sealed(_) => Ok(()),
            Image::Descriptor(fd) => {
                let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3)
                    .map_err(|e| Error::system("duplicate an artefact's descriptor", e))?;
                let mut file = File::from(copy);
                std::io::Seek::rewind(&mut file)
                    .map_err(|e| not_executable(&self.file, errno_text(&e)))?;
                let actual = hash(&self.file, &mut file, None)?;
                expect(&self.file, self.sha256, actual)
            }
            Image::Path => {
                let mut file = open_executable(&self.file)?;
                let actual = hash(&self.file, &mut file, None)?;
                expect(&self.file, self.sha256, actual)
            }
        }
    }
}

/// Opens artefacts and keeps one sealed copy of each digest while it is used.
#[derive(Debug)]
pub struct Artefacts {
    known: Mutex<Known>,
    /// False where a test plays a kernel that forbids memory files.
    may_use_memory: bool,
}

impl Default for Artefacts {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            may_use_memory: true,
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    sealed: HashMap<Sha256, Weak<Artefact>>,
    digests: HashMap<PathBuf, (Identity, Sha256)>,
}

impl Known {
    /// Remembers the digest of a file, so that it is hashed again only when it has changed.
    fn remember(&mut self, file: PathBuf, identity: Identity, digest: Sha256) {
        if self.digests.len() >= REMEMBERED_FILES {
            self.digests.clear();
        }
        self.digests.insert(file, (identity, digest));
    }
}

impl Artefacts {
    /// The artefact of `command` in `directory`, if its digest is `expected`. Blocks.
    ///
    /// # Errors
    /// The errors of [`PluginDirectory::resolve`], [`Error::NotExecutable`] and
    /// [`Error::Checksum`].
    pub fn open(
        &self,
        directory: &PluginDirectory,
        name: &str,
        command: &str,
        expected: Sha256,
        execution: Execution,
    ) -> Result<Arc<Artefact>, Error> {
        let found = directory.resolve(name, command)?;
        let mut source = open_executable(&found.file)?;
        let identity = Identity::of(&found.file, &source)?;
        let script = script::is_script(&found.file, &source)?;
        let make = |image, sha256| {
            Arc::new(Artefact {
                sha256,
                path: found.path.clone(),
                file: found.file.clone(),
                script,
                image,
            })
        };
        if !script && execution == Execution::Sealed {
            let known = self.known.lock();
            if let Some((same, digest)) = known.digests.get(&found.file)
                && *same == identity
            {
                expect(&found.file, expected, *digest)?;
                let copy = known.sealed.get(digest).and_then(Weak::upgrade);
                // The copy may have been made from another file of equal bytes, whose name this
                // process must not carry.
                if let Some(copy) = copy.filter(|copy| copy.path == found.path) {
                    return Ok(copy);
                }
            }
        }
        if let Err(error) = look(&found.file, &source, script) {
            // A file that was replaced: that is the cause, whatever it was replaced by.
            let actual = hash(&found.file, &mut source, None)?;
            expect(&found.file, expected, actual)?;
            return Err(error);
        }
        if script || execution == Execution::Path {
            let actual = hash(&found.file, &mut source, None)?;
            expect(&found.file, expected, actual)?;
            return Ok(make(Image::Path, actual));
        }
        let memory = match execution {
            Execution::Sealed if self.may_use_memory => memory_file(command),
            _ => None,
        };
        let Some(memory) = memory else {
            let actual = hash(&found.file, &mut source, None)?;
            expect(&found.file, expected, actual)?;
            return Ok(make(Image::Descriptor(source.into()), actual));
        };
        let mut memory = File::from(memory);
        let actual = hash(&found.file, &mut source, Some(&mut memory))?;
        let unchanged = Identity::of(&found.file, &source)? == identity;
        let mut known = self.known.lock();
        if unchanged && identity.is_settled(SystemTime::now()) {
            known.remember(found.file.clone(), identity, actual);
        }
        expect(&found.file, expected, actual)?;
        known.sealed.retain(|_, copy| copy.strong_count() > 0);
        if let Some(copy) = known.sealed.get(&actual).and_then(Weak::upgrade)
            && copy.path == found.path
        {
            return Ok(copy); // another start was faster
        }
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        rustix::fs::fcntl_add_seals(&memory, seals)
            .map_err(|e| Error::system("seal a memory file", e))?;
        let artefact = make(Image::Sealed(memory.into()), actual);
        known.sealed.insert(actual, Arc::downgrade(&artefact));
        Ok(artefact)
    }

    /// The digest that the file of `command` has now. For the warning at registration; blocks.
    ///
    /// # Errors
    /// As [`Artefacts::open`], without a checksum error.
    pub fn digest(
        &self,
        directory: &PluginDirectory,
        name: &str,
        command: &str,
    ) -> Result<Sha256, Error> {
        let found = directory.resolve(name, command)?;
        let mut file = open_regular(&found.file)?;
        let identity = Identity::of(&found.file, &file)?;
        if let Some((same, digest)) = self.known.lock().digests.get(&found.file)
            && *same == identity
        {
            return Ok(*digest);
        }
        let actual = hash(&found.file, &mut file, None)?;
        let unchanged = Identity::of(&found.file, &file)? == identity;
        if unchanged && identity.is_settled(SystemTime::now()) {
            self.known.lock().remember(found.file, identity, actual);
        }
        Ok(actual)
    }
}

fn expect(file: &Path, expected: Sha256, actual: Sha256) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::Checksum {
        file: file.to_owned(),
        expected,
        actual,
    })
}

fn not_executable(file: &Path, reason: impl Into<String>) -> Error {
    Error::NotExecutable {
        file: file.to_owned(),
        reason: reason.into(),
    }
}

/// Opens a file and says now what `exec` would say less clearly later. A sealed copy is always
/// executable, so the mode of the file and of its file system must be checked here.
fn open_executable(file: &Path) -> Result<File, Error> {
    let opened = open_regular(file)?;
    let facts = opened
        .metadata()
        .map_err(|e| not_executable(file, errno_text(&e)))?;
    if facts.len() == 0 {
        return Err(not_executable(file, "it is empty: copy it again"));
    }
    let mount =
        rustix::fs::fstatvfs(&opened).map_err(|e| not_executable(file, errno_text(&e.into())))?;
    if mount.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        return Err(not_executable(
            file,
            "permission denied: its file system is mounted noexec: mount it with exec, or move \
             plugin_directory to another one",
        ));
    }
    if rustix::fs::access(file, Access::EXEC_OK).is_err() {
        return Err(not_executable(
            file,
            "permission denied: it is not executable for the server's user: chmod 0755 makes it so",
        ));
    }
    Ok(opened)
}

/// Opens a file without waiting for anybody, as opening a pipe would, if it is a regular one.
fn open_regular(file: &Path) -> Result<File, Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = rustix::fs::open(file, flags, Mode::empty())
        .map_err(|e| not_executable(file, errno_text(&e.into())))?;
    let opened = File::from(opened);
    let facts = opened
        .metadata()
        .map_err(|e| not_executable(file, errno_text(&e)))?;
    if facts.is_dir() {
        return Err(not_executable(
            file,
            "it is a directory: the command has to name a file",
        ));
    }
    if !facts.is_file() {
        return Err(not_executable(file, "it is not a regular file"));
    }
    Ok(opened)
}

/// Names what the kernel would refuse, or would say less clearly.
fn look(file: &Path, source: &File, script: bool) -> Result<(), Error> {
    if script {
        script::check(file, source)
    } else {
        elf::check(file, source)
    }
}

/// Hashes from the current position to the end; what was hashed is what `copy` receives.
fn hash(file: &Path, source: &mut File, mut copy: Option<&mut File>) -> Result<Sha256, Error> {
    let mut digest = Sha256Hasher::new();
    let mut chunk = vec![0_u8; 256 * 1024];
    loop {
        let read = match source.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(not_executable(file, errno_text(&e))),
        };
        let bytes = chunk.get(..read).unwrap_or_default();
        digest.update(bytes);
        if let Some(copy) = copy.as_mut() {
            copy.write_all(bytes)
                .map_err(|e| Error::system("copy an artefact into memory", e))?;
        }
    }
    Ok(Sha256(digest.finish()))
}

/// An empty memory file that can be sealed and executed; `None` where the kernel forbids that.
fn memory_file(command: &str) -> Option<OwnedFd> {
    let base = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Before Linux 6.3 the flag is unknown (EINVAL), and every memory file is executable.
    rustix::fs::memfd_create(command, base | MemfdFlags::EXEC)
        .or_else(|e| match e {
            rustix::io::Errno::INVAL => rustix::fs::memfd_create(command, base),
            other => Err(other),
        })
        .ok()
}

#[cfg(test)]
mod tests;
