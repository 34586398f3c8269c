//! The time, where this room reads it.

use std::time::{Duration, SystemTime};

/// Returns the time in milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "signatures age, and pages say how long ago")]
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A clock that is never set, for limits and bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steady(tokio::time::Instant);

impl Steady {
    /// Starts one.
    pub(super) fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// Returns how long it has run.
    pub(super) fn read(self) -> Duration {
        self.0.elapsed()
    }
}
