//! What differs, as data.

use std::collections::BTreeSet;

use super::Effect;
use crate::{
    desired::Path,
    model::{Fingerprint, Origin, ResourceId, ServiceName},
};

/// All differences, and what was found equal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// The differences that are about to be put right, in the order of their resources. [`Changes::push`] keeps it.
    pub changes: Vec<Change>,
    /// Resources that are as they should be.
    pub unchanged: BTreeSet<ResourceId>,
    /// What a person should know although nothing is to be done about it.
    pub notes: Vec<Note>,
    /// The services that a person asked for; none is all of the project.
    pub targets: BTreeSet<ServiceName>,
    /// The differences that nobody asked for, in the same order. They stay as they are.
    pub left_out: Vec<LeftOut>,
}

/// A difference that nobody asked to put right.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// The difference.
    pub change: Change,
    /// The service it belongs to; `None` where it is everybody's.
    pub service: Option<ServiceName>,
}

/// One resource that is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The resource.
    pub id: ResourceId,
    /// What is to be done.
    pub action: Action,
    /// Why, in a clause such as `not on this engine`.
    pub reason: String,
    /// Who is behind it, where it is about the whole resource and not about fields.
    pub mover: Option<Mover>,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// The live object, if there is one.
    pub subject: Option<Subject>,
    /// Further live objects that claim to be this resource: from an interrupted replacement, or made by
    /// somebody else.
    pub leftovers: Vec<Leftover>,
}

/// What is to be done about a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is not there.
    Create,
    /// It is there and differs; says what it takes.
    Change(Effect),
    /// It is there and not wanted.
    Remove,
    /// Something that is not ours has its name.
    Conflict,
    /// It cannot be seen yet; it will be brought to its state once it can.
    Deferred,
    /// It cannot be compared here; nothing is done about it.
    NotChecked,
    /// It is right but for leftovers or for never having been seen ready.
    Settle,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Which.
    pub path: Path,
    /// How it is.
    pub before: Shown,
    /// How it should be.
    pub after: Shown,
    /// How it was last applied, where that is known.
    pub last: Option<Shown>,
    /// Who moved it.
    pub mover: Mover,
    /// Where the wanted value is written.
    pub origin: Option<Origin>,
    /// What it takes to put right.
    pub effect: Effect,
}

/// A value as a person may see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing is set.
    Absent,
    /// The value.
    Plain(String),
    /// A secret, or a live value of which nobody knows what it is.
    Secret(Fingerprint),
    /// A secret that is generated when it is first needed.
    SecretToCome,
    /// A value that may not be shown, and no key to fingerprint it with.
    Hidden,
}

/// Who moved something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mover {
    /// The file changed.
    You,
    /// Somebody changed the engine.
    Drift,
    /// Both.
    Both,
    /// Nothing is remembered that would tell.
    Unknown,
}

/// A live object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Its id on the engine; for a volume its name.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A live object beside the one that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Its id on the engine.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who left it there: nself itself, in an apply that was cut off, counts as the person behind the file.
    pub mover: Mover,
}

/// Something to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// About what.
    pub id: ResourceId,
    /// What, in a sentence.
    pub text: String,
}

impl Shown {
    /// Writes the value as it is kept in files: `-` is nothing, `=` begins a text, `*` a secret's
    /// fingerprint; `?` is a secret to come and `!` what may not be shown.
    pub fn to_text(&self) -> String {
        match self {
            Self::Absent => "-".to_owned(),
            Self::Plain(text) => format!("={text}"),
            Self::Secret(fingerprint) => format!("*{}", fingerprint.as_str()),
            Self::SecretToCome => "?".to_owned(),
            Self::Hidden => "!".to_owned(),
        }
    }

    /// Reads what [`to_text`](Self::to_text) wrote; what nobody wrote may not be shown.
    pub fn parse(text: &str) -> Self {
        let rest = || text.get(1..).unwrap_or_default();
        match text.as_bytes().first() {
            Some(b'-') => Self::Absent,
            Some(b'=') => Self::Plain(rest().to_owned()),
            Some(b'*') => Self::Secret(Fingerprint::stored(rest())),
            Some(b'?') => Self::SecretToCome,
            _ => Self::Hidden,
        }
    }
}

impl Action {
    /// Returns the action in a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change(Effect::InPlace) => "change in place",
            Self::Change(Effect::Reload) => "reload",
            Self::Change(Effect::Restart) => "restart",
            Self::Change(Effect::Recreate) => "recreate",
            Self::Change(Effect::DataAtRisk) => "recreate with data at risk",
            Self::Remove => "remove",
            Self::Conflict => "conflict",
            Self::Deferred => "deferred",
            Self::NotChecked => "not checked",
            Self::Settle => "settle",
        }
    }
}

impl Mover {
    /// Returns who it was, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::You => "you",
            Self::Drift => "drift",
            Self::Both => "both",
            Self::Unknown => "unknown",
        }
    }
}

impl Changes {
    /// Adds a change.
    pub fn push(&mut self, change: Change) {
        let place = self.changes.partition_point(|other| other.id <= change.id);
        self.changes.insert(place, change);
    }

    /// Adds a note.
    pub fn note(&mut self, id: &ResourceId, text: impl Into<String>) {
        self.notes.push(Note { id: id.clone(), text: text.into() });
    }

    /// Returns the change of one resource.
    pub fn get(&self, id: &ResourceId) -> Option<&Change> {
        let place = self.changes.binary_search_by(|change| change.id.cmp(id)).ok()?;
        self.changes.get(place)
    }

    /// Returns the difference of a resource that stays as it is because nobody asked for it.
    pub fn left_out(&self, id: &ResourceId) -> Option<&Change> {
        self.left_out.iter().map(|left| &left.change).find(|change| change.id == *id)
    }

    /// Returns how many resources were looked at.
    pub fn looked_at(&self) -> usize {
        self.changes.len() + self.left_out.len() + self.unchanged.len()
    }
}

impl Change {
    /// Returns a change without fields.
    pub fn new(id: &ResourceId, action: Action, reason: impl Into<String>) -> Self {
        Self {
            id: id.clone(),
            action,
            reason: reason.into(),
            mover: None,
            fields: Vec::new(),
            subject: None,
            leftovers: Vec::new(),
        }
    }

    /// Says who is behind it.
    #[must_use]
    pub fn moved_by(mut self, mover: Mover) -> Self {
        self.mover = Some(mover);
        self
    }

    /// Says which live object it is about.
    #[must_use]
    pub fn about(mut self, id: &str, name: &str) -> Self {
        self.subject = Some(Subject { id: id.to_owned(), name: name.to_owned() });
        self
    }

    /// Returns a change of fields; what it takes is the most that any field takes.
    pub fn of_fields(id: &ResourceId, fields: Vec<FieldChange>, reason: impl Into<String>) -> Self {
        let effect = fields.iter().map(|field| field.effect).max().unwrap_or(Effect::InPlace);
        let mut change = Self::new(id, Action::Change(effect), reason);
        change.fields = fields;
        change
    }

    /// Returns whether somebody other than the person behind the file had a hand in it. What is not
    /// known counts: `drift` would rather say too much.
    pub fn is_drift(&self) -> bool {
        let drifted = |mover: Mover| mover != Mover::You;
        match self.action {
            Action::Deferred | Action::NotChecked => false,
            Action::Conflict => true,
            Action::Create | Action::Change(_) | Action::Remove | Action::Settle => {
                self.mover.is_some_and(drifted)
                    || self.leftovers.iter().any(|left| drifted(left.mover))
                    || self.fields.iter().any(|field| drifted(field.mover))
            }
        }
    }
}
