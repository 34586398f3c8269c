//! Networks.

use super::{
    Action, Change, Changes, FieldChange, Last, Leftover, Look, Mover, by_resource,
    compare::Pictures, compare_fields,
};
use crate::{
    desired::{Field, Fields, Network, Resource},
    model::ResourceId,
    observed::SeenNetwork,
};

/// Compares one wanted network with the live one that is meant.
pub(super) fn compare(look: &Look<'_>, id: &ResourceId, network: &Network, changes: &mut Changes) {
    let at_name: Vec<&SeenNetwork> =
        look.observed.networks.iter().filter(|seen| seen.name == network.name).collect();
    let mut ours: Vec<_> = at_name.iter().copied().filter(|seen| seen.owner.is_ours()).collect();
    // The engine allows two networks of one name. The one in use is meant; then the older.
    ours.sort_by_key(|seen| (std::cmp::Reverse(seen.members.len()), &seen.created, &seen.id));
    let Some((keeper, rest)) = ours.split_first() else {
        let change = if let Some(foreign) = at_name.first() {
            let mut change =
                Change::new(id, Action::Conflict, "a network that is not ours has its name")
                    .moved_by(Mover::Drift)
                    .about(&foreign.id, &foreign.name);
            // What would have to change if it were ours.
            change.fields = fields(look, id, network, foreign);
            change
        } else {
            Change::new(id, Action::Create, "not there").moved_by(look.mover_of_absence(id))
        };
        changes.push(change);
        return;
    };
    let fields = fields(look, id, network, keeper);
    // A foreign network of the same name makes every start fail as ambiguous.
    let foreign = at_name.iter().any(|seen| !seen.owner.is_ours());
    if foreign {
        changes.note(id, "another network has the same name and is not ours");
    }
    let mut change = if !fields.is_empty() {
        Change::of_fields(id, fields, "")
    } else if !rest.is_empty() {
        Change::new(id, Action::Settle, "there are others of its name").moved_by(Mover::Drift)
    } else {
        changes.unchanged.insert(id.clone());
        return;
    };
    change.leftovers = leftovers(rest);
    changes.push(change.about(&keeper.id, &keeper.name));
}

fn fields(
    look: &Look<'_>,
    id: &ResourceId,
    network: &Network,
    seen: &SeenNetwork,
) -> Vec<FieldChange> {
    let wanted = Resource::Network(network.clone()).fields();
    let pictures = Pictures {
        wanted: &wanted,
        inherited: &Fields::default(),
        live: &seen.fields,
        last: Last::of(look, id, seen.owner.applied()),
    };
    // Where no subnet is wanted the engine's choice is as good as any.
    compare_fields(look, id, &pictures, |path| {
        path.field == Field::Subnet && network.subnet.is_none()
    })
}

/// Finds networks of ours that nobody wants.
pub(super) fn orphans(look: &Look<'_>, changes: &mut Changes) {
    let unwanted = by_resource(&look.observed.networks, |seen| {
        let id = ResourceId::Network(seen.name.clone());
        (seen.owner.is_ours() && !look.desired.resources.contains_key(&id)).then_some(id)
    });
    for (id, seen) in unwanted {
        let mut change = Change::new(&id, Action::Remove, look.why_unwanted())
            .moved_by(look.mover_of_presence(&id))
            .about(&seen[0].id, &seen[0].name);
        change.leftovers = leftovers(&seen[1..]);
        changes.push(change);
    }
}

fn leftovers(seen: &[&SeenNetwork]) -> Vec<Leftover> {
    seen.iter()
        .map(|seen| Leftover { id: seen.id.clone(), name: seen.name.clone(), mover: Mover::Drift })
        .collect()
}
