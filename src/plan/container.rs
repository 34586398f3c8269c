//! The steps for one container: made, changed in place, restarted, replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Op, Target,
    carry::carry_over,
    draft::Role,
    planner::{Planner, target},
};
use crate::{
    desired::{Container, Field, Phase, Probe},
    diff::{Action, Change, Effect, Shown, is_updated},
    model::{Millis, ResourceId},
    observed::{Live, SeenContainer, State},
};

/// Adds the steps of one container's change.
pub(super) fn group(planner: &mut Planner<'_>, change: &Change, wanted: &Container) {
    let id = &change.id;
    let seen = change
        .subject
        .as_ref()
        .and_then(|subject| planner.observed.containers.iter().find(|seen| seen.id == subject.id));
    if planner.adopts(change) {
        // From here on it is one of ours that differs.
        let ours = Change::of_fields(id, change.fields.clone(), &change.reason);
        if let (Some(seen), false) = (seen, ours.fields.is_empty()) {
            settle(planner, &ours.about(&seen.id, &seen.name), wanted, seen, None);
        }
        return;
    }
    let aside = seen.and_then(|seen| step_aside(planner, wanted, seen));
    // A volume can only be made anew while nothing uses it, whatever else is to be changed.
    let makes_way = planner.uses_emptied_volume(wanted);
    match (change.action, seen) {
        (Action::Create, _) => {
            create(planner, id, wanted, &change.reason, None);
        }
        (Action::Change(_) | Action::Settle, Some(seen)) if makes_way => {
            let taken_away = remove_leftovers(planner, change, aside);
            remove_first(planner, id, wanted, seen, "its volume is made anew", taken_away);
        }
        (Action::Change(Effect::Recreate | Effect::DataAtRisk) | Action::Conflict, Some(seen)) => {
            let taken_away = remove_leftovers(planner, change, aside);
            let why = why_recreate(change);
            // A finished job has nothing to return to.
            if wanted.phase == Phase::Done || makes_way {
                remove_first(planner, id, wanted, seen, &why, taken_away);
            } else {
                replace(planner, change, wanted, seen, taken_away);
            }
        }
        (Action::Change(_) | Action::Settle, Some(seen)) => {
            settle(planner, change, wanted, seen, aside);
        }
        (
            Action::Change(_)
            | Action::Settle
            | Action::Conflict
            | Action::Remove
            | Action::Deferred
            | Action::NotChecked,
            _,
        ) => {}
    }
}

/// Gives up a name that is wanted for another container, which may wait for it, or be waited for: two can
/// have each other's. Nothing that runs is disturbed by it.
fn step_aside(
    planner: &mut Planner<'_>,
    wanted: &Container,
    seen: &SeenContainer,
) -> Option<usize> {
    let name = ResourceId::Container(seen.name.clone());
    let is_anothers = seen.name != wanted.name
        && seen.owner.is_ours()
        && planner.desired.resources.contains_key(&name);
    let id = ResourceId::Container(wanted.name.clone());
    let op = Op::Rename { container: target(seen), to: wanted.aside_name() };
    let why = "it has another one's name";
    is_anothers.then(|| planner.drafts.push(&id, Role::Make, op, why, None))
}

/// Returns the wait for a container to be ready.
pub(super) fn await_ready(container: Target, wanted: &Container) -> Op {
    let probe = match wanted.phase {
        Phase::Done => Probe::Exit,
        Phase::Running | Phase::Suspended => wanted.probe.clone(),
    };
    Op::AwaitReady { container, probe, within: wanted.ready_within }
}

/// Returns the wait for a container that worked before to work again. It is asked by the health check it
/// was made with: the one that is wanted now may ask for what only its successor has.
fn await_return(container: Target, wanted: &Container) -> Op {
    let probe = match wanted.phase {
        Phase::Done => Probe::Exit,
        Phase::Running | Phase::Suspended => Probe::Image,
    };
    Op::AwaitReady { container, probe, within: wanted.ready_within }
}

