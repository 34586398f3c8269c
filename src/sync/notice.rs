//! What persons and repositories are told, and when: each thing once, and once more when it is over.
//!
//! What comes and goes all the time is said to do so, and then nothing more until it has settled; see
//! [`Told`]. Many things of one kind that come at once are told in one notice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    CommitId, Ledger, Phase, Result as Outcome, Revision, Status, Sync,
    told::{News, Told},
};

/// So many notices of one kind at once are told one by one; more are told as one.
const FEW: usize = 5;

/// Something that persons are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about; the same thing has the same key as long as it lasts.
    pub key: String,
    /// What kind of thing that is.
    pub subject: Subject,
    /// What is said of it.
    pub turn: Turn,
    /// The project.
    pub project: String,
    /// One line.
    pub title: String,
    /// What else there is to know, line by line; commands are runnable as printed.
    pub lines: Vec<String>,
    /// When it began, in milliseconds since 1970.
    pub since: u64,
    /// When this was found, in milliseconds since 1970.
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

/// What a notice says of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It is so now.
    Begun,
    /// It is so no longer.
    Over,
    /// It comes and goes; nothing more is said of it until it has settled.
    Flapping,
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
pub fn notices(ledger: &mut Ledger, status: &Status, now: u64) -> Vec<Notice> {
    let standing = standing(status, now);
    let mut all = Vec::new();
    for (key, notice) in &standing {
        let told = ledger.told.entry(key.clone()).or_insert_with(|| Told::new(now));
        told.title.clone_from(&notice.title);
        let news = told.stands(now);
        all.extend(news.map(|news| say(news, notice.clone(), told)));
    }
    let gone: Vec<String> = ledger
        .told
        .keys()
        .filter(|key| !standing.contains_key(*key) && is_over(ledger, status, key))
        .cloned()
        .collect();
    for key in gone {
        let Some(told) = ledger.told.get_mut(&key) else { continue };
        let notice = Notice {
            subject: subject(&key),
            turn: Turn::Over,
            project: status.project.clone(),
            title: told.title.clone(),
            lines: Vec::new(),
            since: told.since,
            at: now,
            key: key.clone(),
        };
        all.extend(told.is_gone(now).map(|news| say(news, notice, told)));
        if told.is_settled(now) {
            ledger.told.remove(&key);
        }
    }
    let mut all = fold(all);
    all.extend(applied(ledger, status, now));
    for notice in &mut all {
        notice.title = format!("{}: {}", status.project, notice.title);
    }
    all
}

/// Returns when there may be something to tell although nothing happens, in milliseconds since 1970.
pub fn due(ledger: &Ledger) -> Option<u64> {
    ledger.told.values().filter_map(Told::due).min()
}

/// Returns what a repository is to be told of its head; nothing when the head is not known, or when nothing is
/// known of it yet.
pub fn commit_state(status: &Status) -> Option<(Revision, CommitState, String)> {
    let head = status.head.clone()?;
    if let Some(bad) = status.quarantine.as_ref().filter(|bad| bad.revision.commit == head.commit) {
        return Some((head, CommitState::Failure, bad.why.clone()));
    }
    if status.applied.as_ref().is_some_and(|applied| applied.commit == head.commit) {
        let line = format!("{} runs it, generation {}", status.project, status.generation);
        return Some((head, CommitState::Success, line));
    }
    match status.phase {
        Phase::Applying => {
            Some((head, CommitState::Pending, format!("{} goes over to it", status.project)))
        }
        // Until the loop has come to rest the last pass may have been about the head before.
        Phase::Starting | Phase::Fetching | Phase::Looking | Phase::Stopping => None,
        Phase::Waiting => {
            let last = status.last.as_ref()?;
            let line = last.line.clone();
            match last.result {
                Outcome::Failed => Some((head, CommitState::Failure, line)),
                Outcome::Left => Some((head, CommitState::Pending, line)),
                Outcome::Nothing | Outcome::Done | Outcome::Returned => None,
            }
        }
    }
}

/// Puts what is new of a thing into words.
fn say(news: News, notice: Notice, told: &Told) -> Notice {
    let since = told.since;
    match news {
        News::Begun => Notice { since, turn: Turn::Begun, ..notice },
        News::Over => {
            let title = format!("over: {}", notice.title);
            Notice { since, turn: Turn::Over, title, lines: Vec::new(), ..notice }
        }
        News::Flapping(times) => {
            let title = format!("comes and goes, {times} times in 10 min: {}", notice.title);
            let mut lines = notice.lines;
            lines.push("nothing more is said of it until it has been quiet for 10 min".to_owned());
            Notice { since, turn: Turn::Flapping, title, lines, ..notice }
        }
    }
}

