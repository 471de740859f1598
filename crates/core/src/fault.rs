//! Switches that turn a protection off, so that a test of it can be shown to fail.
//!
//! | fault | what is off |
//! |---|---|
//! | `gate-off` | requests do not wait while a mount is switched |
//! | `fence-off` | the old instance's writes are neither parked nor conditional |
//! | `overlay-off` | what Initialize writes is committed at once |
//! | `setup-once` | a Setup that read stale storage is not repeated |
//! | `lock-held` | the catalog's writer is locked while a plugin file is run or started |
//! | `no-cleanup` | an instance that was replaced is neither cleaned up nor let go of: its process stays |
//! | `descriptor-left`, `file-left` | whenever an instance is cleaned up, an open descriptor or a file is left behind |
//!
//! Only builds with the feature `fault-injection` look at them; in every other build each is off
//! and costs nothing.

/// Whether the variable `LINCHPIN_FAULT` names this fault.
#[cfg(feature = "fault-injection")]
pub(crate) fn is_set(fault: &str) -> bool {
    static FAULTS: std::sync::LazyLock<Vec<String>> = std::sync::LazyLock::new(|| {
        std::env::var("LINCHPIN_FAULT")
            .unwrap_or_default()
            .split(',')
            .map(str::to_owned)
            .collect()
    });
    FAULTS.iter().any(|f| f == fault)
}

/// Never, in this build.
#[cfg(not(feature = "fault-injection"))]
pub(crate) fn is_set(_fault: &str) -> bool {
    false
}

/// Leaves behind what this build was told to leave behind whenever an instance is done with.
pub(crate) fn leave_behind() {
    #[cfg(feature = "fault-injection")]
    {
        let left = |name: &str| std::env::temp_dir().join(format!("left-{name}"));
        if is_set("descriptor-left") {
            std::mem::forget(std::fs::File::open("/dev/null"));
        }
        if is_set("file-left")
            && let Err(error) = std::fs::write(left(&linchpin_crypto::random::uuid()), "")
        {
            tracing::error!(%error, "no file was left behind");
        }
    }
}