/// Returns what puts the old one in the place of the new one. The new one goes last: as long as it is there,
/// an apply that finds the old one stopped can see what for.
fn bring_back(new: &Target, old: Target, wanted: &Container) -> Vec<Op> {
    vec![
        Op::Stop { container: new.clone(), grace: Some(Millis(0)) },
        Op::Start(old.clone()),
        await_return(old, wanted),
        Op::RemoveContainer(new.clone()),
    ]
}

fn is_up(state: State) -> bool {
    matches!(state, State::Running | State::Paused | State::Restarting { .. })
}

/// Returns the host ports a live container publishes.
pub(super) fn published(seen: &SeenContainer) -> BTreeSet<u16> {
    let bindings = seen.fields.0.iter().filter(|(path, _)| path.field == Field::Port);
    bindings
        .filter_map(|(_, live)| match live {
            Live::Text(text) => serde_json::from_str::<Vec<String>>(text.expose()).ok(),
            Live::Verifier(_) => None,
        })
        .flatten()
        .filter_map(|binding| binding.rsplit_once(':')?.1.parse().ok())
        .collect()
}

fn why_recreate(change: &Change) -> String {
    if change.fields.is_empty() {
        return change.reason.clone();
    }
    let recreating = change.fields.iter().filter(|field| field.effect >= Effect::Recreate);
    let names: Vec<String> = recreating.map(|field| field.path.to_string()).collect();
    match names.as_slice() {
        [] => change.reason.clone(),
        [one] => format!("{one} cannot be changed in place"),
        [one, rest @ ..] => {
            format!("{one} and {} more cannot be changed in place", rest.len())
        }
    }
}

fn create(
    planner: &mut Planner<'_>,
    id: &ResourceId,
    wanted: &Container,
    why: &str,
    previous: Option<usize>,
) {
    let name = Target::Name(wanted.name.clone());
    let made = make(planner, id, wanted, &wanted.name, None, why, previous);
    if wanted.phase == Phase::Suspended {
        return;
    }
    let started = planner.drafts.push(id, Role::Act, Op::Start(name.clone()), why, Some(made));
    let (role, why) = if can_be_asked(planner, wanted) {
        (Role::Act, "others may need it")
    } else {
        (Role::Aside, "there is no health check to ask, so it has to go on running")
    };
    planner.drafts.push(id, role, await_ready(name, wanted), why, Some(started));
}

/// Returns whether there is something to ask a container that shows it ready, as far as is known: what an
/// image brings along that is not there yet shows later.
fn can_be_asked(planner: &Planner<'_>, wanted: &Container) -> bool {
    if wanted.phase == Phase::Done || wanted.probe != Probe::Image {
        return true;
    }
    let image = planner.observed.images.get(&wanted.image.to_string());
    let is_wanted_anew =
        planner.changes.get(&ResourceId::Image(wanted.image.to_string())).is_some();
    let inherited = image
        .filter(|_| !is_wanted_anew)
        .and_then(|image| planner.observed.image_defaults.get(&image.id));
    inherited.is_none_or(|fields| fields.0.contains_key(&Field::HealthTest.path()))
}

fn make(
    planner: &mut Planner<'_>,
    id: &ResourceId,
    wanted: &Container,
    name: &str,
    instead_of: Option<&SeenContainer>,
    why: &str,
    previous: Option<usize>,
) -> usize {
    let mut labels = planner.labels(id);
    labels.extend(wanted.labels.clone());
    let container = instead_of
        .map_or_else(|| wanted.clone(), |seen| carry_over(wanted, seen, &planner.desired.ignore));
    let op = Op::CreateContainer {
        container: Box::new(container),
        name: name.to_owned(),
        labels,
        anonymous: instead_of.map(|seen| kept_volumes(planner, id, seen)).unwrap_or_default(),
    };
    planner.drafts.push(id, Role::Make, op, why, previous)
}

/// Returns the volumes without a name that go over to the next container: not those that somebody added.
fn kept_volumes(
    planner: &Planner<'_>,
    id: &ResourceId,
    seen: &SeenContainer,
) -> BTreeMap<String, String> {
    let mut kept = seen.anonymous.clone();
    for field in planner.changes.get(id).into_iter().flat_map(|change| &change.fields) {
        if field.path.field == Field::Mount {
            kept.remove(&field.path.key);
        }
    }
    kept
}

