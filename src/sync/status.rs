//! How things are, as everybody is shown it: the command line, the page, metrics, notifications.

use serde::{Deserialize, Serialize};

use super::{Cause, Mode, Pause, Quarantine, Revision};

/// How things are. Published after each change; whoever reads it never waits for the loop.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The project's name, with its instance; empty until its file was read once.
    pub project: String,
    /// Where the source is, in the person's words, without credentials.
    pub source: String,
    /// What the loop is at.
    pub phase: Phase,
    /// Whether what runs is what the source says.
    pub sync: Sync,
    /// What it may change.
    pub mode: Mode,
    /// When the next window opens, in milliseconds since 1970, where it waits for one.
    pub window: Option<u64>,
    /// The head of the source, as far as it is known. None where the source is a folder.
    pub head: Option<Revision>,
    /// The last revision over which a pass ended well.
    pub applied: Option<Revision>,
    /// The revision that failed and was undone.
    pub quarantine: Option<Quarantine>,
    /// A person's word that nothing is to be changed.
    pub pause: Option<Pause>,
    /// The generation that stands.
    pub generation: u64,
    /// What differs from what should be.
    pub differences: Vec<Difference>,
    /// What waits for a person.
    pub held: Vec<Held>,
    /// The services.
    pub services: Vec<ServiceState>,
    /// Why things cannot be known or done for now: the repository or the engine is away, the file is wrong.
    pub trouble: Vec<String>,
    /// The last pass.
    pub last: Option<LastPass>,
    /// When the loop looks again although nothing happens, in milliseconds since 1970.
    pub next: Option<u64>,
    /// How many passes there were since the loop began.
    pub passes: u64,
    /// Since when the loop runs, in milliseconds since 1970.
    pub since: u64,
}

/// What the loop is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It has not looked yet.
    #[default]
    Starting,
    /// It asks the repository.
    Fetching,
    /// It looks at the engine.
    Looking,
    /// It changes things.
    Applying,
    /// It waits for something to happen.
    Waiting,
    /// It was asked to end, and finishes what it is at.
    Stopping,
}

/// Whether what runs is what the source says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sync {
    /// Nothing is known yet, or not any more.
    #[default]
    Unknown,
    /// It is.
    InSync,
    /// It is what the last good revision says, since the head is quarantined.
    LastGood,
    /// It is not.
    OutOfSync,
}

impl Sync {
    /// Returns the words that people read.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::InSync => "in sync",
            Self::LastGood => "at the last good revision",
            Self::OutOfSync => "out of sync",
        }
    }
}

/// A resource that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// The resource, such as `container/shop-web`.
    pub id: String,
    /// What would be done, in one word such as `recreate`.
    pub what: String,
    /// Why.
    pub reason: String,
    /// The fields that differ.
    pub fields: Vec<String>,
    /// Whether somebody moved it behind our back; otherwise the source did.
    pub is_drift: bool,
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// The resource.
    pub id: String,
    /// What would be done.
    pub what: String,
    /// The word that releases it, for `nself approve`.
    pub release: String,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceState {
    /// Its name.
    pub name: String,
    /// What it is doing, in a word such as `healthy`.
    pub state: String,
    /// Whether that is as it should be.
    pub is_well: bool,
    /// How often the engine started its containers again.
    pub restarts: u64,
    /// The first address it is reachable at.
    pub url: Option<String>,
}

/// A pass that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPass {
    /// What woke the loop.
    pub causes: Vec<Cause>,
    /// When it began, in milliseconds since 1970.
    pub at: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What came of it.
    pub result: Result,
    /// The same for people, in one line.
    pub line: String,
}

/// What came of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// Nothing was to be done.
    Nothing,
    /// All was done.
    Done,
    /// Something is to be done, and is left for a person or a window.
    Left,
    /// It failed, and what was before is back.
    Returned,
    /// It failed.
    Failed,
}
