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
    plan::{Applied, Event, Failure, Op, Outcome, Plan, Span},
};

/// Applies a plan and tells of each thing that happens.
///
/// When `cancel` fires, running steps are finished and no further ones are begun. Only waits are given up:
/// they change nothing, and the next apply waits for what this one did not see ready.
pub async fn apply<E: Engine>(
    engine: &E,
    plan: &Plan,
    keyring: &Keyring,
    tell: &(dyn Fn(Event) + Sync),
    cancel: &CancellationToken,
) -> Applied {
    let begin = now();
    let mut walk = Walk::new(plan, tell);
    let mut running = FuturesUnordered::new();
    loop {
        if cancel.is_cancelled() && !walk.applied.interrupted {
            walk.stop();
        }
        for step in walk.begin() {
            tell(Event::Started { step });
            running.push(timed(begin, run(engine, plan, step, keyring, cancel)));
        }
        let Some((ended, span)) = running.next().await else { break };
        walk.applied.spans.insert(ended.step, span);
        walk.end(ended);
    }
    walk.applied
}

/// Where the walk is. Each edge of the plan is looked at once.
struct Walk<'a> {
    plan: &'a Plan,
    tell: &'a (dyn Fn(Event) + Sync),
    applied: Applied,
    /// How many of the steps that each waits for are not done.
    unmet: Vec<usize>,
    /// The steps that wait for each.
    dependants: Vec<Vec<usize>>,
    /// The steps that may begin, by what they cost.
    open: BTreeMap<Kind, BTreeSet<usize>>,
    running: BTreeMap<Kind, usize>,
    /// The steps that have begun.
    begun: BTreeSet<usize>,
}

struct Ended {
    step: usize,
    took: Millis,
    came_of_it: Outcome,
    returned: Option<(ResourceId, Option<Failure>)>,
}

impl<'a> Walk<'a> {
    fn new(plan: &'a Plan, tell: &'a (dyn Fn(Event) + Sync)) -> Self {
        let mut walk = Self {
            plan,
            tell,
            applied: Applied::default(),
            unmet: plan.steps.iter().map(|step| step.after.len()).collect(),
            dependants: vec![Vec::new(); plan.steps.len()],
            open: BTreeMap::new(),
            running: BTreeMap::new(),
            begun: BTreeSet::new(),
        };
        for (number, step) in plan.steps.iter().enumerate() {
            for earlier in &step.after {
                walk.dependants[*earlier].push(number);
            }
            if step.after.is_empty() {
                walk.open(number);
            }
        }
        walk
    }

    fn kind(&self, step: usize) -> Kind {
        Kind::of(&self.plan.steps[step].op)
    }

    fn open(&mut self, step: usize) {
        self.open.entry(self.kind(step)).or_default().insert(step);
    }

    /// Begins as many steps as may go on at once, and returns them in the order of the plan.
    fn begin(&mut self) -> BTreeSet<usize> {
        let mut steps = BTreeSet::new();
        for (kind, open) in &mut self.open {
            let running = self.running.entry(*kind).or_default();
            while *running < kind.limit() {
                let Some(step) = open.pop_first() else { break };
                *running += 1;
                steps.insert(step);
            }
        }
        self.begun.extend(&steps);
        steps
    }

    /// Marks the steps that can no longer begin because one they wait for did not succeed.
    fn skip_after(&mut self, step: usize, because: Option<usize>) {
        let mut waiting: BTreeSet<usize> = self.dependants[step].iter().copied().collect();
        while let Some(number) = waiting.pop_first() {
            if !self.applied.outcomes.contains_key(&number) {
                self.skip(number, because);
                waiting.extend(&self.dependants[number]);
            }
        }
    }

    /// Marks every step that has not begun.
    fn stop(&mut self) {
        self.applied.interrupted = true;
        self.open.clear();
        for number in 0..self.plan.steps.len() {
            if !self.begun.contains(&number) && !self.applied.outcomes.contains_key(&number) {
                self.skip(number, None);
            }
        }
    }

