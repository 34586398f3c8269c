//! What was done, as JSON.

use serde::Serialize;

use super::text;
use crate::{
    diff::{Difference, How},
    history::{Broken, ChangeEntry, Run, StepEntry, Verified},
};

#[derive(Serialize)]
struct HistoryJson<'a> {
    format_version: &'static str,
    runs: Vec<RunJson<'a>>,
}

#[derive(Serialize)]
struct RunJson<'a> {
    generation: u64,
    generations: [u64; 2],
    entry: i64,
    began_ms: u64,
    ended_ms: Option<u64>,
    user: &'a str,
    host: &'a str,
    command: &'static str,
    result: &'static str,
    returns_to: Option<u64>,
    environment: Option<&'a str>,
    engine: &'a str,
    nself: &'a str,
    changes: &'a [ChangeEntry],
    steps: &'a [StepEntry],
}

/// Returns applies, in the order given.
pub fn history(runs: &[Run]) -> String {
    text(&HistoryJson { format_version: "1.0", runs: runs.iter().map(RunJson::of).collect() })
}

/// Returns one apply.
pub fn generation(run: &Run) -> String {
    text(&HistoryJson { format_version: "1.0", runs: vec![RunJson::of(run)] })
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
            environment: run.begun.configuration.environment.as_deref(),
            engine: &run.begun.engine,
            nself: &run.begun.nself,
            changes: &run.begun.changes,
            steps: ended.map_or(&[], |ended| &ended.steps),
        }
    }
}

#[derive(Serialize)]
struct BetweenJson {
    format_version: &'static str,
    from: u64,
    to: u64,
    differences: Vec<DifferenceJson>,
}

#[derive(Serialize)]
struct DifferenceJson {
    address: String,
    how: &'static str,
    fields: Vec<FieldJson>,
}

#[derive(Serialize)]
struct FieldJson {
    path: String,
    before: String,
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
    text(&BetweenJson { format_version: "1.0", from, to, differences })
}

#[derive(Serialize)]
struct VerifiedJson<'a> {
    format_version: &'static str,
    intact: bool,
    entries: Option<usize>,
    head: Option<&'a str>,
    broken_at: Option<i64>,
    what: Option<&'a str>,
}

/// Returns whether the history is as it was written.
pub fn verified(verified: &Result<Verified, Broken>) -> String {
    let (good, bad) = (verified.as_ref().ok(), verified.as_ref().err());
    text(&VerifiedJson {
        format_version: "1.0",
        intact: good.is_some(),
        entries: good.map(|good| good.entries),
        head: good.map(|good| good.head.as_str()),
        broken_at: bad.map(|bad| bad.entry),
        what: bad.map(|bad| bad.what.as_str()),
    })
}
