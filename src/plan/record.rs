//! What the project remembers: before the steps as intent, after them as fact.

use std::collections::{BTreeMap, BTreeSet};

use super::{Applied as Done, Op, Outcome, Plan, Step};
use crate::{
    desired::{Class, Desired, Field, Fields, Phase, Resource},
    diff::{Action, Changes, Effect, FieldChange, LeftOut, effect, job_digest},
    model::{Keyring, ResourceId},
    observed::{Applied, Observed, Record, label},
};

/// Returns the labels that mark an object as this project instance's.
pub fn ownership_labels(desired: &Desired) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([(label::PROJECT.to_owned(), desired.project_id.clone())]);
    if let Some(instance) = &desired.instance {
        labels.insert(label::INSTANCE.to_owned(), instance.to_string());
    }
    labels
}

/// Returns the labels of a new object: whose it is, which resource, and what it is made with.
pub(super) fn object_labels(
    desired: &Desired,
    id: &ResourceId,
    keyring: &Keyring,
) -> BTreeMap<String, String> {
    let mut labels = ownership_labels(desired);
    labels.insert(label::RESOURCE.to_owned(), id.to_string());
    if let Some(resource) = desired.resources.get(id) {
        let applied = Applied::of(&resource.fields(), keyring);
        labels.insert(label::APPLIED.to_owned(), applied.to_text());
        if let Resource::Volume(volume) = resource
            && volume.disposable
        {
            labels.insert(label::DISPOSABLE.to_owned(), "true".to_owned());
        }
    }
    labels
}

/// Returns the memory that stands while the steps run. After a crash it makes the next plan look again
/// at whatever was about to be started or loaded.
pub(super) fn intent(
    desired: &Desired,
    observed: &Observed,
    changes: &Changes,
    steps: &[Step],
    adopted: BTreeMap<ResourceId, String>,
) -> Record {
    let mut record = observed.record.clone().unwrap_or_default();
    record.generation += u64::from(!steps.is_empty());
    record.at = observed.at;
    record.complete = false;
    record.resources.extend(changes.unchanged.iter().cloned());
    record.suspended = suspended(desired);
    record.resources.extend(adopted.keys().cloned());
    record.adopted.extend(adopted);
    let is_in_place = |id: &ResourceId| {
        changes.get(id).is_some_and(|change| change.action == Action::Change(Effect::InPlace))
    };
    for step in steps {
        match &step.op {
            Op::Start(_) | Op::Restart(_) => {
                if matches!(step.group, ResourceId::Container(_)) {
                    record.unready.insert(step.group.clone());
                }
            }
            // What nobody has to load counts as loaded before it is there: a crash in between must not
            // end in a restart.
            Op::SwitchFiles { digest, .. } if is_in_place(&step.group) => {
                record.loaded.insert(step.group.clone(), digest.clone());
            }
            Op::SwitchFiles { .. } | Op::Signal { .. } => {
                record.loaded.remove(&step.group);
            }
            _ => {}
        }
    }
    record.unready.retain(|id| desired.resources.contains_key(id));
    // What an apply removed before it was cut off is not there for somebody else to remove.
    record.resources.retain(|id| desired.resources.contains_key(id) || is_there(id, observed));
    record
}

/// Returns whether something that nobody wants may still be there.
fn is_there(id: &ResourceId, observed: &Observed) -> bool {
    let Observed { containers, networks, volumes, .. } = observed;
    match id {
        ResourceId::Container(name) => containers.iter().any(|seen| {
            seen.owner.resource() == Some(id) || (seen.owner.is_ours() && seen.name == *name)
        }),
        ResourceId::Network(name) => networks.iter().any(|seen| seen.name == *name),
        ResourceId::Volume(name) => volumes.iter().any(|seen| seen.name == *name),
        // What is inside a service and not wanted is not looked at.
        ResourceId::Inner(_) => true,
        ResourceId::Image(_) | ResourceId::Files(_) => false,
    }
}