    fn skip(&mut self, step: usize, because: Option<usize>) {
        self.applied.outcomes.insert(step, Outcome::Skipped(because));
        (self.tell)(Event::Skipped { step, because });
    }

    fn end(&mut self, ended: Ended) {
        let Ended { step, took, came_of_it, returned } = ended;
        if let Some(running) = self.running.get_mut(&self.kind(step)) {
            *running -= 1;
        }
        match came_of_it {
            Outcome::Done => {
                self.applied.outcomes.insert(step, Outcome::Done);
                (self.tell)(Event::Finished { step, took });
                for dependant in std::mem::take(&mut self.dependants[step]) {
                    self.unmet[dependant] -= 1;
                    let is_settled = self.applied.outcomes.contains_key(&dependant);
                    if self.unmet[dependant] == 0 && !is_settled {
                        self.open(dependant);
                    }
                }
            }
            Outcome::Failed(failure) => {
                self.applied.outcomes.insert(step, Outcome::Failed(failure.clone()));
                (self.tell)(Event::Failed { step, took, failure });
                self.skip_after(step, Some(step));
            }
            Outcome::Skipped(because) => {
                self.skip(step, because);
                self.skip_after(step, because);
            }
        }
        if let Some((group, failure)) = returned {
            (self.tell)(Event::Returned { group: group.clone(), failure: failure.clone() });
            self.applied.returned.insert(group, failure);
        }
    }
}

/// Notes when a step ran, counted from `begin`.
async fn timed(begin: Instant, step: impl Future<Output = Ended>) -> (Ended, Span) {
    let started = since(begin);
    let ended = step.await;
    (ended, Span { begin: started, end: since(begin) })
}

/// Runs one step; when it fails, what the plan gives for that case.
async fn run<E: Engine>(
    engine: &E,
    plan: &Plan,
    step: usize,
    keyring: &Keyring,
    cancel: &CancellationToken,
) -> Ended {
    let begin = now();
    let result = execute(engine, &plan.steps[step].op, cancel).await;
    let took = since(begin);
    let error = match result {
        Some(Ok(())) => return Ended { step, took, came_of_it: Outcome::Done, returned: None },
        Some(Err(error)) => error,
        // Nothing failed, so there is nothing to take back.
        None => return Ended { step, took, came_of_it: Outcome::Skipped(None), returned: None },
    };
    let mut failure = failure(&error, keyring);
    failure.remedy = failure::remedy_of(&error, plan, &plan.steps[step], failure.remedy);
    let ops = &plan.steps[step].on_failure;
    if ops.is_empty() {
        return Ended { step, took, came_of_it: Outcome::Failed(failure), returned: None };
    }
    // Each is tried whatever became of the one before: half a return is better than none.
    let mut trouble: Option<Failure> = None;
    for op in ops {
        match execute(engine, op, cancel).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                trouble.get_or_insert_with(|| self::failure(&error, keyring));
            }
            None => {
                let chain =
                    vec!["it was started, and not waited for, as you stopped it".to_owned()];
                trouble.get_or_insert(Failure { chain, ..Failure::default() });
            }
        }
    }
    if let Error::NotReady { .. } = error {
        // Its log went with it; what there was of it is among the facts.
        failure.remedy = Some("correct it, then nself apply".to_owned());
    }
    let returned = Some((plan.steps[step].group.clone(), trouble));
    Ended { step, took, came_of_it: Outcome::Failed(failure), returned }
}

/// Does one thing; `None` when it is a wait that was given up.
async fn execute<E: Engine>(
    engine: &E,
    op: &Op,
    cancel: &CancellationToken,
) -> Option<Result<(), Error>> {
    let is_wait = matches!(op, Op::AwaitReady { .. });
    tokio::select! {
        biased;
        result = engine.execute(op) => Some(result),
        () = cancel.cancelled(), if is_wait => None,
    }
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
