//! Events, outcomes, states, addresses and mistakes as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    controller::Report,
    desired::Desired,
    model::{Diagnostic, SecretName, Severity},
    plan::{Event, Failure, Plan},
    report::{Condition, Ending, Status, diagnostic, diagnostic::Sources, ending, step},
};

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventJson {
    Started(StepJson),
    Finished {
        #[serde(flatten)]
        step: StepJson,
        took_ms: u64,
    },
    Failed {
        #[serde(flatten)]
        step: StepJson,
        took_ms: u64,
        failure: FailureJson,
    },
    Skipped {
        #[serde(flatten)]
        step: StepJson,
        because: Option<usize>,
    },
    Returning {
        address: String,
    },
    Returned {
        address: String,
        failure: Option<FailureJson>,
    },
}

#[derive(Serialize)]
struct StepJson {
    step: usize,
    address: Option<String>,
    what: Option<String>,
}

#[derive(Serialize)]
struct FailureJson {
    chain: Vec<String>,
    facts: BTreeMap<&'static str, String>,
    remedy: Option<String>,
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
    super::line(&match event {
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
        Event::Returning { group } => EventJson::Returning { address: group.to_string() },
        Event::Returned { group, failure } => EventJson::Returned {
            address: group.to_string(),
            failure: failure.as_ref().map(FailureJson::of),
        },
    })
}

/// Returns what came of an apply as one line: the last one after its events.
pub fn applied(report: &Report, exit: u8) -> String {
    #[derive(Serialize)]
    struct AppliedJson {
        event: &'static str,
        ending: &'static str,
        done: usize,
        failed: usize,
        skipped: usize,
        held: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        rotated: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        returned: Vec<String>,
        urls: Vec<String>,
        exit: u8,
    }
    let names = |names: &[SecretName]| names.iter().map(ToString::to_string).collect();
    let (mut done, mut failed, mut skipped) = (0, 0, 0);
    for (_, applied) in &report.passes {
        let counts = applied.counts();
        done += counts.0;
        failed += counts.1;
        skipped += counts.2;
    }
    super::line(&AppliedJson {
        event: "ended",
        ending: match ending(report) {
            Ending::Nothing => "nothing",
            Ending::Done => "done",
            Ending::Held => "held",
            Ending::Unsettled => "unsettled",
            Ending::Interrupted => "interrupted",
            Ending::Failed => "failed",
        },
        done,
        failed,
        skipped,
        held: report.rest.held.iter().map(|held| held.release.to_string()).collect(),
        rotated: names(&report.rotation.settled),
        returned: names(&report.rotation.returned),
        urls: report.desired.urls.iter().map(|url| url.url.clone()).collect(),
        exit,
    })
}

/// Returns why a command failed as a whole, as one line.
pub fn failure(chain: &[String], remedy: Option<&str>, exit: u8) -> String {
    #[derive(Serialize)]
    struct ErrorJson<'a> {
        chain: &'a [String],
        remedy: Option<&'a str>,
        exit: u8,
    }
    #[derive(Serialize)]
    struct Whole<'a> {
        error: ErrorJson<'a>,
    }
    super::line(&Whole { error: ErrorJson { chain, remedy, exit } })
}

/// Returns the state of a project.
pub fn status(status: &Status, plan: &Plan) -> String {
    #[derive(Serialize)]
    struct StatusJson<'a> {
        title: &'a str,
        engine: &'a str,
        generation: u64,
        in_sync: bool,
        pending: usize,
        held: Vec<String>,
        services: Vec<ServiceJson<'a>>,
    }
    #[derive(Serialize)]
    struct ServiceJson<'a> {
        service: &'a str,
        replicas: usize,
        state: String,
        stopped_by_person: bool,
        for_ms: Option<u64>,
        restarts: u64,
        memory: Option<u64>,
        memory_limit: Option<u64>,
        url: Option<&'a str>,
    }
    super::text(&StatusJson {
        title: &plan.title,
        engine: &plan.engine.name,
        generation: plan.generation(),
        in_sync: status.pending == 0,
        pending: status.pending,
        held: plan.held.iter().map(|held| held.release.to_string()).collect(),
        services: status
            .services
            .iter()
            .map(|one| ServiceJson {
                service: one.service.as_str(),
                replicas: one.replicas,
                state: match &one.condition {
                    Condition::Suspended => "stopped".to_owned(),
                    other => other.to_string(),
                },
                stopped_by_person: one.condition == Condition::Suspended,
                for_ms: one.for_ms,
                restarts: one.restarts,
                memory: one.memory,
                memory_limit: one.memory_limit,
                url: one.url.as_deref(),
            })
            .collect(),
    })
}

/// Returns the addresses.
pub fn urls(desired: &Desired) -> String {
    #[derive(Serialize)]
    struct UrlJson<'a> {
        service: &'a str,
        url: &'a str,
    }
    let urls = desired.urls.iter();
    let urls: Vec<UrlJson<'_>> =
        urls.map(|url| UrlJson { service: url.service.as_str(), url: &url.url }).collect();
    super::text(&urls)
}

/// Returns what is wrong with a configuration, if anything.
pub fn check(diagnostics: &[Diagnostic], sources: &Sources) -> String {
    #[derive(Serialize)]
    struct CheckJson {
        valid: bool,
        errors: usize,
        warnings: usize,
        diagnostics: serde_json::Value,
    }
    let count = |severity| diagnostics.iter().filter(|one| one.severity == severity).count();
    super::text(&CheckJson {
        valid: count(Severity::Error) == 0,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        diagnostics: diagnostic::json(diagnostics, sources),
    })
}
