//! What each effect does to a simulated world, and when it is refused.

use std::collections::BTreeMap;

use super::{
    containers, networks, values,
    world::{SimContainer, SimVolume, World, data_of, mounts},
};
use crate::{
    desired::{Build, Field, Fields, Probe, Resource, Value},
    engine::{Cause, Error, Evidence, Refusal},
    model::{Digest, Keyring},
    observed::{
        FileStat, Live, LiveFields, Owner, SeenContainer, SeenImage, SeenVolume, State, label,
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
            let name = from.to_string();
            if name.split_once('/').is_some_and(|(host, _)| world.absent.contains(host)) {
                return refuse("pull the image", Refusal::NoRegistry, "connection refused");
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
            networks::create(world, network, labels, keyring)?;
        }
        Op::RemoveNetwork { id } => networks::remove(world, id),
        Op::CreateVolume { volume, labels } => {
            values::volume(world, volume)?;
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
                return refuse("run a check", Refusal::NotRunning, "container is not running");
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
        Op::Signal { container, signal } => {
            let seen = &get(world, container)?.seen;
            values::signal("send a signal", signal)?;
            match seen.state {
                State::Running => containers::load(world, &seen.id.clone()),
                // It gets it when it goes on.
                State::Paused => {}
                State::Created | State::Restarting { .. } | State::Exited { .. } | State::Dead => {
                    return refuse("send a signal", Refusal::NotRunning, "it does not run");
                }
            }
        }
        Op::CreateContainer { container, name, labels, anonymous } => {
            containers::create(world, container, name, labels, anonymous, keyring)?;
        }
        Op::Start(target) => containers::start(world, target)?,
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
            containers::start(world, target)?;
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
            values::name("rename the container", to)?;
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
            containers::update(world, container, limits, *restart)?;
        }
        Op::Connect { container, network, attachment } => {
            networks::connect(world, container, network, attachment)?;
        }
        Op::Disconnect { container, network } => {
            if let Some(container) = world.find_mut(container.reference()) {
                networks::detach(container, network);
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
                return refuse("look inside", Refusal::NotRunning, "container is not running");
            }
            let place = data_of(container);
            world.inner.entry(place).or_default().insert(inner.id.clone(), wanted);
        }
        Op::DropInner { inner, container } => {
            let container = get(world, container)?;
            if container.seen.state != State::Running {
                return refuse("look inside", Refusal::NotRunning, "container is not running");
            }
            let place = data_of(container);
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

fn is_broken(world: &World, seen: &SeenContainer) -> bool {
    let reference = match seen.fields.get(&Field::Image.path()) {
        Some(Live::Text(text)) => text.expose(),
        Some(Live::Verifier(_)) | None => return false,
    };
    world.broken.contains(reference)
}

/// Returns what the fields read as once their secrets are put in.
pub(super) fn live(fields: &Fields, keyring: &Keyring) -> Result<LiveFields, Error> {
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
pub(super) fn taken_unless_ours(
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

pub(super) fn get<'a>(world: &'a World, target: &Target) -> Result<&'a SimContainer, Error> {
    world.find(target.reference()).ok_or_else(|| not_found(target))
}

pub(super) fn get_mut<'a>(
    world: &'a mut World,
    target: &Target,
) -> Result<&'a mut SimContainer, Error> {
    world.find_mut(target.reference()).ok_or_else(|| not_found(target))
}

fn not_found(target: &Target) -> Error {
    Error::Refused {
        what: format!("find {}", target.name()),
        cause: Cause("no such container".into()),
        kind: Refusal::NotFound,
    }
}

pub(super) fn refuse<T>(what: &str, kind: Refusal, cause: &str) -> Result<T, Error> {
    Err(Error::Refused { what: what.to_owned(), cause: Cause(cause.to_owned()), kind })
}
