//! The pass itself, over a desired state that is given: look, compare, plan, apply, remember.

use tokio_util::sync::CancellationToken;

use crate::{
    apply,
    desired::Desired,
    diff,
    engine::{self, Engine, Observe},
    model::{Keyring, ResourceId},
    observed::{Observed, Request},
    plan::{self, Applied, Event, Op, Plan, Policy},
};

/// After so many passes over what could not be seen before, something is wrong that a further one does
/// not put right.
const MOST_PASSES: usize = 3;

/// Looks at the engine and plans. Writes nothing.
///
/// Contents of generated files are read when `contents` says so, and when some differ, so that the plan
/// can show how.
///
/// # Errors
/// Whatever the engine says.
pub async fn look<E: Observe>(
    engine: &E,
    desired: &mut Desired,
    keyring: &Keyring,
    policy: &Policy,
    contents: bool,
) -> Result<(Observed, Plan), engine::Error> {
    let request = Request::of(desired, contents);
    let mut observed = engine.observe(&request).await?;
    if let Some(record) = &observed.record {
        desired.suspend(&record.suspended);
    }
    let mut changes = diff::diff(desired, &observed, keyring);
    let files_differ = changes
        .changes
        .iter()
        .any(|change| matches!(change.id, ResourceId::Files(_)) && !change.fields.is_empty());
    if files_differ && !contents {
        observed = engine.observe(&Request { contents: true, ..request }).await?;
        changes = diff::diff(desired, &observed, keyring);
    }
    let plan = plan::plan(desired, &observed, changes, policy, keyring);
    Ok((observed, plan))
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
    keyring: &Keyring,
    policy: &Policy,
    tell: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<(Vec<(Plan, Applied)>, Plan), engine::Error> {
    let mut passes = Vec::new();
    let mut plan = first;
    loop {
        let applied = once(engine, desired, &plan, keyring, tell, cancel).await?;
        let (_, failed, skipped) = applied.counts();
        let deferred = plan
            .changes
            .changes
            .iter()
            .filter(|change| change.action == diff::Action::Deferred)
            .map(|change| change.id.clone())
            .collect::<std::collections::BTreeSet<_>>();
        passes.push((plan, applied));
        let (_, rest) = look(engine, desired, keyring, policy, false).await?;
        let only_deferred =
            rest.steps.iter().all(|step| deferred.contains(&step.group)) && !rest.steps.is_empty();
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
    let write = |record| Op::WriteRecord {
        prefix: desired.prefix(),
        labels: plan::ownership_labels(desired),
        record,
    };
    if !plan.steps.is_empty() {
        engine.execute(&write(plan.intent.clone())).await?;
    }
    let applied = apply::apply(engine, plan, keyring, &|event| tell(plan, event), cancel).await;
    let after = plan::record_after(desired, plan, &applied, keyring);
    let empty = desired.resources.is_empty() && plan.held.is_empty() && applied.counts().1 == 0;
    if empty {
        engine.execute(&Op::RemoveRecord { prefix: desired.prefix() }).await?;
    } else {
        engine.execute(&write(after)).await?;
    }
    Ok(applied)
}
