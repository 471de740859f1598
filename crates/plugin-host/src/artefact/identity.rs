//! What tells whether a file was touched since it was hashed.

use crate::Error;
use crate::error::errno_text;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A file changed within this time of being hashed may change again without its times showing it:
/// some file systems count in whole or double seconds.
const SETTLING: Duration = Duration::from_secs(3);

/// Device, inode, size, and both change times of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    pub(super) fn of(path: &Path, file: &File) -> Result<Self, Error> {
        let facts = file.metadata().map_err(|e| Error::NotExecutable {
            file: path.to_owned(),
            reason: errno_text(&e),
        })?;
        Ok(Self {
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.size(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        })
    }

    /// Whether equal identities mean equal bytes: the last change is long enough ago.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let Ok(seconds) = u64::try_from(self.changed.0.max(self.modified.0)) else {
            return false;
        };
        let last = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        now.duration_since(last).is_ok_and(|age| age > SETTLING)
    }
}
