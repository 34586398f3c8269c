//! Containers: which live one is meant, and how it differs.

use std::collections::BTreeSet;

use super::{
    Action, Change, Changes, Effect, FieldChange, Last, Leftover, Look, Mover, Remembered, Shown,
    by_resource,
    compare::Pictures,
    compare_fields,
    effect::{is_updated, sticks},
};
use crate::{
    desired::{
        Class, Container, Field, Fields, Image, ImageOrigin, NAMELESS_VOLUME, Path, Phase, Resource,
    },
    model::{Digest, Keyring, ResourceId, ServiceName},
    observed::{Applied, Health, Live, LiveFields, Mark, SeenContainer, SeenImage, State},
};

/// Compares one wanted container with the live one that is meant.
pub(super) fn compare(look: &Look<'_>, id: &ResourceId, wanted: &Container, changes: &mut Changes) {
    let claimants = claimants(look, id, wanted);
    let Some((keeper, rest)) = claimants.split_first() else {
        // One of ours that took the name gives it back.
        if let Some(foreign) = at_name(look, &wanted.name).filter(|seen| !seen.owner.is_ours()) {
            let mut change =
                Change::new(id, Action::Conflict, "a container that is not ours has its name")
                    .moved_by(Mover::Drift)
                    .about(&foreign.id, &foreign.name);
            // What would have to change if it were ours.
            change.fields = fields(look, id, wanted, foreign);
            changes.push(change);
            return;
        }
        if wanted.phase == Phase::Suspended {
            // Nothing is there and nothing should be.
            return;
        }
        if is_finished_job(look, id, wanted) {
            changes.unchanged.insert(id.clone());
            return;
        }
        let mover = look.mover_of_absence(id);
        changes.push(Change::new(id, Action::Create, "not there").moved_by(mover));
        return;
    };
    // Ours goes by another name while somebody else's sits at the right one: neither a rename nor a
    // replacement is possible without touching what is not ours.
    if keeper.name != wanted.name
        && let Some(foreign) = at_name(look, &wanted.name).filter(|seen| !seen.owner.is_ours())
    {
        let change = Change::new(id, Action::Conflict, "a container that is not ours has its name")
            .moved_by(Mover::Drift)
            .about(&foreign.id, &foreign.name);
        changes.push(change);
        return;
    }
    let mut fields = fields(look, id, wanted, keeper);
    if wanted.phase == Phase::Suspended {
        // What else differs is put right when it is started again.
        fields.retain(|field| field.path.field == Field::State);
    }
    let unready = look.record.is_some_and(|record| record.unready.contains(id));
    note_health(look, id, keeper, changes);
    let mut change = if !fields.is_empty() {
        Change::of_fields(id, fields, "")
    } else if !rest.is_empty() {
        Change::new(id, Action::Settle, "others claim to be it")
    } else if wanted.phase == Phase::Done && keeper.state == State::Running {
        Change::new(id, Action::Settle, "it has not ended yet").moved_by(Mover::You)
    } else if unready && wanted.phase != Phase::Suspended {
        Change::new(id, Action::Settle, "it was started and has not been seen ready")
            .moved_by(Mover::You)
    } else {
        changes.unchanged.insert(id.clone());
        return;
    };
    change.leftovers = leftovers(&wanted.name, keeper, rest);
    changes.push(change.about(&keeper.id, &keeper.name));
}

/// Returns whether a job that is not there any more has been done: with the same inputs, there is nothing
/// to do again.
fn is_finished_job(look: &Look<'_>, id: &ResourceId, wanted: &Container) -> bool {
    let done = look.record.and_then(|record| record.jobs.get(id));
    wanted.class == Class::Job && done == Some(&job_digest(wanted, look.keyring))
}

/// Returns the digest of all that goes into a job.
pub fn job_digest(wanted: &Container, keyring: &Keyring) -> String {
    Digest::of(Applied::of(&wanted.fields(), keyring).to_text().as_bytes()).as_str().to_owned()
}

/// Finds containers of ours that nobody wants.
pub(super) fn orphans(look: &Look<'_>, changes: &mut Changes) {
    let unwanted = by_resource(&look.observed.containers, |seen| {
        let id =
            seen.owner.resource().cloned().or_else(|| {
                seen.owner.is_ours().then(|| ResourceId::Container(seen.name.clone()))
            })?;
        (!look.desired.resources.contains_key(&id)).then_some(id)
    });
    for (id, seen) in unwanted {
        let mover = look.mover_of_presence(&id);
        let mut change = Change::new(&id, Action::Remove, look.why_unwanted())
            .moved_by(mover)
            .about(&seen[0].id, &seen[0].name);
        if let ResourceId::Container(name) = &id {
            change.leftovers = leftovers(name, seen[0], &seen[1..]);
        }
        changes.push(change);
    }
}

