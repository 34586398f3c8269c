//! From differences to steps, holds and reasons.
//!
//! A plan is a value: the same input gives the same bytes. Each step is one engine call with its reason.
//! Destructive or unclear changes are held, with what would release them; nothing here asks anybody.

mod away;
mod back;
mod capacity;
mod carry;
mod container;
mod draft;
mod emptied;
mod event;
mod hold;
mod op;
mod order;
mod planner;
mod record;
mod rule;
mod saved;
mod scope;

pub use away::{Absence, Away, Past, absences};
pub use back::{Lasting, lasting};
pub use capacity::Capacity;
pub use event::{Applied, Event, Failure, Outcome, Span};
pub use op::{Op, Target};
pub use planner::plan;
pub use record::{ownership_labels, record_after};
pub use rule::Finding;
pub use saved::{ChangeGist, Gist, Moved, Saved, StepGist, Unreadable};
pub use scope::{narrow, spare};

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    desired::RuleEffect,
    diff::Changes,
    model::{PolicyName, ResourceId},
    observed::{EngineFacts, Record},
};

/// What is to be done, in order, and what is not done without a word.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The project, as people call it: `shop`, or `shop · prod`.
    pub title: String,
    /// The engine that was looked at.
    pub engine: EngineFacts,
    /// The differences behind the steps.
    pub changes: Changes,
    /// The steps. A step's id is its place in this list, and it only waits for earlier ones.
    pub steps: Vec<Step>,
    /// Changes that are not made until a person releases them.
    pub held: Vec<Held>,
    /// Changes that cannot be made, each with why: what they need is held, a port of the host is
    /// somebody else's, or the machine has no room.
    pub blocked: BTreeMap<ResourceId, String>,
    /// What is against a policy. Where one refuses, there are no steps.
    pub findings: Vec<Finding>,
    /// How long containers that run are going to be away, by the resource whose steps do it.
    pub away: BTreeMap<ResourceId, Away>,
    /// What is asked of the engine's machine.
    pub capacity: Capacity,
    /// The project's memory while the steps run: what a crash would leave behind.
    pub intent: Record,
    /// The project's memory as it was found.
    pub recorded: Option<Record>,
}

/// One engine call.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The resource it is for.
    pub group: ResourceId,
    /// The call.
    pub op: Op,
    /// Why, in a clause.
    pub why: String,
    /// The steps that must have succeeded, by their place in the list.
    pub after: BTreeSet<usize>,
    /// What to do, in order, if this step fails: it brings back what worked before.
    pub on_failure: Vec<Op>,
}

/// A change that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The resource.
    pub id: ResourceId,
    /// What would happen, such as `would delete it with all that is in it`.
    pub what: String,
    /// What releases it, such as `remove:volume/shop-postgres-data`.
    pub release: Release,
}

/// A person's word that a held change may be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// One change.
    Change {
        /// What may be done.
        verb: Verb,
        /// To what.
        id: ResourceId,
    },
    /// Whatever this policy holds.
    Policy(PolicyName),
}

/// What a release allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// To remove it.
    Remove,
    /// To put ours in the place of what is there.
    Replace,
    /// To take what is there as ours.
    Adopt,
}

/// What a person allowed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Releases, each by name.
    pub allow: BTreeSet<Release>,
}

impl Plan {
    /// Returns the generation that was found: how many applies changed something before.
    pub fn generation(&self) -> u64 {
        self.recorded.as_ref().map_or(0, |record| record.generation)
    }

    /// Returns whether a resource that is there and was not ours becomes ours as it is.
    pub fn adopts(&self, id: &ResourceId) -> bool {
        let found = self.recorded.as_ref().and_then(|record| record.adopted.get(id));
        let adopted = self.intent.adopted.get(id);
        adopted.is_some() && adopted != found
    }

    /// Returns how many resources become ours as they are.
    pub fn adopted(&self) -> usize {
        self.intent.adopted.keys().filter(|id| self.adopts(id)).count()
    }

    /// Returns whether there is nothing to do, nothing held and nothing refused.
    pub fn is_empty(&self) -> bool {
        let stopped = self.held.len() + self.blocked.len();
        self.steps.is_empty() && stopped == 0 && self.adopted() == 0 && !self.is_refused()
    }

    /// Returns whether a policy refuses all of it.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.effect == RuleEffect::Refuse)
    }
}

impl Verb {
    /// Returns the word used with `--allow`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Remove => "remove",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
        }
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Change { verb, id } => write!(f, "{}:{id}", verb.word()),
            Self::Policy(name) => write!(f, "policy:{name}"),
        }
    }
}

impl std::str::FromStr for Release {
    type Err = crate::model::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || {
            crate::model::InvalidName(format!(
                "`{text}` is not a release, such as remove:volume/shop-postgres-data or policy:NAME"
            ))
        };
        let (verb, rest) = text.split_once(':').ok_or_else(unknown)?;
        if verb == "policy" {
            return Ok(Self::Policy(rest.parse()?));
        }
        let verbs = [Verb::Remove, Verb::Replace, Verb::Adopt];
        let verb = verbs.into_iter().find(|v| v.word() == verb).ok_or_else(unknown)?;
        Ok(Self::Change { verb, id: rest.parse()? })
    }
}
