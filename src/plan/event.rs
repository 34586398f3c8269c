//! What happens while a plan is applied, and what came of it. Everything that shows or stores progress
//! reads these.

use std::collections::BTreeMap;

use crate::model::{Millis, ResourceId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A step began.
    Started {
        /// Its place in the plan.
        step: usize,
    },
    /// A step ended well.
    Finished {
        /// Its place in the plan.
        step: usize,
        /// How long it took.
        took: Millis,
    },
    /// A step failed.
    Failed {
        /// Its place in the plan.
        step: usize,
        /// How long it took.
        took: Millis,
        /// Why.
        failure: Failure,
    },
    /// A step was not begun, or was a wait that was given up.
    Skipped {
        /// Its place in the plan.
        step: usize,
        /// The failed step it waited for; `None` when the person stopped the apply.
        because: Option<usize>,
    },
    /// Something failed, and everything goes back to how an earlier apply left it.
    GoingBack {
        /// The generation of that apply.
        generation: u64,
    },
    /// It is back, or could not be brought back.
    Returned {
        /// The resource.
        group: ResourceId,
        /// Why it could not be brought back.
        failure: Option<Failure>,
    },
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Failed.
    Failed(Failure),
    /// Not begun, because of that failed step; `None` when the person stopped the apply. A wait that was
    /// given up then is among these: it is the next apply's to wait.
    Skipped(Option<usize>),
}

/// Why a step failed, as text that can be stored and shown: no secret in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failure {
    /// What was attempted, then each cause.
    pub chain: Vec<String>,
    /// Further facts, as name and text, such as `probe` and `log`.
    pub facts: Vec<(&'static str, String)>,
    /// What a person can do about it.
    pub remedy: Option<String>,
}

/// What came of a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Applied {
    /// What came of each step, by its place in the plan.
    pub outcomes: BTreeMap<usize, Outcome>,
    /// Resources that were brought back to what worked before; the value says why where that failed.
    pub returned: BTreeMap<ResourceId, Option<Failure>>,
    /// Whether the person stopped it.
    pub interrupted: bool,
    /// When each step that was begun ran, by its place in the plan.
    pub spans: BTreeMap<usize, Span>,
}

/// From when to when a step ran, counted from the begin of the apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub begin: Millis,
    /// Its end; of a step that failed, when what worked before was back.
    pub end: Millis,
}

impl Applied {
    /// Counts the steps that are done, failed and not begun.
    pub fn counts(&self) -> (usize, usize, usize) {
        self.outcomes.values().fold((0, 0, 0), |(done, failed, skipped), outcome| match outcome {
            Outcome::Done => (done + 1, failed, skipped),
            Outcome::Failed(_) => (done, failed + 1, skipped),
            Outcome::Skipped(_) => (done, failed, skipped + 1),
        })
    }
}
