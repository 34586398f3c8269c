//! What each effect does to a simulated world, and when it is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{SimContainer, SimVolume, World, data_of, mounts, published};
use crate::{
    desired::{Attachment, Build, Container, Field, Fields, Probe, Resource, Restart, Value},
    engine::{Cause, Error, Evidence, Refusal},
    model::{Digest, Keyring},
    observed::{
        FileStat, Live, LiveFields, Owner, SeenContainer, SeenImage, SeenNetwork, SeenVolume,
        State, label,
    },
    plan::{Op, Target},
};

#[expect(clippy::too_many_lines, reason = "one arm for each effect")]
pub(super) fn execute(world: &mut World, op: &Op, keyring: &Keyring) -> Result<(), Error> {
    match op {
        Op::Pull { image, from } => {
            if world.unknown_images.contains(&from.to_string()) {
                return refuse("pull the image", Refusal::ImageMissing, "not found");
            }
            let id = format!("sha256:{}", Digest::of(from.to_string().as_bytes()));
            world.image_defaults.entry(id.clone()).or_default();
            let seen = SeenImage { id, built_from: None, size: 1 };
            world.images.insert(image.to_string(), seen);
        }
        Op::Build { image, build: Build { digest, .. } } => {
            if world.unknown_images.contains(&image.to_string()) {
                return Err(Error::Failed {
                    what: "the build".into(),
                    output: "RUN exit 1".into(),
                });
            }
            let id = format!("sha256:{digest}");
            world.image_defaults.entry(id.clone()).or_default();
            let built_from = Some(digest.as_str().to_owned());
            world.images.insert(image.to_string(), SeenImage { id, built_from, size: 1 });
        }
        Op::RemoveImage { image } => {
            let there = world.images.get(image);
            let is_used = there.is_some_and(|there| {
                let mut containers = world.containers.values();
                containers.any(|container| container.seen.image_id == there.id)
            });
            if is_used {
                return refuse("remove the image", Refusal::InUse, "image is being used");
            }
            world.images.remove(image);
        }
        Op::CreateNetwork { network, labels } => {
            let mut there = world.networks.values().filter(|(seen, _)| seen.name == network.name);
            if let Some((_, theirs)) = there.next() {
                return taken_unless_ours("make the network", theirs, labels);
            }
            let number = world.number();
            let id = format!("n{number:08}");
            let fields = live(&Resource::Network(network.clone()).fields(), keyring)?;
            let seen = SeenNetwork {
                id: id.clone(),
                name: network.name.clone(),
                owner: Owner::Foreign,
                created: format!("{number:08}"),
                fields,
                members: BTreeSet::new(),
            };
            world.networks.insert(id, (seen, labels.clone()));
        }
        Op::RemoveNetwork { id } => {
            if let Some((seen, _)) = world.networks.remove(id) {
                for container in world.containers.values_mut() {
                    detach(container, &seen.name);
                }
            }
        }
        Op::CreateVolume { volume, labels } => {
            let fields = live(&Resource::Volume(volume.clone()).fields(), keyring)?;
            if let Some(there) = world.volumes.get(&volume.name) {
                if there.seen.fields != fields {
                    return refuse("make the volume", Refusal::NameTaken, "it differs");
                }
                return taken_unless_ours("make the volume", &there.labels, labels);
            }
            let incarnation = world.number();
            let seen = SeenVolume {
                name: volume.name.clone(),
                owner: Owner::Foreign,
                fields,
                disposable: volume.disposable,
            };
            let labels = labels.clone();
            let volume =
                SimVolume { seen, labels, incarnation, sets: BTreeMap::new(), current: None };
            world.volumes.insert(volume.seen.name.clone(), volume);
        }
        Op::RemoveVolume { name } => {
            if world.containers.values().any(|container| mounts(container, name)) {
                return refuse("remove the volume", Refusal::InUse, "volume is in use");
            }
            world.volumes.remove(name);
            world.inner.remove(name);
        }
        Op::WriteFiles { files, digest } => {
            let mut set = BTreeMap::new();
            for (path, file) in &files.files {
                let content =
                    keyring.reveal(&file.content).ok_or_else(|| missing(&file.content))?;
                let stat = FileStat {
                    size: content.expose().len() as u64,
                    mode: file.mode,
                    untouched: true,
                    owner: Some(files.owner),
                    content: Some(content),
                };
                set.insert(path.clone(), stat);
            }
            let Some(volume) = world.volumes.get_mut(&files.volume) else {
                return refuse("write files", Refusal::NotFound, "no such volume");
            };
            volume.sets.insert(digest.as_str().to_owned(), set);
        }
        Op::CheckFiles { container, .. } => {
            let container = get(world, container)?;
            if container.seen.state != State::Running {
                return refuse("run a check", Refusal::Other, "container is not running");
            }
        }
        Op::SwitchFiles { volume, digest } => {
            let Some(volume) = world.volumes.get_mut(volume) else {
                return refuse("switch files", Refusal::NotFound, "no such volume");
            };
            if !volume.sets.contains_key(digest) {
                return refuse("switch files", Refusal::NotFound, "no such set");
            }
            volume.current = Some(digest.clone());
        }
        Op::Signal { container, signal: _ } => {
            let id = get(world, container)?.seen.id.clone();
            if world.containers[&id].seen.state != State::Running {
                return refuse("send a signal", Refusal::Other, "container is not running");
            }
            load(world, &id);
        }
        Op::CreateContainer { container, name, labels, anonymous } => {
            create(world, container, name, labels, anonymous, keyring)?;
        }
        Op::Start(target) => start(world, target)?,
        Op::Stop { container, grace: _ } => {
            let container = get_mut(world, container)?;
            if matches!(
                container.seen.state,
                State::Running | State::Paused | State::Restarting { .. }
            ) {
                container.seen.state = State::Exited { code: 0, oom: false };
                container.seen.addresses.clear();
            }
        }
        Op::Restart(target) => {
            get_mut(world, target)?.seen.state = State::Exited { code: 0, oom: false };
            start(world, target)?;
        }
        Op::Unpause(target) => {
            let container = get_mut(world, target)?;
            if container.seen.state == State::Paused {
                container.seen.state = State::Running;
            }
        }
        Op::Rename { container, to } => {
            let named = world.find(to).map(|named| named.seen.id.clone());
            let id = match (world.find(container.reference()), &named) {
                (Some(found), _) => found.seen.id.clone(),
                // It was renamed before: what is asked for is so.
                (None, Some(_)) => return Ok(()),
                (None, None) => return Err(not_found(container)),
            };
            if named.is_some_and(|named| named != id) {
                return refuse("rename the container", Refusal::NameTaken, "name is in use");
            }
            get_mut(world, container)?.seen.name.clone_from(to);
        }
        Op::RemoveContainer(target) if world.is_tool(target.reference()) => {
            for tools in world.tools.values_mut() {
                tools.retain(|tool| tool.id != target.reference());
            }
        }
        Op::RemoveContainer(target) => {
            if let Some(container) = world.find(target.reference()) {
                let id = container.seen.id.clone();
                world.containers.remove(&id);
            }
        }
        Op::Update { container, limits, restart } => {
            let mut fields = limits.fields();
            fields.set_if(Field::Restart, (*restart != Restart::No).then_some(restart));
            let container = get_mut(world, container)?;
            let sticks = |field: &&Field| !matches!(field, Field::Pids | Field::Restart);
            let taken_away = UPDATABLE.iter().filter(sticks).any(|field| {
                let path = field.path();
                container.seen.fields.get(&path).is_some() && fields.get(&path).is_none()
            });
            if taken_away {
                // Zero means "leave" to the engine.
                let why = "a limit cannot be taken away in place";
                return refuse("change the limits", Refusal::Unsupported, why);
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
        }
        Op::Connect { container, network, attachment } => {
            if !world.networks.values().any(|(seen, _)| seen.name == *network) {
                return refuse("attach to the network", Refusal::NotFound, "no such network");
            }
            let container = get_mut(world, container)?;
            detach(container, network);
            attach(container, network, attachment);
        }
        Op::Disconnect { container, network } => {
            if let Some(container) = world.find_mut(container.reference()) {
                detach(container, network);
            }
        }
        Op::AwaitReady { container, probe, within } => {
            let broken = {
                let seen = &get(world, container)?.seen;
                is_broken(world, seen)
            };
            let container = get_mut(world, container)?;
            let ready = match probe {
                Probe::Exit => {
                    if container.seen.state == State::Running {
                        let code = i64::from(broken);
                        container.seen.state = State::Exited { code, oom: false };
                    }
                    matches!(container.seen.state, State::Exited { code: 0, .. })
                }
                Probe::Http { .. } | Probe::Tcp { .. } | Probe::Exec(_) | Probe::Image => {
                    container.seen.state == State::Running && !broken
                }
            };
            if !ready {
                return Err(Error::NotReady {
                    container: container.seen.name.clone(),
                    within: *within,
                    evidence: Box::new(Evidence {
                        probe: "sim".into(),
                        tries: 1,
                        process: match container.seen.state {
                            State::Exited { code, oom: false } => {
                                format!("exit {code}, not out of memory")
                            }
                            state => state.to_string(),
                        },
                        ..Evidence::default()
                    }),
                });
            }
        }
        Op::Ensure { inner, container } => {
            let wanted = live(&Resource::Inner(inner.clone()).fields(), keyring)?;
            let container = get(world, container)?;
            if container.seen.state != State::Running {
                return refuse("look inside", Refusal::Other, "container is not running");
            }
            let place = data_of(container);
            world.inner.entry(place).or_default().insert(inner.id.clone(), wanted);
        }
        Op::DropInner { inner, container } => {
            let place = data_of(get(world, container)?);
            if let Some(inside) = world.inner.get_mut(&place) {
                inside.remove(&inner.id);
            }
        }
        Op::WriteRecord { prefix, labels, record } => {
            world.records.insert(memory(prefix, labels), record.to_text());
        }
        Op::RemoveRecord { prefix, labels } => {
            world.records.remove(&memory(prefix, labels));
        }
    }
    Ok(())
}

/// Returns what a project's memory stands under.
fn memory(prefix: &str, labels: &BTreeMap<String, String>) -> (String, String, String) {
    let text = |key: &str| labels.get(key).cloned().unwrap_or_default();
    (prefix.to_owned(), text(label::PROJECT), text(label::INSTANCE))
}

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

fn create(
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
                attach(container, network, attachment);
            }
            return Ok(());
        }
        world.containers.remove(&id);
    }
    let Some(image) = world.images.get(&wanted.image.to_string()).cloned() else {
        return refuse("make the container", Refusal::ImageMissing, "no such image");
    };
    for network in wanted.networks.keys() {
        if !world.networks.values().any(|(seen, _)| seen.name == *network) {
            return refuse("make the container", Refusal::NotFound, "no such network");
        }
    }
    for mount in wanted.mounts.values() {
        if let crate::desired::MountSource::Volume(volume) = &mount.source
            && !world.volumes.contains_key(volume)
        {
            return refuse("make the container", Refusal::NotFound, "no such volume");
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

fn start(world: &mut World, target: &Target) -> Result<(), Error> {
    let seen = get(world, target)?.seen.clone();
    if seen.state == State::Running {
        return Ok(());
    }
    if seen.state == State::Paused {
        return refuse("start the container", Refusal::Other, "container is paused");
    }
    let ports = published(&seen);
    let taken = world.containers.values().any(|other| {
        other.seen.id != seen.id
            && matches!(other.seen.state, State::Running | State::Paused)
            && !published(&other.seen).is_disjoint(&ports)
    });
    let has = |(address, port): &(String, u16)| {
        world.programs.iter().any(|program| program.keeps(address, *port, "tcp"))
    };
    if taken || ports.iter().any(has) {
        return refuse("start the container", Refusal::PortTaken, "port is already allocated");
    }
    for path in seen.fields.0.keys().filter(|path| path.field == Field::Network) {
        let there = world.networks.values().filter(|(network, _)| network.name == path.key).count();
        if there != 1 {
            return refuse(
                "start the container",
                Refusal::Other,
                "network is missing or ambiguous",
            );
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

/// Makes a container's process take up the files that are in use now.
fn load(world: &mut World, id: &str) {
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

fn is_broken(world: &World, seen: &SeenContainer) -> bool {
    let reference = match seen.fields.get(&Field::Image.path()) {
        Some(Live::Text(text)) => text.expose(),
        Some(Live::Verifier(_)) | None => return false,
    };
    world.broken.contains(reference)
}

fn attach(container: &mut SimContainer, network: &str, attachment: &Attachment) {
    for (path, value) in attachment.fields(network).0 {
        if let Value::Plain(text) = value {
            container.seen.fields.insert(path, text);
        }
    }
}

fn detach(container: &mut SimContainer, network: &str) {
    container.seen.fields.0.retain(|path, _| {
        !(matches!(path.field, Field::Network | Field::Alias | Field::Address)
            && path.key == network)
    });
}

/// Returns what the fields read as once their secrets are put in.
fn live(fields: &Fields, keyring: &Keyring) -> Result<LiveFields, Error> {
    let mut out = LiveFields::default();
    for (path, value) in &fields.0 {
        match value {
            Value::Plain(text) => out.insert(path.clone(), text),
            Value::Secret(text) => {
                let value = keyring.reveal(text).ok_or_else(|| missing(text))?;
                out.0.insert(path.clone(), Live::Text(value));
            }
        }
    }
    Ok(out)
}

/// Refuses when an object under a wanted name is another project's, or another instance's.
fn taken_unless_ours(
    what: &str,
    theirs: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let alike = |name: &str| theirs.get(name) == ours.get(name);
    if alike(label::PROJECT) && alike(label::INSTANCE) {
        return Ok(());
    }
    refuse(what, Refusal::NameTaken, "the name is somebody else's")
}

fn missing(text: &crate::model::Text) -> Error {
    let names: Vec<String> = text.secrets().map(ToString::to_string).collect();
    Error::SecretMissing(names.join(", "))
}

fn get<'a>(world: &'a World, target: &Target) -> Result<&'a SimContainer, Error> {
    world.find(target.reference()).ok_or_else(|| not_found(target))
}

fn get_mut<'a>(world: &'a mut World, target: &Target) -> Result<&'a mut SimContainer, Error> {
    world.find_mut(target.reference()).ok_or_else(|| not_found(target))
}

fn not_found(target: &Target) -> Error {
    Error::Refused {
        what: format!("find {}", target.name()),
        cause: Cause("no such container".into()),
        kind: Refusal::NotFound,
    }
}

fn refuse<T>(what: &str, kind: Refusal, cause: &str) -> Result<T, Error> {
    Err(Error::Refused { what: what.to_owned(), cause: Cause(cause.to_owned()), kind })
}
