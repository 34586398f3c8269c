//! Walks a plan: as many steps at once as its edges and a few limits allow.
//!
//! Decides nothing. It makes one attempt at each step, does what the plan says to do when one fails, goes
//! on with what does not depend on it, and stops between steps when told to.

mod failure;

pub use failure::failure;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::{Engine, Error},
    model::{Keyring, Millis, ResourceId},
    plan::{Applied, Event, Failure, Op, Outcome, Plan},
};

/// Applies a plan and tells of each thing that happens.
///
/// When `cancel` fires, running steps are finished and no further ones are begun.
pub async fn apply<E: Engine>(
    engine: &E,
    plan: &Plan,
    keyring: &Keyring,
    tell: &(dyn Fn(Event) + Sync),
    cancel: &CancellationToken,
) -> Applied {
    let mut walk = Walk { plan, tell, applied: Applied::default(), started: BTreeSet::new() };
    let mut running = FuturesUnordered::new();
    let mut load: BTreeMap<Kind, usize> = BTreeMap::new();
    loop {
        walk.skip();
        if cancel.is_cancelled() {
            walk.stop();
        }
        for step in walk.ready() {
            let kind = Kind::of(&plan.steps[step].op);
            let busy = load.entry(kind).or_default();
            if *busy == kind.limit() {
                continue;
            }
            *busy += 1;
            walk.started.insert(step);
            tell(Event::Started { step });
            running.push(run(engine, plan, step, keyring));
        }
        let Some(ended) = running.next().await else { break };
        let kind = Kind::of(&plan.steps[ended.step].op);
        if let Some(busy) = load.get_mut(&kind) {
            *busy -= 1;
        }
        walk.end(ended);
    }
    walk.applied
}

struct Walk<'a> {
    plan: &'a Plan,
    tell: &'a (dyn Fn(Event) + Sync),
    applied: Applied,
    started: BTreeSet<usize>,
}

struct Ended {
    step: usize,
    took: Millis,
    failure: Option<Failure>,
    returned: Option<(ResourceId, Option<Failure>)>,
}

impl Walk<'_> {
    /// Returns the steps that may begin.
    fn ready(&self) -> Vec<usize> {
        let done = |step: &usize| self.applied.outcomes.get(step) == Some(&Outcome::Done);
        let steps = self.plan.steps.iter().enumerate();
        steps
            .filter(|(number, _)| {
                !self.started.contains(number) && !self.applied.outcomes.contains_key(number)
            })
            .filter(|(_, step)| step.after.iter().all(done))
            .map(|(number, _)| number)
            .collect()
    }

    /// Marks the steps that can no longer begin because one they wait for did not succeed.
    fn skip(&mut self) {
        for (number, step) in self.plan.steps.iter().enumerate() {
            if self.applied.outcomes.contains_key(&number) {
                continue;
            }
            let because =
                step.after.iter().find_map(|earlier| match self.applied.outcomes.get(earlier) {
                    Some(Outcome::Failed(_)) => Some(Some(*earlier)),
                    Some(Outcome::Skipped(because)) => Some(*because),
                    Some(Outcome::Done) | None => None,
                });
            if let Some(because) = because {
                self.applied.outcomes.insert(number, Outcome::Skipped(because));
                (self.tell)(Event::Skipped { step: number, because });
            }
        }
    }

    /// Marks every step that has not begun.
    fn stop(&mut self) {
        self.applied.interrupted = true;
        for number in 0..self.plan.steps.len() {
            if !self.started.contains(&number) && !self.applied.outcomes.contains_key(&number) {
                self.applied.outcomes.insert(number, Outcome::Skipped(None));
                (self.tell)(Event::Skipped { step: number, because: None });
            }
        }
    }

    fn end(&mut self, ended: Ended) {
        let Ended { step, took, failure, returned } = ended;
        let outcome = match failure {
            None => {
                (self.tell)(Event::Finished { step, took });
                Outcome::Done
            }
            Some(failure) => {
                (self.tell)(Event::Failed { step, took, failure: failure.clone() });
                Outcome::Failed(failure)
            }
        };
        self.applied.outcomes.insert(step, outcome);
        if let Some((group, failure)) = returned {
            (self.tell)(Event::Returned { group: group.clone(), failure: failure.clone() });
            self.applied.returned.insert(group, failure);
        }
    }
}

/// Runs one step; when it fails, what the plan gives for that case.
async fn run<E: Engine>(engine: &E, plan: &Plan, step: usize, keyring: &Keyring) -> Ended {
    let begin = now();
    let result = engine.execute(&plan.steps[step].op).await;
    let took = since(begin);
    let Err(error) = result else { return Ended { step, took, failure: None, returned: None } };
    let mut failure = failure(&error, keyring);
    failure.remedy = failure::remedy_of(&error, plan, &plan.steps[step], failure.remedy);
    let ops = &plan.steps[step].on_failure;
    if ops.is_empty() {
        return Ended { step, took, failure: Some(failure), returned: None };
    }
    // Each is tried whatever became of the one before: half a return is better than none.
    let mut trouble: Option<Error> = None;
    for op in ops {
        if let Err(error) = engine.execute(op).await {
            trouble.get_or_insert(error);
        }
    }
    if let Error::NotReady { .. } = error {
        // Its log went with it; what there was of it is among the facts.
        failure.remedy = Some("correct it, then nself apply".to_owned());
    }
    let trouble = trouble.map(|error| self::failure(&error, keyring));
    let returned = Some((plan.steps[step].group.clone(), trouble));
    Ended { step, took, failure: Some(failure), returned }
}

/// What a step costs the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Download,
    Build,
    Wait,
    Call,
}

impl Kind {
    fn of(op: &Op) -> Self {
        match op {
            Op::Pull { .. } => Self::Download,
            Op::Build { .. } => Self::Build,
            Op::AwaitReady { .. } => Self::Wait,
            Op::RemoveImage { .. }
            | Op::CreateNetwork { .. }
            | Op::RemoveNetwork { .. }
            | Op::CreateVolume { .. }
            | Op::RemoveVolume { .. }
            | Op::WriteFiles { .. }
            | Op::CheckFiles { .. }
            | Op::SwitchFiles { .. }
            | Op::Signal { .. }
            | Op::CreateContainer { .. }
            | Op::Start(_)
            | Op::Stop { .. }
            | Op::Restart(_)
            | Op::Unpause(_)
            | Op::Rename { .. }
            | Op::RemoveContainer(_)
            | Op::Update { .. }
            | Op::Connect { .. }
            | Op::Disconnect { .. }
            | Op::Ensure { .. }
            | Op::DropInner { .. }
            | Op::WriteRecord { .. }
            | Op::RemoveRecord { .. } => Self::Call,
        }
    }

    /// Returns how many go on at once. Waiting costs nothing; a build takes every core there is.
    fn limit(self) -> usize {
        match self {
            Self::Download => 3,
            Self::Build => 1,
            Self::Wait => 1024,
            Self::Call => 16,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a step took is part of its event")]
fn now() -> Instant {
    Instant::now()
}

fn since(begin: Instant) -> Millis {
    Millis(u64::try_from(now().duration_since(begin).as_millis()).unwrap_or(u64::MAX))
}
