//! Volumes that are made anew, and what has to be put into them again.

use std::collections::BTreeSet;

use super::{Policy, Release, Verb};
use crate::{
    desired::{Container, Desired, Field, MountSource, Resource},
    diff::{Action, Change, Changes, Effect, FieldChange, Mover},
    model::ResourceId,
};

/// Returns the volumes that are made anew: those with data only when that was released.
pub(super) fn volumes(desired: &Desired, changes: &Changes, policy: &Policy) -> BTreeSet<String> {
    let is_released = |id: &ResourceId| {
        policy.allow.contains(&Release::Change { verb: Verb::Replace, id: id.clone() })
    };
    let all = changes.changes.iter().filter_map(|change| {
        let Some(Resource::Volume(volume)) = desired.resources.get(&change.id) else {
            return None;
        };
        let is_made_anew = match change.action {
            Action::Change(Effect::DataAtRisk) | Action::Conflict => is_released(&change.id),
            Action::Change(_) => true,
            Action::Create
            | Action::Remove
            | Action::Deferred
            | Action::NotChecked
            | Action::Settle => false,
        };
        is_made_anew.then(|| volume.name.clone())
    });
    all.collect()
}

/// Adds what is as it should be now, and goes with its volume: files, and what is inside a service.
pub(super) fn refill(desired: &Desired, changes: &mut Changes, emptied: &BTreeSet<String>) {
    if emptied.is_empty() {
        return;
    }
    for (id, resource) in &desired.resources {
        let action = match resource {
            Resource::Files(files) if emptied.contains(&files.volume) => Action::Create,
            Resource::Inner(inner)
                if desired
                    .container(&inner.container)
                    .is_some_and(|service| keeps_data_in(service, desired, emptied)) =>
            {
                Action::Deferred
            }
            _ => continue,
        };
        let is_loaded = |field: &FieldChange| field.path.field == Field::Loaded;
        let is_there = match changes.get(id) {
            None => changes.unchanged.remove(id),
            Some(change) => change.action != Action::Create && change.fields.iter().all(is_loaded),
        };
        if is_there {
            changes.changes.retain(|change| change.id != *id);
            let change = Change::new(id, action, "its volume is made anew");
            changes.push(change.moved_by(Mover::You));
        }
    }
}

fn keeps_data_in(service: &Container, desired: &Desired, emptied: &BTreeSet<String>) -> bool {
    service.mounts.values().any(|mount| match &mount.source {
        MountSource::Volume(name) => {
            let id = ResourceId::Volume(name.clone());
            let volume = desired.resources.get(&id);
            emptied.contains(name)
                && matches!(volume, Some(Resource::Volume(volume)) if !volume.disposable)
        }
        MountSource::Bind(_) => false,
    })
}
