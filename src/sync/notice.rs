//! What persons and repositories are told, and when: each thing once, and once more when it is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Ledger, Result as Outcome, Revision, Status};

/// Something that persons are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about; the same thing has the same key as long as it lasts.
    pub key: String,
    /// What kind of thing that is.
    pub subject: Subject,
    /// Whether it is over now.
    pub is_over: bool,
    /// The project.
    pub project: String,
    /// One line.
    pub title: String,
    /// What else there is to know, line by line; commands are runnable as printed.
    pub lines: Vec<String>,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A revision was brought about.
    Applied,
    /// A revision failed and was undone.
    Quarantine,
    /// Something was changed behind our back, and is left so.
    Drift,
    /// Something waits for a person's word.
    Held,
    /// A service is not well.
    Health,
    /// The repository, the engine or the file is in the way.
    Trouble,
    /// Nothing is changed for now.
    Pause,
}

/// How a commit fares, as the repository is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitState {
    /// It is being brought about.
    Pending,
    /// It was.
    Success,
    /// It was not.
    Failure,
}

/// Works out what is to be told, given how things are, and notes it as told.
pub fn notices(ledger: &mut Ledger, before: &Status, after: &Status, now: u64) -> Vec<Notice> {
    let standing = standing(after, now);
    let mut told = Vec::new();
    for (key, notice) in &standing {
        if !ledger.told.contains_key(key) {
            ledger.told.insert(key.clone(), now);
            told.push(notice.clone());
        }
    }
    // What cannot be seen now is not over.
    let is_seen = after.trouble.is_empty();
    let over: Vec<String> = ledger
        .told
        .keys()
        .filter(|key| !standing.contains_key(*key) && (is_seen || key.starts_with("trouble:")))
        .cloned()
        .collect();
    for key in over {
        ledger.told.remove(&key);
        let title = format!("{}: over: {}", after.project, key.replacen(':', " ", 1));
        let subject = subject(&key);
        let project = after.project.clone();
        told.push(Notice {
            key,
            subject,
            is_over: true,
            project,
            title,
            lines: Vec::new(),
            at: now,
        });
    }
    if let Some(applied) = &after.applied
        && before.applied.as_ref().map(|before| &before.commit) != Some(&applied.commit)
    {
        let title = format!("{} runs {}: {}", after.project, applied.label(), applied.subject);
        told.push(Notice {
            key: format!("applied:{}", applied.commit),
            subject: Subject::Applied,
            is_over: false,
            project: after.project.clone(),
            title,
            lines: after.last.iter().map(|last| last.line.clone()).collect(),
            at: now,
        });
    }
    told
}

/// Returns what a repository is to be told of its head after a pass; nothing when the head is not known.
pub fn commit_state(status: &Status) -> Option<(Revision, CommitState, String)> {
    let head = status.head.clone()?;
    if let Some(bad) = status.quarantine.as_ref().filter(|bad| bad.revision.commit == head.commit) {
        return Some((head, CommitState::Failure, bad.why.clone()));
    }
    if status.applied.as_ref().is_some_and(|applied| applied.commit == head.commit) {
        let line = format!("{} runs it, generation {}", status.project, status.generation);
        return Some((head, CommitState::Success, line));
    }
    let last = status.last.as_ref()?;
    let line = last.line.clone();
    match last.result {
        Outcome::Failed => Some((head, CommitState::Failure, line)),
        Outcome::Left => Some((head, CommitState::Pending, line)),
        Outcome::Nothing | Outcome::Done | Outcome::Returned => None,
    }
}

/// Returns what is the matter, by key.
fn standing(status: &Status, now: u64) -> BTreeMap<String, Notice> {
    let mut all = BTreeMap::new();
    let mut add = |key: String, title: String, lines: Vec<String>| {
        let (subject, project) = (subject(&key), status.project.clone());
        let title = format!("{project}: {title}");
        let is_over = false;
        all.insert(key.clone(), Notice { key, subject, is_over, project, title, lines, at: now });
    };
    if let Some(bad) = &status.quarantine {
        add(
            format!("quarantine:{}", bad.revision.commit),
            format!("{} failed and was undone: {}", bad.revision.label(), bad.why),
            vec![
                format!("{} by {}", bad.revision.subject, bad.revision.author),
                "it is tried again when the head moves; or at once: nself retry".to_owned(),
            ],
        );
    }
    for difference in status.differences.iter().filter(|difference| difference.is_drift) {
        add(
            format!("drift:{}", difference.id),
            format!("{} was changed behind our back: {}", difference.id, difference.reason),
            difference.fields.clone(),
        );
    }
    for held in &status.held {
        add(
            format!("held:{}", held.release),
            format!("{} waits for a word: {}", held.id, held.what),
            vec![format!("nself approve {}", held.release)],
        );
    }
    for service in status.services.iter().filter(|service| !service.is_well) {
        let title = format!("{} is {}", service.name, service.state);
        let lines = vec![format!("nself logs {}", service.name)];
        add(format!("health:{}", service.name), title, lines);
    }
    for trouble in &status.trouble {
        add(format!("trouble:{trouble}"), trouble.clone(), Vec::new());
    }
    if let Some(pause) = &status.pause {
        let title = format!("paused by {}: {}", pause.who, pause.why);
        add(format!("pause:{}", pause.since), title, vec!["nself watch resume".to_owned()]);
    }
    all
}

/// Returns what the thing with a key is.
fn subject(key: &str) -> Subject {
    match key.split_once(':').map_or("", |(kind, _)| kind) {
        "quarantine" => Subject::Quarantine,
        "drift" => Subject::Drift,
        "held" => Subject::Held,
        "health" => Subject::Health,
        "pause" => Subject::Pause,
        _ => Subject::Trouble,
    }
}
