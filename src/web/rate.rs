//! How many of something in a while, and one line of log for all that was too much.

use std::time::Duration;

/// A bucket: so many at once, and so many a second in the long run.
#[derive(Debug, Clone)]
pub struct Bucket {
    most_ms: u64,
    each_ms: u64,
    level_ms: u64,
    at: Duration,
}

impl Bucket {
    /// Makes a full one: `most` at once, then one each `each`.
    pub fn new(most: u32, each: Duration) -> Self {
        let each_ms = u64::try_from(each.as_millis()).unwrap_or(u64::MAX).max(1);
        let most_ms = each_ms.saturating_mul(u64::from(most));
        Self { most_ms, each_ms, level_ms: most_ms, at: Duration::ZERO }
    }

    /// Takes one out at this time of a clock that is never set.
    ///
    /// # Errors
    /// In how many seconds there is one again.
    pub fn take(&mut self, now: Duration) -> Result<(), u64> {
        self.fill(now);
        match self.level_ms.checked_sub(self.each_ms) {
            Some(rest) => {
                self.level_ms = rest;
                Ok(())
            }
            None => Err((self.each_ms - self.level_ms).div_ceil(1000).max(1)),
        }
    }

    /// Returns whether there is none at this time.
    pub fn is_empty(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.level_ms < self.each_ms
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        // What is less than a millisecond counts next time.
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.at += Duration::from_millis(passed_ms);
        self.level_ms = self.level_ms.saturating_add(passed_ms).min(self.most_ms);
    }
}

/// How long a line of log stands for all that follow.
const QUIET: Duration = Duration::from_mins(1);

/// What was refused, told at most once a minute.
#[derive(Debug, Default)]
pub struct Hushed {
    untold: u64,
    told: Option<Duration>,
}

impl Hushed {
    /// Counts one. Returns how many there were since the last line if it is time for the next.
    pub fn count(&mut self, now: Duration) -> Option<u64> {
        self.untold += 1;
        let is_time = self.told.is_none_or(|told| now.saturating_sub(told) >= QUIET);
        is_time.then(|| {
            self.told = Some(now);
            std::mem::take(&mut self.untold)
        })
    }
}