/// Returns what is beside the container that counts. What has a name that only an apply gives, and what such a
/// one was about to take the place of, was left by an apply that was cut off.
fn leftovers(wanted: &str, keeper: &SeenContainer, rest: &[&SeenContainer]) -> Vec<Leftover> {
    let in_passing = |seen: &SeenContainer| {
        let suffix = seen.name.strip_prefix(wanted);
        matches!(suffix, Some(Container::NEXT | Container::ASIDE))
    };
    let left = |seen: &&SeenContainer| {
        let is_before = in_passing(keeper) && seen.name == wanted;
        let by_us = in_passing(seen) || is_before;
        let mover = if by_us { Mover::You } else { Mover::Drift };
        Leftover { id: seen.id.clone(), name: seen.name.clone(), mover }
    };
    rest.iter().map(left).collect()
}

/// Returns the live containers that claim to be this one, the one that counts first: it is as wanted,
/// runs, has the right name, is the younger.
///
/// Where none is as wanted, what an apply that was cut off was about to put in its place counts least: the
/// one before it is what worked.
fn claimants<'a>(
    look: &'a Look<'_>,
    id: &ResourceId,
    wanted: &Container,
) -> Vec<&'a SeenContainer> {
    let mut claimants: Vec<_> = look
        .observed
        .containers
        .iter()
        .filter(|seen| match seen.owner.resource() {
            Some(resource) => resource == id,
            None => seen.name == wanted.name && seen.owner.is_ours(),
        })
        .collect();
    claimants.sort_by_key(|seen| {
        let as_wanted = fields(look, id, wanted, seen)
            .iter()
            .all(|field| matches!(field.path.field, Field::Name | Field::State));
        let runs = matches!(seen.state, State::Running | State::Paused);
        let named = seen.name == wanted.name;
        let unproven = !as_wanted && seen.name == wanted.next_name();
        (!as_wanted, unproven, !runs, !named, std::cmp::Reverse(&seen.created), &seen.id)
    });
    claimants
}

fn at_name<'a>(look: &'a Look<'_>, name: &str) -> Option<&'a SeenContainer> {
    look.observed.containers.iter().find(|seen| seen.name == name)
}

