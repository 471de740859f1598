//! Switches that turn a protection off, so that a test of it can be shown to fail.
//!
//! | fault | what is off |
//! |---|---|
//! | `gate-off` | requests do not wait while a mount is switched |
//! | `fence-off` | the old instance's writes are neither parked nor conditional |
//! | `overlay-off` | what Initialize writes is committed at once |
//! | `setup-once` | a Setup that read stale storage is not repeated |
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
