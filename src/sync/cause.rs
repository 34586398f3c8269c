//! Why the loop woke. It is written to the log and shown; no decision reads it, except whether to ask the
//! repository: that costs a round trip, and what happens on the engine says nothing about it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Why the loop woke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It began.
    Start,
    /// It is time to ask the repository.
    Poll,
    /// The repository said that something was pushed.
    Webhook,
    /// A file of the project changed.
    File,
    /// Something happened to an object of the project on the engine.
    Engine,
    /// It is time to look again although nothing was heard of.
    Timer,
    /// A failure is tried again.
    Retry,
    /// A person asked.
    Request,
}

impl Cause {
    /// Returns the word that people read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Poll => "poll",
            Self::Webhook => "webhook",
            Self::File => "file",
            Self::Engine => "engine",
            Self::Timer => "timer",
            Self::Retry => "retry",
            Self::Request => "request",
        }
    }

    /// Returns whether the repository is asked before the pass.
    pub fn asks_repository(self) -> bool {
        match self {
            Self::Start | Self::Poll | Self::Webhook | Self::Retry | Self::Request => true,
            Self::File | Self::Engine | Self::Timer => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What was heard of since the last pass began, however often.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pending(BTreeMap<Cause, u64>);

impl Pending {
    /// Adds what was heard of.
    pub fn add(&mut self, cause: Cause) {
        *self.0.entry(cause).or_default() += 1;
    }

    /// Forgets what was heard of from one side.
    pub fn forget(&mut self, cause: Cause) {
        self.0.remove(&cause);
    }

    /// Returns whether nothing was heard of.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether that is all that was heard of.
    pub fn is_only(&self, cause: Cause) -> bool {
        self.0.len() == 1 && self.0.contains_key(&cause)
    }

    /// Returns each cause once, with how often it was heard of.
    pub fn causes(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        self.0.iter().map(|(cause, times)| (*cause, *times))
    }

    /// Returns whether the repository is to be asked.
    pub fn asks_repository(&self) -> bool {
        self.0.keys().any(|cause| cause.asks_repository())
    }

    /// Takes everything out.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}
