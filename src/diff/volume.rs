//! Volumes. Whatever would lose data is only ever reported here; `plan` holds it.

use super::{
    Action, Change, Changes, Effect, Last, Look, Mover, compare::Pictures, compare_fields,
};
use crate::{
    desired::{Fields, Resource, Volume},
    model::ResourceId,
};

/// Compares one wanted volume with the live one of its name.
pub(super) fn compare(look: &Look<'_>, id: &ResourceId, volume: &Volume, changes: &mut Changes) {
    let Some(seen) = look.observed.volumes.iter().find(|seen| seen.name == volume.name) else {
        let mover = look.mover_of_absence(id);
        changes.push(Change::new(id, Action::Create, "not there").moved_by(mover));
        return;
    };
    let wanted = Resource::Volume(volume.clone()).fields();
    let pictures = Pictures {
        wanted: &wanted,
        inherited: &Fields::default(),
        live: &seen.fields,
        last: Last::of(look, id, seen.owner.applied()),
    };
    let mut fields = compare_fields(look, id, &pictures, |_| false);
    // A volume cannot be changed, only made anew without what was in it.
    let effect = if volume.disposable { Effect::Recreate } else { Effect::DataAtRisk };
    for field in &mut fields {
        field.effect = effect;
    }
    if !seen.owner.is_ours() {
        let mut change =
            Change::new(id, Action::Conflict, "a volume that is not ours has its name")
                .moved_by(Mover::Drift)
                .about(&seen.name, &seen.name);
        change.fields = fields;
        changes.push(change);
        return;
    }
    if fields.is_empty() {
        changes.unchanged.insert(id.clone());
        return;
    }
    changes.push(Change::of_fields(id, fields, "").about(&seen.name, &seen.name));
}

/// Finds volumes of ours that nobody wants.
pub(super) fn orphans(look: &Look<'_>, changes: &mut Changes) {
    for seen in look.observed.volumes.iter().filter(|seen| seen.owner.is_ours()) {
        let id = ResourceId::Volume(seen.name.clone());
        if look.desired.resources.contains_key(&id) {
            continue;
        }
        let mut change = Change::new(&id, Action::Remove, look.why_unwanted())
            .moved_by(look.mover_of_presence(&id))
            .about(&seen.name, &seen.name);
        if !seen.disposable {
            change.reason.push_str("; it holds data");
        }
        changes.push(change);
    }
}
