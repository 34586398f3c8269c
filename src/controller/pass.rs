//! The pass itself, over a desired state that is given: look, compare, plan, apply, remember.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use crate::{
    apply,
    desired::{Desired, Phase, Resource},
    diff::{self, Action, Change, Changes, Effect},
    engine::{self, Engine, Observe},
    model::{Keyring, ResourceId, ServiceName},
    observed::{Observed, Request, State},
    plan::{self, Applied, Event, Op, Past, Plan, Policy, Step},
};

/// After so many passes over what could not be seen before, something is wrong that a further one does
/// not put right.
const MOST_PASSES: usize = 3;

/// What a pass is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Goal {
    /// Everything as the file says; services that a person stopped stay stopped.
    #[default]
    Converge,
    /// The same, and these services are not stopped any more; none named is all.
    Resume(BTreeSet<ServiceName>),
    /// These services stopped, and nothing else; none named is all.
    Suspend(BTreeSet<ServiceName>),
    /// What fits taken as ours, with the networks it is to be on, and nothing else.
    Adopt,
    /// These services stopped and started, and nothing else; none named is all.
    Restart(BTreeSet<ServiceName>),
    /// What applies left behind gone, and nothing else.
    Clean,
}

/// What a pass needs to know beside the engine and the desired state.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// What it is for.
    pub goal: &'a Goal,
    /// The secrets.
    pub keyring: &'a Keyring,
    /// What may be destroyed or replaced.
    pub policy: &'a Policy,
    /// The services it is for; none is all of the project. Only of use where everything is to be as the
    /// file says.
    pub targets: &'a BTreeSet<ServiceName>,
    /// The services that are left as they are, also where others need them.
    pub spared: &'a BTreeSet<ServiceName>,
    /// How long containers were away in past applies.
    pub past: &'a Past,
    /// Whether contents of generated files are read although their size and time say nothing changed.
    pub contents: bool,
    /// Whether images that were built and are not of use any more matter.
    pub built_images: bool,
}

/// Looks at the engine and plans. Writes nothing.
///
/// # Errors
/// Whatever the engine says.
pub async fn look<E: Observe>(
    engine: &E,
    desired: &mut Desired,
    brief: &Brief<'_>,
) -> Result<(Observed, Plan), engine::Error> {
    let request =
        Request { built_images: brief.built_images, ..Request::of(desired, brief.contents) };
    let mut observed = engine.observe(&request).await?;
    let recorded = observed.record.as_ref().map(|record| record.suspended.clone());
    desired.suspend(&brief.goal.suspended(recorded.unwrap_or_default(), desired));
    if !brief.goal.is_about_content() {
        // Policies are about what the file says, and this is not.
        desired.rules.clear();
    }
    let mut changes = compare(desired, &observed, brief.keyring);
    let files_differ = changes
        .changes
        .iter()
        .any(|change| matches!(change.id, ResourceId::Files(_)) && !change.fields.is_empty());
    if files_differ && !brief.contents {
        // So that the plan can show how they differ.
        observed = engine.observe(&Request { contents: true, ..request }).await?;
        changes = compare(desired, &observed, brief.keyring);
    }
    let changes = brief.goal.narrow(changes, desired, &observed);
    let changes = plan::narrow(changes, desired, &observed, brief.targets);
    let changes = plan::spare(changes, desired, brief.spared);
    let plan = plan::plan(desired, &observed, changes, brief.policy, brief.past, brief.keyring);
    Ok((observed, plan))
}

/// Compares, with each service in the form in which it runs, unless it is made anew anyway.
fn compare(desired: &mut Desired, observed: &Observed, keyring: &Keyring) -> Changes {
    diff::settle(desired, observed, keyring, &BTreeSet::new());
    let changes = diff::diff(desired, observed, keyring);
    let anew = diff::outgrown(desired, &changes);
    if anew.is_empty() {
        return changes;
    }
    diff::settle(desired, observed, keyring, &anew);
    diff::diff(desired, observed, keyring)
}