fn fields(
    look: &Look<'_>,
    id: &ResourceId,
    wanted: &Container,
    seen: &SeenContainer,
) -> Vec<FieldChange> {
    let mut wanted_fields = wanted.fields();
    // State and image are compared by what they mean, not by their text.
    wanted_fields.0.remove(&Field::State.path());
    wanted_fields.0.remove(&Field::Image.path());
    let nothing = Fields::default();
    let image = look.observed.image_defaults.get(&seen.image_id);
    let inherited = inherited(image.unwrap_or(&nothing), wanted, &seen.fields);
    let last = Last::of(look, id, seen.owner.applied());
    let pictures =
        Pictures { wanted: &wanted_fields, inherited: &inherited, live: &seen.fields, last };
    let image_is_gone = image.is_none();
    // What was taken over brought along volumes that the file has no word for; they hold data.
    let is_adopted = look.record.is_some_and(|record| record.adopted.get(id) == Some(&seen.id));
    let was_made_by_us = seen.owner.is_ours() && !is_adopted;
    let unready = look.record.is_some_and(|record| record.unready.contains(id));
    let mut all = compare_fields(look, id, &pictures, |path| {
        matches!(path.field, Field::State | Field::Image)
            || is_as_good(wanted, &wanted_fields, path, seen.fields.get(path))
            || (!was_made_by_us && is_nameless_volume(path, seen.fields.get(path)))
            || look.ignored(&wanted.service, path).is_some()
            // Without the image nobody can tell what it brought along from what was added by hand.
            || (image_is_gone
                && (comes_with_image(path.field)
                    || is_nameless_volume(path, seen.fields.get(path)))
                && wanted_fields.get(path).is_none())
    });
    all.extend(image_change(look, id, wanted, seen));
    all.extend(state_change(look, id, wanted, seen, last.get(&Field::State.path())));
    for field in &mut all {
        // What an apply left that failed or was cut off, nobody else moved.
        let left_by_us = match field.path.field {
            Field::Name => seen.name == wanted.next_name() || seen.name == wanted.aside_name(),
            Field::State => unready || seen.state == State::Created,
            _ => false,
        };
        if left_by_us {
            field.mover = Mover::You;
        }
        // What was not set cannot be "taken away in place" where 0 means "leave".
        if sticks(field.path.field) && field.after == Shown::Absent {
            field.effect = Effect::Recreate;
        }
        if field.effect == Effect::InPlace
            && !look.observed.engine.updates_in_place
            && (is_updated(field.path.field) || field.path.field == Field::Address)
        {
            field.effect = Effect::Recreate;
        }
        // Another volume at the same place leaves the data of the one before behind.
        if field.path.field == Field::Mount && field.mover != Mover::Drift && moves_data(field) {
            field.effect = Effect::DataAtRisk;
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// Returns whether what was found will do although it was not asked for in these words.
fn is_as_good(wanted: &Container, fields: &Fields, path: &Path, live: Option<&Live>) -> bool {
    let is_wanted = fields.get(path).is_some();
    match (path.field, live) {
        // Any of its networks may have been the first.
        (Field::NetworkMode, Some(Live::Text(first))) => {
            // One made without a word is moved from the engine's own bridge to where it belongs.
            matches!(first.expose(), "default" | "bridge")
                || wanted.networks.contains_key(first.expose())
        }
        // How another tool knows what it made; taken away, they would take the container with them.
        (Field::Label, _) => !is_wanted && path.key.starts_with(COMPOSE_LABELS),
        _ => false,
    }
}

/// What Docker Compose marks its containers with.
const COMPOSE_LABELS: &str = "com.docker.compose.";

/// Returns what the image brings along and nothing wanted stands against, as the engine merges it.
fn inherited(image: &Fields, wanted: &Container, live: &LiveFields) -> Fields {
    let mut inherited = image.clone();
    // Not every engine repeats in the container which volumes its image asks for.
    inherited
        .0
        .retain(|path, _| path.field != Field::Mount || is_nameless_volume(path, live.get(path)));
    if wanted.entrypoint.is_some() {
        // An entrypoint of one's own drops the image's command.
        inherited.0.remove(&Field::Command.path());
    }
    if wanted.health.is_some() {
        // A health check of one's own takes nothing from the image's.
        inherited.0.retain(|path, _| !is_health(path.field));
    }
    inherited
}

fn is_nameless_volume(path: &Path, live: Option<&Live>) -> bool {
    path.field == Field::Mount && live == Some(&Live::text(NAMELESS_VOLUME))
}

fn is_health(field: Field) -> bool {
    matches!(
        field,
        Field::HealthTest
            | Field::HealthInterval
            | Field::HealthTimeout
            | Field::HealthRetries
            | Field::HealthStartPeriod
    )
}

fn comes_with_image(field: Field) -> bool {
    is_health(field)
        || matches!(
            field,
            Field::Env
                | Field::Command
                | Field::Entrypoint
                | Field::User
                | Field::Workdir
                | Field::Label
                | Field::StopSignal
        )
}

fn moves_data(field: &FieldChange) -> bool {
    let source = |shown: &Shown| match shown {
        Shown::Plain(mount) => {
            mount.strip_prefix("volume:")?.rsplit_once(':').map(|(name, _)| name.to_owned())
        }
        Shown::Absent | Shown::Secret(_) | Shown::SecretToCome | Shown::Hidden => None,
    };
    let before = source(&field.before);
    before.is_some() && before != source(&field.after)
}

/// Compares image ids: the one behind the wanted reference, and the one the container runs.
fn image_change(
    look: &Look<'_>,
    id: &ResourceId,
    wanted: &Container,
    seen: &SeenContainer,
) -> Option<FieldChange> {
    let path = Field::Image.path();
    if look.ignored(&wanted.service, &path).is_some() {
        return None;
    }
    let reference = wanted.image.to_string();
    let live = match seen.fields.get(&path) {
        Some(crate::observed::Live::Text(text)) => text.expose().to_owned(),
        Some(crate::observed::Live::Verifier(_)) | None => String::new(),
    };
    let behind = look.observed.images.get(&reference);
    let same_image = behind.is_some_and(|image| image.id == seen.image_id);
    // What somebody else put behind a tag of ours goes when the image is built again; only then is
    // there something to compare with.
    let behind = behind.filter(|image| is_as_built(look, wanted, image));
    // An image that is not here cannot be compared before it is; its own change brings it.
    let unknown = behind.is_none() && live == reference;
    if same_image || unknown {
        return None;
    }
    let (before, after) = if live == reference {
        let short =
            |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        let wanted_id = behind.map(|image| short(&image.id)).unwrap_or_default();
        (format!("{live} ({})", short(&seen.image_id)), format!("{reference} ({wanted_id})"))
    } else {
        (live.clone(), reference.clone())
    };
    let last = Last::of(look, id, seen.owner.applied()).get(&path);
    let mover = match last {
        Remembered::Nothing => Mover::Unknown,
        Remembered::Set(Mark::Plain(last)) if *last == reference => Mover::Drift,
        Remembered::Unset | Remembered::Set(_) => Mover::You,
    };
    Some(FieldChange {
        before: Shown::Plain(before),
        after: Shown::Plain(after),
        last: None,
        mover,
        origin: look.origin(id, &path),
        effect: Effect::Recreate,
        path,
    })
}

/// Returns whether an image is what nself built, where it is to be built.
fn is_as_built(look: &Look<'_>, wanted: &Container, image: &SeenImage) -> bool {
    let id = ResourceId::Image(wanted.image.to_string());
    match look.desired.resources.get(&id) {
        Some(Resource::Image(Image { origin: ImageOrigin::Build(build), .. })) => {
            image.built_from.as_deref() == Some(build.digest.as_str())
        }
        _ => true,
    }
}

/// Compares what a container does with what it should be doing.
///
/// `made_to_be` is what it was made to be doing, as far as that is remembered.
fn state_change(
    look: &Look<'_>,
    id: &ResourceId,
    wanted: &Container,
    seen: &SeenContainer,
    made_to_be: Remembered<'_>,
) -> Option<FieldChange> {
    let was_to_be = |phase: Phase| matches!(made_to_be, Remembered::Set(Mark::Plain(text)) if *text == phase.to_string());
    // What was made to run for ever does not end by being called a job.
    let was_daemon = wanted.class == Class::Job && was_to_be(Phase::Running);
    // And a job that is done does not go on by being called a service.
    let was_done = was_to_be(Phase::Done) && matches!(seen.state, State::Exited { code: 0, .. });
    let effect = match (wanted.phase, seen.state) {
        (Phase::Done, State::Running) if was_daemon => Effect::Recreate,
        (Phase::Running, State::Running)
        | (Phase::Suspended, State::Created | State::Exited { .. } | State::Dead)
        | (Phase::Done, State::Running | State::Exited { code: 0, .. }) => return None,
        // A container that keeps crashing is given one fresh start, whose failure brings the evidence.
        (Phase::Running, State::Restarting { .. }) => Effect::Restart,
        (Phase::Running | Phase::Done, State::Dead) => Effect::Recreate,
        // A job that failed starts from a clean file system.
        (Phase::Done, State::Exited { .. } | State::Restarting { .. }) => Effect::Recreate,
        (Phase::Running, State::Paused | State::Created | State::Exited { .. })
        | (Phase::Suspended, State::Running | State::Paused | State::Restarting { .. })
        | (Phase::Done, State::Created | State::Paused) => Effect::InPlace,
    };
    // nself itself left it so: it was stopped, or an apply did not get as far as seeing it ready.
    let recorded = |ids: &BTreeSet<ServiceName>| ids.contains(&wanted.service);
    let was_suspended = look.record.is_some_and(|record| recorded(&record.suspended));
    let was_unready = look.record.is_some_and(|record| record.unready.contains(id));
    let by_you = was_daemon
        || was_done
        || match wanted.phase {
            Phase::Suspended => !was_suspended,
            Phase::Running | Phase::Done => was_suspended || was_unready,
        };
    let mover = if by_you { Mover::You } else { Mover::Drift };
    Some(FieldChange {
        path: Field::State.path(),
        before: Shown::Plain(seen.state.to_string()),
        after: Shown::Plain(wanted.phase.to_string()),
        last: None,
        mover,
        origin: None,
        effect,
    })
}

fn note_health(look: &Look<'_>, id: &ResourceId, seen: &SeenContainer, changes: &mut Changes) {
    let running = seen.state == State::Running;
    if running && seen.health == Some(Health::Unhealthy) {
        changes.note(id, "runs and is not healthy: nself logs shows why");
    }
    if !look.observed.image_defaults.contains_key(&seen.image_id) {
        changes.note(id, "its image is gone: what it brought along was not compared");
    }
}
