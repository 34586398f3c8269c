//! What happens while a plan is carried out, as lines of JSON.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::FORMAT_VERSION;
use crate::{
    controller::{Report, Returned},
    model::SecretName,
    plan::{Event, Failure, Plan},
    report::{Ending, ending, step},
};

/// One line of what apply, start, stop, restart and destroy print.
#[derive(Serialize, JsonSchema)]
pub(super) struct EventLine<'a> {
    /// The version of this shape.
    format_version: &'static str,
    #[serde(flatten)]
    event: EventJson<'a>,
}

/// What happened.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventJson<'a> {
    /// A step began.
    Started(StepJson),
    /// A step is done.
    Finished {
        #[serde(flatten)]
        step: StepJson,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// A step failed.
    Failed {
        #[serde(flatten)]
        step: StepJson,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// Why.
        failure: FailureJson,
    },
    /// A step is not taken.
    Skipped {
        #[serde(flatten)]
        step: StepJson,
        /// The step that failed before it; `null` where the person stopped it.
        because: Option<usize>,
    },
    /// Something failed, and everything goes back to how an earlier apply left it.
    GoingBack {
        /// The generation of that apply.
        generation: u64,
    },
    /// What worked before is back, or could not be brought back.
    Returned {
        /// The resource.
        address: String,
        /// Why it could not be brought back.
        failure: Option<FailureJson>,
    },
    /// The last line: what came of it.
    Ended(EndedJson<'a>),
}

/// Which step.
#[derive(Serialize, JsonSchema)]
struct StepJson {
    /// Its place in the plan's list.
    step: usize,
    /// The resource it is for.
    address: Option<String>,
    /// What it does.
    what: Option<String>,
}

/// Why something failed.
#[derive(Serialize, JsonSchema)]
struct FailureJson {
    /// What was attempted, then each cause.
    chain: Vec<String>,
    /// What was seen, such as the last answer of a probe and the last lines of the log.
    facts: BTreeMap<&'static str, String>,
    /// What to do about it.
    remedy: Option<String>,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
struct EndedJson<'a> {
    /// In one word.
    ending: EndingJson,
    /// How many steps are done.
    done: usize,
    /// How many failed.
    failed: usize,
    /// How many were not taken.
    skipped: usize,
    /// What waits for a person's word: each the word behind `--allow`.
    held: Vec<String>,
    /// Where to click.
    urls: Vec<&'a str>,
    /// Secrets whose new values are everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rotated: Vec<&'a str>,
    /// Secrets whose new values did not work: the old ones stay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unrotated: Vec<&'a str>,
    /// What became of going back, where that was asked for and something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    returned: Option<ReturnedJson<'a>>,
    /// What else a person should know.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    remarks: &'a [String],
    /// The code the program ends with.
    exit: u8,
}

/// What became of going back.
#[derive(Serialize, JsonSchema)]
struct ReturnedJson<'a> {
    /// The generation whose configuration was brought back; `null` when it was not tried.
    generation: Option<u64>,
    /// How that ended.
    ending: Option<EndingJson>,
    /// Why it was not tried, or broke off.
    why: Option<&'a str>,
}

/// How it ended.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum EndingJson {
    /// All was as it should be.
    Nothing,
    /// All is as it should be.
    Done,
    /// All else is done, and something is held.
    Held,
    /// A policy refuses it; nothing was done.
    Refused,
    /// Steps are left to do although none failed.
    Unsettled,
    /// The person stopped it.
    Interrupted,
    /// Something failed.
    Failed,
}

impl FailureJson {
    fn of(failure: &Failure) -> Self {
        Self {
            chain: failure.chain.clone(),
            facts: failure.facts.iter().cloned().collect(),
            remedy: failure.remedy.clone(),
        }
    }
}

/// Returns an event as one line.
pub fn event(plan: &Plan, event: &Event) -> String {
    let at = |place: usize| {
        let one = plan.steps.get(place);
        StepJson { step: place, address: one.map(|one| one.group.to_string()), what: one.map(step) }
    };
    line(match event {
        Event::Started { step } => EventJson::Started(at(*step)),
        Event::Finished { step, took } => EventJson::Finished { step: at(*step), took_ms: took.0 },
        Event::Failed { step, took, failure } => EventJson::Failed {
            step: at(*step),
            took_ms: took.0,
            failure: FailureJson::of(failure),
        },
        Event::Skipped { step, because } => {
            EventJson::Skipped { step: at(*step), because: *because }
        }
        Event::GoingBack { generation } => EventJson::GoingBack { generation: *generation },
        Event::Returned { group, failure } => EventJson::Returned {
            address: group.to_string(),
            failure: failure.as_ref().map(FailureJson::of),
        },
    })
}

/// Returns what came of an apply as one line: the last one after its events.
pub fn applied(report: &Report, exit: u8) -> String {
    let (mut done, mut failed, mut skipped) = (0, 0, 0);
    for (_, applied) in &report.passes {
        let counts = applied.counts();
        done += counts.0;
        failed += counts.1;
        skipped += counts.2;
    }
    line(EventJson::Ended(EndedJson {
        ending: EndingJson::of(report),
        done,
        failed,
        skipped,
        held: report.rest.held.iter().map(|held| held.release.to_string()).collect(),
        urls: report.desired.urls.iter().map(|url| url.url.as_str()).collect(),
        rotated: report.rotation.settled.iter().map(SecretName::as_str).collect(),
        unrotated: report.rotation.returned.iter().map(SecretName::as_str).collect(),
        returned: report.returned.as_ref().map(ReturnedJson::of),
        remarks: &report.remarks,
        exit,
    }))
}

impl EndingJson {
    fn of(report: &Report) -> Self {
        match ending(report) {
            Ending::Nothing => Self::Nothing,
            Ending::Done => Self::Done,
            Ending::Held => Self::Held,
            Ending::Refused => Self::Refused,
            Ending::Unsettled => Self::Unsettled,
            Ending::Interrupted => Self::Interrupted,
            Ending::Failed => Self::Failed,
        }
    }
}

impl<'a> ReturnedJson<'a> {
    fn of(returned: &'a Returned) -> Self {
        match returned {
            Returned::Not(why) => Self { generation: None, ending: None, why: Some(why) },
            Returned::To { generation, report } => Self {
                generation: Some(*generation),
                ending: Some(EndingJson::of(report)),
                why: None,
            },
        }
    }
}

fn line(event: EventJson<'_>) -> String {
    super::line(&EventLine { format_version: FORMAT_VERSION, event })
}