/// Applies a plan that was just made, and then what it deferred, until nothing is left to do.
///
/// Returns each pass, and the plan that is left: empty, held, or what failed.
///
/// # Errors
/// Whatever the engine says while nself looks or remembers. Failures of steps are in the result.
pub async fn converge<E: Engine>(
    engine: &E,
    desired: &mut Desired,
    first: Plan,
    brief: &Brief<'_>,
    tell: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<(Vec<(Plan, Applied)>, Plan), engine::Error> {
    let mut passes = Vec::new();
    let mut plan = first;
    loop {
        if plan.is_refused() {
            return Ok((passes, plan));
        }
        let applied = if *brief.goal == Goal::Clean {
            // Nothing that is remembered is touched.
            apply::apply(engine, &plan, brief.keyring, &|event| tell(&plan, event), cancel).await
        } else {
            once(engine, desired, &plan, brief.keyring, tell, cancel).await?
        };
        let (done, failed, skipped) = applied.counts();
        let deferred: BTreeSet<ResourceId> = plan
            .changes
            .changes
            .iter()
            .filter(|change| change.action == Action::Deferred)
            .map(|change| change.id.clone())
            .collect();
        let nothing_done = done + failed + skipped == 0 && plan.adopted() == 0;
        passes.push((plan.clone(), applied));
        if nothing_done || matches!(brief.goal, Goal::Restart(_)) {
            let rest = if nothing_done { plan } else { Plan { steps: Vec::new(), ..plan } };
            return Ok((passes, rest));
        }
        let (_, rest) = look(engine, desired, brief).await?;
        // What became ours as it is may be a job that has not ended.
        let is_awaited =
            |step: &Step| matches!(step.op, Op::AwaitReady { .. }) && plan.adopts(&step.group);
        let only_deferred =
            rest.steps.iter().all(|step| deferred.contains(&step.group) || is_awaited(step))
                && !rest.steps.is_empty();
        let go_on = failed == 0 && skipped == 0 && only_deferred && passes.len() < MOST_PASSES;
        if !go_on {
            return Ok((passes, rest));
        }
        plan = rest;
    }
}

/// Applies one plan: writes down what is intended, walks the steps, writes down what came of them.
async fn once<E: Engine>(
    engine: &E,
    desired: &Desired,
    plan: &Plan,
    keyring: &Keyring,
    tell: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<Applied, engine::Error> {
    let (prefix, labels) = (desired.prefix(), plan::ownership_labels(desired));
    let write = |record| Op::WriteRecord { prefix: prefix.clone(), labels: labels.clone(), record };
    if !plan.steps.is_empty() {
        engine.execute(&write(plan.intent.clone())).await?;
    }
    let applied = apply::apply(engine, plan, keyring, &|event| tell(plan, event), cancel).await;
    let (_, failed, skipped) = applied.counts();
    let left = plan.held.len() + plan.changes.left_out.len();
    let is_gone = desired.resources.is_empty() && left == 0 && failed + skipped == 0;
    if is_gone {
        engine.execute(&Op::RemoveRecord { prefix, labels }).await?;
        return Ok(applied);
    }
    let after = plan::record_after(desired, plan, &applied, keyring);
    let known = plan.recorded.as_ref().is_some_and(|recorded| recorded.says_the_same(&after));
    if !(plan.steps.is_empty() && known) {
        engine.execute(&write(after)).await?;
    }
    Ok(applied)
}

impl<'a> Brief<'a> {
    /// Returns what a pass over the whole project needs to know that reads no more of files than it must,
    /// and knows nothing of past ones.
    pub fn new(goal: &'a Goal, keyring: &'a Keyring, policy: &'a Policy) -> Self {
        static ALL: BTreeSet<ServiceName> = BTreeSet::new();
        static NONE: BTreeSet<ServiceName> = BTreeSet::new();
        static NOTHING: Past = Past(BTreeMap::new());
        Self {
            goal,
            keyring,
            policy,
            targets: &ALL,
            spared: &NONE,
            past: &NOTHING,
            contents: false,
            built_images: *goal == Goal::Clean,
        }
    }
}

impl Goal {
    /// Returns whether a pass towards it needs to know the secrets, and what generated files read as.
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Converge | Self::Resume(_) => true,
            Self::Suspend(_) | Self::Restart(_) | Self::Clean | Self::Adopt => false,
        }
    }

    /// Returns the services that are to be stopped, of those that were.
    fn suspended(
        &self,
        recorded: BTreeSet<ServiceName>,
        desired: &Desired,
    ) -> BTreeSet<ServiceName> {
        let all = || desired.containers().map(|container| container.service.clone());
        match self {
            Self::Converge | Self::Restart(_) | Self::Clean | Self::Adopt => recorded,
            Self::Resume(services) if services.is_empty() => BTreeSet::new(),
            Self::Resume(services) => &recorded - services,
            Self::Suspend(services) if services.is_empty() => all().collect(),
            Self::Suspend(services) => &recorded | services,
        }
    }

    /// Leaves only what the goal is about.
    fn narrow(&self, mut changes: Changes, desired: &Desired, observed: &Observed) -> Changes {
        let about =
            |services: &BTreeSet<ServiceName>, id: &ResourceId| match desired.resources.get(id) {
                Some(Resource::Container(container)) => {
                    services.is_empty() || services.contains(&container.service)
                }
                _ => false,
            };
        match self {
            Self::Converge | Self::Resume(_) => changes,
            Self::Clean => diff::leftovers(desired, observed),
            Self::Adopt => {
                changes.changes.retain(|change| match change.action {
                    Action::Conflict => true,
                    Action::Create => matches!(change.id, ResourceId::Network(_)),
                    _ => false,
                });
                changes
            }
            Self::Suspend(services) => {
                // A job has nothing to stop, and stopping does none that is due.
                let is_stopped = |id: &ResourceId| match desired.resources.get(id) {
                    Some(Resource::Container(container)) => container.phase == Phase::Suspended,
                    _ => false,
                };
                let is_there = |id: &ResourceId| {
                    let mut ours = observed.containers.iter().map(|seen| seen.owner.resource());
                    ours.any(|resource| resource == Some(id))
                };
                changes.changes.retain(|change| {
                    // What somebody else has at its name is not stopped, nor made ours to be stopped.
                    let is_theirs = change.action == Action::Conflict && !is_there(&change.id);
                    about(services, &change.id) && is_stopped(&change.id) && !is_theirs
                });
                changes
            }
            Self::Restart(services) => {
                changes.changes.clear();
                changes.unchanged.clear();
                for seen in &observed.containers {
                    let Some(id) = seen.owner.resource() else { continue };
                    if seen.state == State::Running && about(services, id) {
                        let restart = Action::Change(Effect::Restart);
                        let change = Change::new(id, restart, "you asked for it");
                        changes.push(change.about(&seen.id, &seen.name));
                    }
                }
                changes
            }
        }
    }
}