/// Returns the memory after the steps.
#[expect(clippy::too_many_lines, reason = "one memory, one paragraph for each part of it")]
pub fn record_after(desired: &Desired, plan: &Plan, done: &Done, keyring: &Keyring) -> Record {
    let mut record = plan.intent.clone();
    record.complete = true;
    let is_done = |step: usize| done.outcomes.get(&step) == Some(&Outcome::Done);
    let mut failed: BTreeSet<&ResourceId> = BTreeSet::new();
    for (number, step) in plan.steps.iter().enumerate() {
        if !is_done(number) {
            failed.insert(&step.group);
        }
        let done = is_done(number);
        match &step.op {
            Op::AwaitReady { .. } if done => {
                record.unready.remove(&step.group);
            }
            Op::CreateContainer { .. }
            | Op::CreateNetwork { .. }
            | Op::CreateVolume { .. }
            | Op::SwitchFiles { .. }
            | Op::Pull { .. }
            | Op::Build { .. }
            | Op::Ensure { .. }
                if done =>
            {
                record.resources.insert(step.group.clone());
            }
            _ => {}
        }
    }
    // What was made anew says by its label whose it is.
    for step in &plan.steps {
        let is_new = matches!(
            step.op,
            Op::CreateContainer { .. } | Op::CreateNetwork { .. } | Op::CreateVolume { .. }
        );
        if is_new && !failed.contains(&step.group) {
            record.adopted.remove(&step.group);
        }
    }
    // What came back is the old one, which was ready.
    for (id, _) in done.returned.iter().filter(|(_, trouble)| trouble.is_none()) {
        record.unready.remove(id);
    }
    for (id, digest) in plan.recorded.iter().flat_map(|recorded| &recorded.loaded) {
        if still_loaded(id, plan, done) {
            record.loaded.entry(id.clone()).or_insert_with(|| digest.clone());
        }
    }
    let touched: BTreeSet<&ResourceId> = plan.steps.iter().map(|step| &step.group).collect();
    for change in &plan.changes.changes {
        let id = &change.id;
        if failed.contains(id) || is_stopped(plan, id) || !touched.contains(id) {
            continue;
        }
        if change.action == Action::Remove {
            record.resources.remove(id);
        } else {
            record.resources.insert(id.clone());
        }
    }
    // What a person asked to have restarted was not compared.
    let is_restarted = |id: &ResourceId| {
        let change = plan.changes.get(id);
        change.is_some_and(|change| {
            change.action == Action::Change(Effect::Restart) && change.fields.is_empty()
        })
    };
    for (id, resource) in &desired.resources {
        // What was not compared, or not put right, is as it was.
        let is_adopted = plan.adopts(id) && !failed.contains(id);
        let is_as_wanted = plan.changes.unchanged.contains(id)
            || is_adopted
            || ((touched.contains(id) || finds_its_files(id, resource, plan))
                && !failed.contains(id)
                && !is_restarted(id)
                && !is_stopped(plan, id));
        if !is_as_wanted {
            continue;
        }
        record.resources.insert(id.clone());
        match resource {
            // Only its state was put right; the rest is looked at again when it is started.
            Resource::Container(container) if container.phase == Phase::Suspended => {}
            Resource::Container(_) | Resource::Inner(_) => {
                if let Resource::Container(job) = resource
                    && job.class == Class::Job
                {
                    record.jobs.insert(id.clone(), job_digest(job, keyring));
                }
                // What was adopted has no label that would remember the rest.
                let whole = record.adopted.contains_key(id);
                let fields = resource.fields().0.into_iter();
                let in_place = fields
                    .filter(|(path, _)| whole || effect(path.field) == Effect::InPlace)
                    .collect();
                record.in_place.insert(id.clone(), Applied::of(&Fields(in_place), keyring));
            }
            Resource::Files(files) => {
                let reader = ResourceId::Container(files.container.clone());
                // What another vault named is still called so.
                let keeps = plan.changes.unchanged.contains(id) && record.loaded.contains_key(id);
                if let Some(digest) = files.digest(keyring)
                    && !failed.contains(&reader)
                    && !keeps
                {
                    record.loaded.insert(id.clone(), digest.as_str().to_owned());
                }
            }
            Resource::Network(_) | Resource::Volume(_) => {
                if record.adopted.contains_key(id) {
                    let applied = Applied::of(&resource.fields(), keyring);
                    record.in_place.insert(id.clone(), applied);
                }
            }
            Resource::Image(_) => {}
        }
    }
    // What was left out is remembered as it was: it has not gone.
    let changes = &plan.changes;
    let wanted =
        |id: &ResourceId| desired.resources.contains_key(id) || changes.left_out(id).is_some();
    let leaves = |left: &LeftOut| left.change.action == Action::Remove;
    let all_went = !changes.left_out.iter().any(leaves);
    // What was inside a service that is gone went with it, or lies in its volume.
    let services: BTreeSet<_> = desired.containers().map(|container| &container.service).collect();
    record.resources.retain(|id| match id {
        ResourceId::Inner(inner) => wanted(id) || services.contains(&inner.service) || !all_went,
        _ => true,
    });
    record.in_place.retain(|id, _| wanted(id));
    record.loaded.retain(|id, _| match id {
        ResourceId::Files(name) => wanted(id) || wanted(&ResourceId::Container(name.clone())),
        _ => wanted(id),
    });
    record.jobs.retain(|id, _| wanted(id));
    // What is still there and not wanted, because its removal is held, stays ours.
    let held = |id: &ResourceId| plan.held.iter().any(|held| held.id == *id) || failed.contains(id);
    record.adopted.retain(|id, _| wanted(id) || held(id));
    record
}

/// Returns whether these are files that are complete, and that their reader finds by itself: the plan starts
/// it for another reason, so that there is no step to load them.
fn finds_its_files(id: &ResourceId, resource: &Resource, plan: &Plan) -> bool {
    let Resource::Files(files) = resource else { return false };
    let is_loaded = |field: &FieldChange| field.path.field == Field::Loaded;
    let change = plan.changes.get(id);
    if !change.is_some_and(|change| {
        change.action != Action::Create && change.fields.iter().all(is_loaded)
    }) {
        return false;
    }
    let reader = ResourceId::Container(files.container.clone());
    let is_start = |step: &Step| matches!(step.op, Op::Start(_) | Op::Restart(_));
    plan.steps.iter().any(|step| step.group == reader && is_start(step))
}

/// Returns whether a service still has the files loaded that it had: new ones were not switched to, or
/// were taken back.
fn still_loaded(id: &ResourceId, plan: &Plan, done: &Done) -> bool {
    let loads = |step: &Step| {
        let is_load =
            matches!(step.op, Op::SwitchFiles { .. } | Op::Signal { .. } | Op::Restart(_));
        is_load && step.group == *id
    };
    let is_skipped =
        |number: usize| matches!(done.outcomes.get(&number), Some(Outcome::Skipped(_)));
    let mut steps = plan.steps.iter().enumerate().filter(|(_, step)| loads(step));
    steps.all(|(number, _)| is_skipped(number)) || done.returned.get(id) == Some(&None)
}

fn is_stopped(plan: &Plan, id: &ResourceId) -> bool {
    plan.blocked.contains_key(id) || plan.held.iter().any(|held| held.id == *id)
}

fn suspended(desired: &Desired) -> BTreeSet<crate::model::ServiceName> {
    desired
        .containers()
        .filter(|container| container.phase == crate::desired::Phase::Suspended)
        .map(|container| container.service.clone())
        .collect()
}