/// Returns whether what stands no longer is over: what cannot be seen now is not.
fn is_over(ledger: &Ledger, status: &Status, key: &str) -> bool {
    let is_known = status.sync != Sync::Unknown;
    match subject(key) {
        // One trouble can hide another, but not the loop's first look, which has none yet.
        Subject::Trouble => is_known || !status.trouble.is_empty(),
        // These two are in the ledger, whatever can be seen.
        Subject::Pause => ledger.pause.as_ref().is_none_or(|pause| pause_key(pause.since) != key),
        Subject::Quarantine => {
            let bad = ledger.quarantine.as_ref().map(|bad| &bad.revision.commit);
            let has_moved = status.head.as_ref().is_some_and(|head| Some(&head.commit) != bad);
            bad.is_none_or(|bad| quarantine_key(bad) != key) || has_moved
        }
        Subject::Applied | Subject::Drift | Subject::Held | Subject::Health => {
            is_known && status.trouble.is_empty()
        }
    }
}

/// Returns the notice of a revision that was brought about, once a revision.
fn applied(ledger: &mut Ledger, status: &Status, now: u64) -> Option<Notice> {
    let applied = status.applied.as_ref()?;
    if ledger.announced.as_ref() == Some(&applied.commit) {
        return None;
    }
    ledger.announced = Some(applied.commit.clone());
    Some(Notice {
        key: format!("applied:{}", applied.commit),
        subject: Subject::Applied,
        turn: Turn::Begun,
        project: status.project.clone(),
        title: format!("runs {}: {}", applied.label(), applied.subject),
        lines: status.last.iter().map(|last| last.line.clone()).collect(),
        since: now,
        at: now,
    })
}

/// Puts many notices of one kind into one. An engine that was away brings down every service at once.
fn fold(all: Vec<Notice>) -> Vec<Notice> {
    let mut kinds: BTreeMap<(Subject, Turn), Vec<Notice>> = BTreeMap::new();
    for notice in all {
        kinds.entry((notice.subject, notice.turn)).or_default().push(notice);
    }
    let mut folded = Vec::new();
    for ((_, turn), mut of_kind) in kinds {
        if of_kind.len() <= FEW {
            folded.append(&mut of_kind);
            continue;
        }
        let count = of_kind.len();
        let lines: Vec<String> = of_kind.iter().map(|notice| notice.title.clone()).collect();
        let Some(first) = of_kind.into_iter().next() else { continue };
        let word = word(first.subject);
        let title = match turn {
            Turn::Begun => format!("{count} {word}"),
            Turn::Over => format!("over: {count} {word}"),
            Turn::Flapping => format!("{count} {word} come and go"),
        };
        let kind = first.key.split_once(':').map_or("", |(kind, _)| kind);
        folded.push(Notice { key: format!("{kind}:*"), title, lines, ..first });
    }
    folded
}

/// Returns the word for several things of one kind.
fn word(subject: Subject) -> &'static str {
    match subject {
        Subject::Applied => "revisions applied",
        Subject::Quarantine => "revisions undone",
        Subject::Drift => "resources changed behind our back",
        Subject::Held => "steps wait for a word",
        Subject::Health => "services not well",
        Subject::Trouble => "troubles",
        Subject::Pause => "pauses",
    }
}

/// Returns what is the matter, by key.
fn standing(status: &Status, now: u64) -> BTreeMap<String, Notice> {
    let mut all = BTreeMap::new();
    let mut add = |key: String, title: String, lines: Vec<String>| {
        let (subject, turn, project) = (subject(&key), Turn::Begun, status.project.clone());
        let (since, at) = (now, now);
        all.insert(key.clone(), Notice { key, subject, turn, project, title, lines, since, at });
    };
    // As soon as the head is another one, the quarantine is about nothing.
    let is_head =
        |commit: &CommitId| status.head.as_ref().is_none_or(|head| head.commit == *commit);
    if let Some(bad) = status.quarantine.as_ref().filter(|bad| is_head(&bad.revision.commit)) {
        add(
            quarantine_key(&bad.revision.commit),
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
            match difference.reason.as_str() {
                // The fields that follow say it.
                "" => format!("{} was changed behind our back", difference.id),
                why => format!("{} was changed behind our back: {why}", difference.id),
            },
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
        add(pause_key(pause.since), title, vec!["nself watch resume".to_owned()]);
    }
    all
}

fn quarantine_key(commit: &CommitId) -> String {
    format!("quarantine:{commit}")
}

fn pause_key(since: u64) -> String {
    format!("pause:{since}")
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
