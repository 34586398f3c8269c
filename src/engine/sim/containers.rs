//! Containers of a simulated engine: made, started, changed.

use std::collections::BTreeMap;

use super::{
    execute::{get, get_mut, live, refuse, taken_unless_ours},
    networks, values,
    world::{SimContainer, SimVolume, World, mounts, published},
};
use crate::{
    desired::{Container, Field, Limits, MountSource, Restart, Value},
    engine::{Error, Refusal},
    model::Keyring,
    observed::{
        Live, LiveFields, Owner, PortHolder, SeenContainer, SeenNetwork, SeenVolume, State,
    },
    plan::Target,
};

const UPDATABLE: [Field; 8] = [
    Field::Memory,
    Field::Swap,
    Field::Reservation,
    Field::Cpus,
    Field::CpuShares,
    Field::Cpuset,
    Field::Pids,
    Field::Restart,
];

pub(super) fn create(
    world: &mut World,
    wanted: &Container,
    name: &str,
    labels: &BTreeMap<String, String>,
    anonymous: &BTreeMap<String, String>,
    keyring: &Keyring,
) -> Result<(), Error> {
    if let Some(there) = world.find(name) {
        let id = there.seen.id.clone();
        taken_unless_ours("make the container", &there.labels, labels)?;
        if there.labels == *labels {
            let container = get_mut(world, &Target::Name(name.to_owned()))?;
            for (network, attachment) in &wanted.networks {
                networks::attach(container, network, attachment);
            }
            return Ok(());
        }
        world.containers.remove(&id);
    }
    let what = "make the container";
    for network in wanted.networks.keys() {
        networks::must_be(world, network, what)?;
    }
    values::container(world, wanted, name)?;
    let Some(image) = world.images.get(&wanted.image.to_string()).cloned() else {
        return refuse(what, Refusal::ImageMissing, "no such image");
    };
    if let Some(other) = shared(wanted.namespaces.pid.as_deref())
        && world.find(other).is_none()
    {
        return refuse(what, Refusal::NotFound, "no such container");
    }
    for mount in wanted.mounts.values() {
        match &mount.source {
            MountSource::Volume(volume) => make_volume(world, volume),
            MountSource::Bind(path) if world.absent.contains(path) => {
                return refuse(what, Refusal::HostPathMissing, "bind source path does not exist");
            }
            MountSource::Bind(_) => {}
        }
    }
    let mut fields = live(&wanted.fields(), keyring)?;
    if let Some(defaults) = world.image_defaults.get(&image.id) {
        for (path, value) in &live(defaults, keyring)?.0 {
            let dropped = path.field == Field::Command && wanted.entrypoint.is_some();
            if !dropped {
                fields.0.entry(path.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    let number = world.number();
    let seen = SeenContainer {
        id: format!("c{number:08}"),
        name: name.to_owned(),
        owner: Owner::Foreign,
        image_id: image.id,
        created: format!("{number:08}"),
        fields,
        state: State::Created,
        health: None,
        restarts: 0,
        started: String::new(),
        anonymous: anonymous.clone(),
        addresses: BTreeMap::new(),
    };
    let container = SimContainer { seen, labels: labels.clone(), loaded: BTreeMap::new() };
    world.containers.insert(container.seen.id.clone(), container);
    Ok(())
}

pub(super) fn start(world: &mut World, target: &Target) -> Result<(), Error> {
    let seen = get(world, target)?.seen.clone();
    if seen.state == State::Running {
        return Ok(());
    }
    let what = "start the container";
    if seen.state == State::Paused {
        return refuse(what, Refusal::NotRunning, "container is paused");
    }
    values::process(world, &seen)?;
    if let Some(Live::Text(mode)) = seen.fields.get(&Field::PidNamespace.path())
        && let Some(other) = shared(Some(mode.expose()))
        && world.find(other).is_none_or(|other| other.seen.state != State::Running)
    {
        return refuse(
            what,
            Refusal::NotRunning,
            "its processes are those of one that is not running",
        );
    }
    ports_are_free(world, &seen)?;
    for (path, value) in &seen.fields.0 {
        let named = |network: &SeenNetwork| network.name == path.key;
        match (path.field, value) {
            // Of two networks of one name it is told by its id which is meant.
            (Field::Network, _) if !world.networks.values().any(|(it, _)| named(it)) => {
                return refuse(what, Refusal::NotFound, "no such network");
            }
            (Field::Address, Live::Text(address)) => {
                networks::address_is_free(world, &seen, &path.key, address.expose(), what)?;
            }
            _ => {}
        }
    }
    let number = world.number();
    let id = seen.id.clone();
    if let Some(container) = world.containers.get_mut(&id) {
        container.seen.state = State::Running;
        container.seen.started = format!("{number:08}");
        let networks = container.seen.fields.0.keys().filter(|path| path.field == Field::Network);
        container.seen.addresses =
            networks.map(|path| (path.key.clone(), "192.0.2.1".to_owned())).collect();
    }
    load(world, &id);
    Ok(())
}

/// Refuses when a port of a container is another's, or wanted twice.
fn ports_are_free(world: &World, seen: &SeenContainer) -> Result<(), Error> {
    // One on no network publishes nothing.
    if !seen.fields.0.keys().any(|path| path.field == Field::Network) {
        return Ok(());
    }
    let what = "start the container";
    let wanted = published(seen);
    if wanted.iter().any(|port| world.absent.contains(&port.address)) {
        return refuse(what, Refusal::Invalid, "cannot assign requested address");
    }
    let runs = |other: &&SimContainer| {
        other.seen.id != seen.id && matches!(other.seen.state, State::Running | State::Paused)
    };
    let theirs = world.containers.values().filter(runs).flat_map(|other| published(&other.seen));
    let holders: Vec<PortHolder> = theirs.chain(world.programs.iter().cloned()).collect();
    for (index, port) in wanted.iter().enumerate() {
        let before = &wanted[..index];
        let keeps = |it: &PortHolder| it.keeps(&port.address, port.port, &port.protocol);
        if holders.iter().chain(before).any(keeps) {
            return refuse(what, Refusal::PortTaken, "port is already allocated");
        }
    }
    Ok(())
}

/// Returns the container whose namespace is meant.
fn shared(mode: Option<&str>) -> Option<&str> {
    mode?.strip_prefix("container:")
}

/// A volume that is mounted and not there is made, and is nobody's.
fn make_volume(world: &mut World, name: &str) {
    if world.volumes.contains_key(name) {
        return;
    }
    let mut fields = LiveFields::default();
    fields.insert(Field::Driver.path(), "local");
    let owner = Owner::Foreign;
    let seen = SeenVolume { name: name.to_owned(), owner, fields, disposable: false };
    let incarnation = world.number();
    let (labels, sets) = (BTreeMap::new(), BTreeMap::new());
    let volume = SimVolume { seen, labels, incarnation, sets, current: None };
    world.volumes.insert(name.to_owned(), volume);
}

pub(super) fn update(
    world: &mut World,
    target: &Target,
    limits: &Limits,
    restart: Restart,
) -> Result<(), Error> {
    let what = "change the limits";
    get(world, target)?;
    values::limits(world, limits, what)?;
    let mut fields = limits.fields();
    fields.set_if(Field::Restart, (restart != Restart::No).then_some(restart));
    let container = get_mut(world, target)?;
    let sticks = |field: &&Field| !matches!(field, Field::Pids | Field::Restart);
    let taken_away = UPDATABLE.iter().filter(sticks).any(|field| {
        let path = field.path();
        container.seen.fields.get(&path).is_some() && fields.get(&path).is_none()
    });
    if taken_away {
        // Zero means "leave" to the engine.
        let why = "a limit cannot be taken away in place";
        return refuse(what, Refusal::Unsupported, why);
    }
    for field in UPDATABLE {
        match fields.get(&field.path()) {
            Some(Value::Plain(text)) => container.seen.fields.insert(field.path(), text),
            Some(Value::Secret(_)) => {}
            None => {
                container.seen.fields.0.remove(&field.path());
            }
        }
    }
    Ok(())
}

/// Makes a container's process take up the files that are in use now.
pub(super) fn load(world: &mut World, id: &str) {
    let Some(container) = world.containers.get(id) else { return };
    let loaded = world
        .volumes
        .iter()
        .filter(|(name, _)| mounts(container, name))
        .filter_map(|(name, volume)| Some((name.clone(), volume.current.clone()?)))
        .collect();
    if let Some(container) = world.containers.get_mut(id) {
        container.loaded = loaded;
    }
}
