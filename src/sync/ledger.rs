//! What the loop remembers from one run to the next, in `watch.json` of its folder.
//!
//! It is not needed to know what should be, which the source says, nor what is, which the engine says: without it
//! a commit that failed is tried once more, and a notification is sent once more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CommitId, Revision, Told};

/// The form of the file that this nself writes and the newest that it reads.
pub const FORM: u32 = 1;

/// Why a text is no ledger.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A newer nself wrote it.
    #[error(
        "it was written by a newer nself: it has form {found}, and this nself knows forms up to {FORM}"
    )]
    Newer {
        /// Its form.
        found: u32,
    },
    /// It is damaged.
    #[error("it is not what nself wrote: {0}")]
    Damaged(#[from] serde_json::Error),
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The form of the file.
    pub form: u32,
    /// The last revision over which a pass ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Revision>,
    /// The revision that a pass is at, written before it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// The revision that failed and was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
    /// Nothing is changed while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// What persons allowed to be destroyed or replaced, until it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Approval>,
    /// What persons were told, by the key of what it is about.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<String, Told>,
    /// The last revision of which persons were told that it was brought about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<CommitId>,
}

/// A revision that is being tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Which.
    pub revision: Revision,
    /// How often it was begun without coming to an end that counts.
    pub attempts: u32,
}

/// A revision that failed and was undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Which.
    pub revision: Revision,
    /// Why, in a clause.
    pub why: String,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// A person's word that nothing is to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub who: String,
    /// Why, in the person's words.
    pub why: String,
    /// Since when, in milliseconds since 1970.
    pub since: u64,
}

/// A person's word that something held may be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What, as `plan::Release` writes it.
    pub release: String,
    /// Who.
    pub who: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            form: FORM,
            applied: None,
            trial: None,
            quarantine: None,
            pause: None,
            approvals: Vec::new(),
            told: BTreeMap::new(),
            announced: None,
        }
    }
}

impl Ledger {
    /// Reads what [`Ledger::to_text`] wrote. What a newer nself wrote is refused: it would be lost with the next
    /// writing.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        // The form first: of a newer one nothing else can be relied on.
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let Form { form: found } = serde_json::from_str(text)?;
        if found > FORM {
            return Err(Unreadable::Newer { found });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// Writes it.
    pub fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).expect("its keys are texts")
    }

    /// Notes what the head of the source is. A quarantine ends when it is another one.
    pub fn find(&mut self, head: &Revision) {
        self.quarantine.take_if(|bad| bad.revision.commit != head.commit);
    }

    /// Returns whether the revision is quarantined.
    pub fn is_quarantined(&self, commit: &CommitId) -> bool {
        self.quarantine.as_ref().is_some_and(|bad| bad.revision.commit == *commit)
    }

    /// Notes that a revision is about to be tried. Returns how often it has been, this time included.
    pub fn begin(&mut self, revision: &Revision) -> u32 {
        let before = self.trial.take().filter(|trial| trial.revision.commit == revision.commit);
        let attempts = before.map_or(1, |trial| trial.attempts.saturating_add(1));
        self.trial = Some(Trial { revision: revision.clone(), attempts });
        attempts
    }

    /// Notes that a pass over a revision ended well.
    pub fn succeed(&mut self, revision: &Revision) {
        self.trial = None;
        // An older revision that is fine again says nothing about the one that failed.
        if self.is_quarantined(&revision.commit) {
            self.quarantine = None;
        }
        self.applied = Some(revision.clone());
    }

    /// Notes that a revision failed and was undone.
    pub fn condemn(&mut self, revision: &Revision, why: &str, now: u64) {
        self.trial = None;
        self.quarantine =
            Some(Quarantine { revision: revision.clone(), why: why.to_owned(), since: now });
    }
}