/// The new one is made and started beside the old one, which comes back if the new one does not become
/// ready. It gets its name last, so that a crash at any point leaves one of the two under it.
fn replace(
    planner: &mut Planner<'_>,
    change: &Change,
    wanted: &Container,
    old: &SeenContainer,
    mut previous: Option<usize>,
) {
    let id = &change.id;
    let why = &why_recreate(change);
    let next = wanted.next_name();
    let new = Target::Name(next.clone());
    let runs = is_up(old.state);
    let remove_new = Op::RemoveContainer(new.clone());
    // An apply that was cut off may have stopped the old one for one that is now taken away.
    let may_have_run = change.leftovers.iter().any(|leftover| leftover.name == next);
    let back = if runs || may_have_run {
        bring_back(&new, target(old), wanted)
    } else {
        vec![remove_new.clone()]
    };

    if old.name == next {
        // Left by an apply that was cut off before its last step; the new one needs this name.
        let op = Op::Rename { container: target(old), to: wanted.name.clone() };
        previous =
            Some(planner.drafts.push(id, Role::Disturb, op, "it has this one's place", previous));
    }
    let made = make(planner, id, wanted, &next, Some(old), why, previous);
    planner.drafts.on_failure(made, vec![remove_new]);
    let mut last = made;
    if runs {
        if old.state == State::Paused {
            let op = Op::Unpause(target(old));
            last = planner.drafts.push(id, Role::Disturb, op, "so that it can stop", Some(last));
            planner.drafts.on_failure(last, back.clone());
        }
        let op = Op::Stop { container: target(old), grace: None };
        last =
            planner.drafts.push(id, Role::Disturb, op, "the new one takes its place", Some(last));
        planner.drafts.on_failure(last, back.clone());
    }
    last = planner.drafts.push(id, Role::Act, Op::Start(new.clone()), why, Some(last));
    planner.drafts.on_failure(last, back.clone());
    let ready = await_ready(new.clone(), wanted);
    last = planner.drafts.push(id, Role::Act, ready, "before the old one goes", Some(last));
    planner.drafts.on_failure(last, back);
    let remove = Op::RemoveContainer(target(old));
    last = planner.drafts.push(id, Role::Aside, remove, "the new one is ready", Some(last));
    let rename = Op::Rename { container: new, to: wanted.name.clone() };
    planner.drafts.push(id, Role::Aside, rename, "it has taken the old one's place", Some(last));
}

fn remove_first(
    planner: &mut Planner<'_>,
    id: &ResourceId,
    wanted: &Container,
    old: &SeenContainer,
    why: &str,
    previous: Option<usize>,
) {
    let stop = Op::Stop { container: target(old), grace: None };
    let stopped = planner.drafts.push(id, Role::Disturb, stop, why, previous);
    let remove = Op::RemoveContainer(target(old));
    let removed = planner.drafts.push(id, Role::Disturb, remove, why, Some(stopped));
    create(planner, id, wanted, why, Some(removed));
}

fn remove_leftovers(
    planner: &mut Planner<'_>,
    change: &Change,
    mut last: Option<usize>,
) -> Option<usize> {
    for leftover in &change.leftovers {
        let op = Op::RemoveContainer(Target::Id {
            id: leftover.id.clone(),
            name: leftover.name.clone(),
        });
        last = Some(planner.drafts.push(&change.id, Role::Disturb, op, "it is not the one", last));
    }
    last
}

