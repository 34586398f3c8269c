//! Things inside services: seen while the service runs, deferred while it does not.

use super::{
    Action, Change, Changes, Effect, Last, Look, Mover, Remembered, compare::Pictures,
    compare_fields,
};
use crate::{
    desired::{Fields, InnerResource, Resource},
    model::{InnerKind, ResourceId},
    observed::InnerState,
};

/// Compares one wanted thing with what was seen inside its service.
pub(super) fn compare(
    look: &Look<'_>,
    id: &ResourceId,
    inner: &InnerResource,
    changes: &mut Changes,
) {
    let seen = match look.observed.inner.get(&inner.container) {
        Some(InnerState::Seen(seen)) => seen,
        Some(InnerState::Failed(why)) => {
            changes.push(Change::new(id, Action::Deferred, format!("not seen: {why}")));
            return;
        }
        Some(InnerState::NotRunning) | None => {
            let service = &inner.id.service;
            changes.push(Change::new(id, Action::Deferred, format!("seen when {service} runs")));
            return;
        }
    };
    let Some(live) = seen.get(&inner.id) else {
        let mover = look.mover_of_absence(id);
        changes.push(Change::new(id, Action::Create, "not there").moved_by(mover));
        return;
    };
    let wanted = Resource::Inner(inner.clone()).fields();
    let pictures = Pictures {
        wanted: &wanted,
        inherited: &Fields::default(),
        live,
        last: Last::of(look, id, None),
    };
    // Only what the file speaks of is ours; a service knows many more attributes.
    let mut fields = compare_fields(look, id, &pictures, |path| wanted.get(path).is_none());
    let is_new = look.record.is_some_and(|record| !record.resources.contains(id));
    for field in &mut fields {
        field.effect = Effect::InPlace;
        // What the file did not speak of before was nobody's to move.
        let is_unspoken = matches!(pictures.last.get(&field.path), Remembered::Unset);
        if is_unspoken || (is_new && field.mover == Mover::Unknown) {
            field.mover = Mover::You;
        }
    }
    if fields.is_empty() {
        changes.unchanged.insert(id.clone());
    } else {
        changes.push(Change::of_fields(id, fields, ""));
    }
}

/// Finds things that were wanted once, in services that are still wanted. Others inside a service are
/// not ours: people and migrations make their own.
pub(super) fn orphans(look: &Look<'_>, changes: &mut Changes) {
    let Some(record) = look.record else { return };
    for id in &record.resources {
        let ResourceId::Inner(inner) = id else { continue };
        let service_is_wanted = look.desired.resources.values().any(|resource| {
            matches!(resource, Resource::Inner(other) if other.id.service == inner.service)
        });
        if look.desired.resources.contains_key(id) || !service_is_wanted {
            continue;
        }
        let reason = match inner.kind {
            InnerKind::Grant | InnerKind::Login => "not in the file",
            InnerKind::Role | InnerKind::Database | InnerKind::Schema | InnerKind::Extension => {
                "not in the file; it may hold data"
            }
        };
        changes.push(Change::new(id, Action::Remove, reason).moved_by(Mover::You));
    }
}
