//! What was done, as JSON.

use schemars::JsonSchema;
use serde::Serialize;

use super::{FORMAT_VERSION, text};
use crate::{
    diff::{Difference, How},
    history::{Broken, ChangeEntry, Run, StepEntry, Verified},
};

/// Applies, the latest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct HistoryJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// The applies.
    runs: Vec<RunJson<'a>>,
}

/// One apply.
#[derive(Serialize, JsonSchema)]
struct RunJson<'a> {
    /// The generation that stands after it.
    generation: u64,
    /// The first and the last generation it made.
    generations: [u64; 2],
    /// The number of its first entry.
    entry: i64,
    /// When it began, in milliseconds since 1970.
    began_ms: u64,
    /// When it ended; `null` when it goes on or was cut off.
    ended_ms: Option<u64>,
    /// Who.
    user: &'a str,
    /// From which host.
    host: &'a str,
    /// What was asked for.
    command: &'static str,
    /// How it ended, in a word.
    result: &'static str,
    /// The generation it brought back.
    returns_to: Option<u64>,
    /// The commit it brought about, where one was followed.
    revision: Option<&'a str>,
    /// The environment.
    environment: Option<&'a str>,
    /// The engine's own id.
    engine: &'a str,
    /// The version of nself.
    nself: &'a str,
    /// What differed. Values begin with `=` for a text, `*` for a fingerprint; `-` is nothing, `?` a secret to come, `!` hidden.
    changes: &'a [ChangeEntry],
    /// What came of each step.
    steps: &'a [StepEntry],
}

/// Returns applies, in the order given.
pub fn history(runs: &[Run]) -> String {
    text(&HistoryJson {
        format_version: FORMAT_VERSION,
        runs: runs.iter().map(RunJson::of).collect(),
    })
}

/// Returns one apply.
pub fn generation(run: &Run) -> String {
    text(&HistoryJson { format_version: FORMAT_VERSION, runs: vec![RunJson::of(run)] })
}

impl<'a> RunJson<'a> {
    fn of(run: &'a Run) -> Self {
        let (first, last) = run.generations().into_inner();
        let ended = run.ended.as_ref();
        Self {
            generation: last,
            generations: [first, last],
            entry: run.number,
            began_ms: run.begun.at,
            ended_ms: ended.map(|ended| ended.at),
            user: &run.begun.user,
            host: &run.begun.host,
            command: run.begun.command.word(),
            result: ended.map_or("cut off", |ended| ended.found.word()),
            returns_to: run.begun.returns_to.map(|to| to.generation),
            revision: run.begun.revision.as_deref(),
            environment: run.begun.configuration.environment.as_deref(),
            engine: &run.begun.engine,
            nself: &run.begun.nself,
            changes: &run.begun.changes,
            steps: ended.map_or(&[], |ended| &ended.steps),
        }
    }
}

/// What differs between two generations.
#[derive(Serialize, JsonSchema)]
pub(super) struct BetweenJson {
    /// The version of this shape.
    format_version: &'static str,
    /// The first generation.
    from: u64,
    /// The second generation.
    to: u64,
    /// What differs.
    differences: Vec<DifferenceJson>,
}

/// A resource that is not the same in both.
#[derive(Serialize, JsonSchema)]
struct DifferenceJson {
    /// The resource.
    address: String,
    /// `added`, `removed` or `changed`.
    how: &'static str,
    /// The values that differ.
    fields: Vec<FieldJson>,
}

/// A value that is not the same in both.
#[derive(Serialize, JsonSchema)]
struct FieldJson {
    /// The path of the value.
    path: String,
    /// How it was; see the schema of the history.
    before: String,
    /// How it is, likewise.
    after: String,
}

/// Returns what differs between two generations.
pub fn between(from: u64, to: u64, differences: &[Difference]) -> String {
    let differences = differences
        .iter()
        .map(|Difference { id, how }| DifferenceJson {
            address: id.to_string(),
            how: match how {
                How::Added => "added",
                How::Removed => "removed",
                How::Fields(_) => "changed",
            },
            fields: match how {
                How::Added | How::Removed => Vec::new(),
                How::Fields(fields) => fields
                    .iter()
                    .map(|(path, before, after)| FieldJson {
                        path: path.to_string(),
                        before: before.to_text(),
                        after: after.to_text(),
                    })
                    .collect(),
            },
        })
        .collect();
    text(&BetweenJson { format_version: FORMAT_VERSION, from, to, differences })
}

/// Whether the history is as it was written.
#[derive(Serialize, JsonSchema)]
pub(super) struct VerifiedJson<'a> {
    /// The version of this shape.
    format_version: &'static str,
    /// Whether every entry is as it was written.
    intact: bool,
    /// How many there are.
    entries: Option<usize>,
    /// The digest that stands for all of them.
    head: Option<&'a str>,
    /// The first entry that is not as it was written.
    broken_at: Option<i64>,
    /// What is wrong with it.
    what: Option<&'a str>,
}

/// Returns whether the history is as it was written.
pub fn verified(verified: &Result<Verified, Broken>) -> String {
    let (good, bad) = (verified.as_ref().ok(), verified.as_ref().err());
    text(&VerifiedJson {
        format_version: FORMAT_VERSION,
        intact: good.is_some(),
        entries: good.map(|good| good.entries),
        head: good.map(|good| good.head.as_str()),
        broken_at: bad.map(|bad| bad.entry),
        what: bad.map(|bad| bad.what.as_str()),
    })
}
