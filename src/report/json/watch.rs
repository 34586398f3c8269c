//! How a watched project is, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;
use crate::sync::{Difference, Held, LastPass, Phase, Result as Outcome, Revision, Status, Sync};

/// How a watched project is.
#[derive(Serialize, JsonSchema)]
pub(super) struct WatchJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The project's name, with its instance; empty until its file was read once.
    project: &'a str,
    /// Where the source is, without credentials.
    source: &'a str,
    /// What the loop is at.
    phase: PhaseJson,
    /// Whether what runs is what the source says.
    sync: SyncJson,
    /// `heal`: differences are put right; `detect`: they are reported.
    mode: &'static str,
    /// When the next window opens, in milliseconds since 1970, where it waits for one.
    window_ms: Option<u64>,
    /// The head of the source; `null` where that is a folder, or not known yet.
    head: Option<RevisionJson<'a>>,
    /// The last revision over which a pass ended well.
    applied: Option<RevisionJson<'a>>,
    /// The revision that failed and was undone.
    quarantine: Option<QuarantineJson<'a>>,
    /// A person's word that nothing is to be changed.
    pause: Option<PauseJson<'a>>,
    /// The generation that stands.
    generation: u64,
    /// What differs from what should be.
    differences: Vec<DifferenceJson<'a>>,
    /// What waits for a person.
    held: Vec<HeldJson<'a>>,
    /// The services.
    services: Vec<WatchedServiceJson<'a>>,
    /// Why things cannot be known or done for now.
    trouble: &'a [String],
    /// The last pass.
    last: Option<PassJson<'a>>,
    /// When the loop looks again although nothing happens, in milliseconds since 1970.
    next_ms: Option<u64>,
    /// How many passes there were since the loop began.
    passes: u64,
    /// Since when the loop runs, in milliseconds since 1970.
    since_ms: u64,
}

/// What a loop is at.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PhaseJson {
    /// It has not looked yet.
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
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SyncJson {
    /// Nothing is known yet, or not any more.
    Unknown,
    /// It is.
    InSync,
    /// It is what the last good revision says, since the head is quarantined.
    LastGood,
    /// It is not.
    OutOfSync,
}

/// A commit of the source.
#[derive(Serialize, JsonSchema)]
struct RevisionJson<'a> {
    /// Its id.
    commit: &'a str,
    /// By what name it was found: a branch, a tag, or the commit itself.
    reference: &'a str,
    /// The first line of its message.
    subject: &'a str,
    /// Who wrote it, by name.
    author: &'a str,
    /// When it was committed, in milliseconds since 1970.
    at_ms: u64,
}

/// A revision that failed and was undone.
#[derive(Serialize, JsonSchema)]
struct QuarantineJson<'a> {
    /// Which.
    revision: RevisionJson<'a>,
    /// Why.
    why: &'a str,
    /// Since when, in milliseconds since 1970.
    since_ms: u64,
}

/// A person's word that nothing is to be changed.
#[derive(Serialize, JsonSchema)]
struct PauseJson<'a> {
    /// Who.
    who: &'a str,
    /// Why.
    why: &'a str,
    /// Since when, in milliseconds since 1970.
    since_ms: u64,
}

/// A resource that is not as it should be.
#[derive(Serialize, JsonSchema)]
struct DifferenceJson<'a> {
    /// The resource.
    address: &'a str,
    /// What would be done, in one word.
    what: &'a str,
    /// Why.
    reason: &'a str,
    /// The fields that differ.
    fields: &'a [String],
    /// Whether somebody moved it behind our back; otherwise the source did.
    drift: bool,
}

/// Something that waits for a person.
#[derive(Serialize, JsonSchema)]
struct HeldJson<'a> {
    /// The resource.
    address: &'a str,
    /// What would be done.
    what: &'a str,
    /// The word that releases it, for `nself approve`.
    release: &'a str,
}

/// A service.
#[derive(Serialize, JsonSchema)]
struct WatchedServiceJson<'a> {
    /// Its name.
    service: &'a str,
    /// What it is doing, in a word.
    state: &'a str,
    /// Whether that is as it should be.
    well: bool,
    /// How often the engine started its containers again.
    restarts: u64,
    /// The first address it is reachable at.
    url: Option<&'a str>,
}