/// Brings the container that counts to where it should be without making another one.
fn settle(
    planner: &mut Planner<'_>,
    change: &Change,
    wanted: &Container,
    seen: &SeenContainer,
    mut last: Option<usize>,
) {
    let id = &change.id;
    let container = target(seen);
    let touches = |field: Field| change.fields.iter().any(|f| f.path.field == field);
    let stopped = matches!(seen.state, State::Created | State::Exited { .. } | State::Dead);
    let will_start = wanted.phase != Phase::Suspended && touches(Field::State) && stopped;

    // An interrupted replacement left the one before; it is not removed until this one is ready, and
    // it must not run beside it.
    let mut back = Vec::new();
    for leftover in &change.leftovers {
        let other = planner.observed.containers.iter().find(|other| other.id == leftover.id);
        let runs = other.is_some_and(|other| other.state == State::Running);
        let other = Target::Id { id: leftover.id.clone(), name: leftover.name.clone() };
        let is_predecessor = leftover.name == wanted.name;
        if will_start && runs {
            let op = Op::Stop { container: other.clone(), grace: None };
            last =
                Some(planner.drafts.push(id, Role::Disturb, op, "another takes its place", last));
        }
        if is_predecessor {
            back = bring_back(&container, other, wanted);
        }
    }
    let limits = change.fields.iter().any(|field| is_updated(field.path.field));
    if limits {
        let kept = carry_over(wanted, seen, &planner.desired.ignore);
        let op =
            Op::Update { container: container.clone(), limits: kept.limits, restart: kept.restart };
        last = Some(planner.drafts.push(id, Role::Act, op, "limits differ", last));
    }
    last = networks(planner, change, wanted, &container, last);
    match (wanted.phase, seen.state) {
        (Phase::Running | Phase::Done, State::Paused) => {
            let op = Op::Unpause(container.clone());
            last = Some(planner.drafts.push(id, Role::Act, op, "it is paused", last));
        }
        (Phase::Suspended, State::Running | State::Paused | State::Restarting { .. }) => {
            if seen.state == State::Paused {
                let op = Op::Unpause(container.clone());
                last =
                    Some(planner.drafts.push(id, Role::Disturb, op, "so that it can stop", last));
            }
            let op = Op::Stop { container: container.clone(), grace: None };
            planner.drafts.push(id, Role::Disturb, op, "you stopped it", last);
            return;
        }
        _ => {}
    }
    if will_start {
        let op = Op::Start(container.clone());
        let number = planner.drafts.push(id, Role::Act, op, "it does not run", last);
        planner.drafts.on_failure(number, back.clone());
        last = Some(number);
    } else if change.action == Action::Change(Effect::Restart) {
        let op = Op::Restart(container.clone());
        let why = if change.reason.is_empty() { "it keeps failing" } else { &change.reason };
        last = Some(planner.drafts.push(id, Role::Disturb, op, why, last));
    }
    let record = planner.observed.record.as_ref();
    let settles = change.action == Action::Settle
        || record.is_some_and(|record| record.unready.contains(id))
        || change.action == Action::Change(Effect::Restart)
        || !change.leftovers.is_empty()
        || (wanted.phase == Phase::Done && seen.state == State::Running);
    if wanted.phase != Phase::Suspended && (touches(Field::State) || settles) {
        let ready = await_ready(container.clone(), wanted);
        let number = planner.drafts.push(id, Role::Act, ready, "others may need it", last);
        planner.drafts.on_failure(number, back);
        last = Some(number);
    }
    last = remove_leftovers(planner, change, last);
    if touches(Field::Name) {
        let op = Op::Rename { container, to: wanted.name.clone() };
        planner.drafts.push(id, Role::Act, op, "it goes by another name", last);
    }
}

/// Attaches where it should be and is not, detaches where it is and should not be.
fn networks(
    planner: &mut Planner<'_>,
    change: &Change,
    wanted: &Container,
    container: &Target,
    mut last: Option<usize>,
) -> Option<usize> {
    let id = &change.id;
    let mut done = BTreeSet::new();
    for field in &change.fields {
        let network = &field.path.key;
        if !matches!(field.path.field, Field::Network | Field::Alias | Field::Address)
            || !done.insert(network.clone())
        {
            continue;
        }
        let op = match wanted.networks.get(network) {
            Some(attachment) => Op::Connect {
                container: container.clone(),
                network: network.clone(),
                attachment: attachment.clone(),
            },
            None => Op::Disconnect { container: container.clone(), network: network.clone() },
        };
        let why = match (&field.before, &field.after) {
            (Shown::Absent, _) => "it is not on this network",
            (_, Shown::Absent) => "it should not be on this network",
            _ => "it is on this network in another way",
        };
        last = Some(planner.drafts.push(id, Role::Act, op, why, last));
    }
    last
}
