//! How long to wait before something that failed is tried again.

use crate::model::Millis;

/// The delay after the first failure.
const FIRST: u64 = 2_000;
/// By how much the delay grows with each further one.
const FACTOR: u64 = 3;
/// The longest delay. First, factor and cap are those of Argo CD's self-heal.
const LONGEST: u64 = 300_000;

/// The failures in a row of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and returns how long to wait. `chance` is from 0 to 255: it takes away up to a fifth, so
    /// that many watchers of one server do not come back at the same time.
    pub fn failed(&mut self, chance: u8) -> Millis {
        let delay = FIRST.saturating_mul(FACTOR.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        Millis(delay - delay / 5 * u64::from(chance) / 255)
    }

    /// Forgets the failures.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Returns how many there were in a row.
    pub fn failures(self) -> u32 {
        self.failures
    }
}