/// A pass that has ended.
#[derive(Serialize, JsonSchema)]
struct PassJson<'a> {
    /// What woke the loop.
    causes: Vec<&'static str>,
    /// When it began, in milliseconds since 1970.
    at_ms: u64,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// What came of it.
    result: OutcomeJson,
    /// The same for people.
    line: &'a str,
}

/// What came of a pass.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OutcomeJson {
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

/// Returns how a watched project is.
pub fn watch(status: &Status) -> String {
    super::text(&WatchJson::of(status))
}

impl<'a> WatchJson<'a> {
    fn of(status: &'a Status) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            project: &status.project,
            source: &status.source,
            phase: match status.phase {
                Phase::Starting => PhaseJson::Starting,
                Phase::Fetching => PhaseJson::Fetching,
                Phase::Looking => PhaseJson::Looking,
                Phase::Applying => PhaseJson::Applying,
                Phase::Waiting => PhaseJson::Waiting,
                Phase::Stopping => PhaseJson::Stopping,
            },
            sync: match status.sync {
                Sync::Unknown => SyncJson::Unknown,
                Sync::InSync => SyncJson::InSync,
                Sync::LastGood => SyncJson::LastGood,
                Sync::OutOfSync => SyncJson::OutOfSync,
            },
            mode: status.mode.word(),
            window_ms: status.window,
            head: status.head.as_ref().map(RevisionJson::of),
            applied: status.applied.as_ref().map(RevisionJson::of),
            quarantine: status.quarantine.as_ref().map(|bad| QuarantineJson {
                revision: RevisionJson::of(&bad.revision),
                why: &bad.why,
                since_ms: bad.since,
            }),
            pause: status.pause.as_ref().map(|pause| PauseJson {
                who: &pause.who,
                why: &pause.why,
                since_ms: pause.since,
            }),
            generation: status.generation,
            differences: status.differences.iter().map(DifferenceJson::of).collect(),
            held: status.held.iter().map(HeldJson::of).collect(),
            services: status
                .services
                .iter()
                .map(|one| WatchedServiceJson {
                    service: &one.name,
                    state: &one.state,
                    well: one.is_well,
                    restarts: one.restarts,
                    url: one.url.as_deref(),
                })
                .collect(),
            trouble: &status.trouble,
            last: status.last.as_ref().map(PassJson::of),
            next_ms: status.next,
            passes: status.passes,
            since_ms: status.since,
        }
    }
}

impl<'a> RevisionJson<'a> {
    fn of(revision: &'a Revision) -> Self {
        let Revision { commit, reference, subject, author, at } = revision;
        Self { commit: commit.as_str(), reference, subject, author, at_ms: *at }
    }
}

impl<'a> DifferenceJson<'a> {
    fn of(difference: &'a Difference) -> Self {
        let Difference { id, what, reason, fields, is_drift } = difference;
        Self { address: id, what, reason, fields, drift: *is_drift }
    }
}

impl<'a> HeldJson<'a> {
    fn of(held: &'a Held) -> Self {
        let Held { id, what, release } = held;
        Self { address: id, what, release }
    }
}

impl<'a> PassJson<'a> {
    fn of(last: &'a LastPass) -> Self {
        Self {
            causes: last.causes.iter().map(|cause| cause.word()).collect(),
            at_ms: last.at,
            took_ms: last.took_ms,
            result: match last.result {
                Outcome::Nothing => OutcomeJson::Nothing,
                Outcome::Done => OutcomeJson::Done,
                Outcome::Left => OutcomeJson::Left,
                Outcome::Returned => OutcomeJson::Returned,
                Outcome::Failed => OutcomeJson::Failed,
            },
            line: &last.line,
        }
    }
}

/// That a request was taken.
#[derive(Serialize, JsonSchema)]
pub(super) struct NotedJson {
    /// The version of this shape.
    format_version: &'static str,
    /// `noted`: the loop comes to it in its own time.
    result: &'static str,
}

/// Returns that a request to a loop was taken.
pub fn noted() -> String {
    super::text(&NotedJson { format_version: FORMAT_VERSION, result: "noted" })
}
