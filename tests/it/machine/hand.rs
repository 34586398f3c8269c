//! What a person does to a simulated engine, where a real one would let them.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    desired::Field,
    engine::sim::{SimContainer, SimVolume, World},
    model::ResourceId,
    observed::{LiveFields, Owner, SeenContainer, SeenNetwork, SeenVolume, State, label},
};

use super::{
    file::{Name, Naming, Tag},
    sim::{content, data, reference},
    story::{Act, Stranger},
};

const KILLED: State = State::Exited { code: 137, oom: false };

pub(super) fn happen(world: &mut World, naming: &Naming, act: &Act) {
    let network = &naming.project;
    let mut with = |name: &Name, change: &dyn Fn(&mut SimContainer)| {
        if let Some(container) = world.find_mut(&naming.container(*name)) {
            change(container);
        }
    };
    match act {
        Act::Kill(name) | Act::Stop(name) => with(name, &|one| {
            if matches!(one.seen.state, State::Running | State::Paused) {
                one.seen.state = KILLED;
                one.seen.addresses.clear();
            }
        }),
        Act::Start(name) => start(world, &naming.container(*name)),
        Act::Pause(name) => with(name, &|one| {
            if one.seen.state == State::Running {
                one.seen.state = State::Paused;
            }
        }),
        Act::Rename(name) => {
            let to = format!("{}-elsewhere", naming.container(*name));
            if world.find(&to).is_none()
                && let Some(container) = world.find_mut(&naming.container(*name))
            {
                container.seen.name = to;
            }
        }
        Act::Remove(name) => {
            let id = world.find(&naming.container(*name)).map(|one| one.seen.id.clone());
            id.and_then(|id| world.containers.remove(&id));
        }
        Act::Limit(name, to) => with(name, &|one| {
            let bytes = (u64::from(*to) + 7) << 20;
            one.seen.fields.insert(Field::Memory.path(), bytes);
            one.seen.fields.insert(Field::Swap.path(), 2 * bytes);
        }),
        Act::Restart(name) => with(name, &|one| {
            one.seen.fields.insert(Field::Restart.path(), "always");
        }),
        Act::Detach(name) => with(name, &|one| detach(one, network)),
        Act::Alias(name) => with(name, &|one| {
            if one.seen.fields.get(&Field::Network.key(network)).is_some() {
                one.seen.fields.insert(Field::Alias.key(network), "[\"another\"]");
            }
        }),
        Act::Attach(name) => {
            let theirs = format!("mart-{network}");
            make_network(world, &theirs);
            if let Some(container) = world.find_mut(&naming.container(*name)) {
                container.seen.fields.insert(Field::Network.key(theirs), "attached");
            }
        }
        Act::Copy(name) => {
            let to = format!("{}-copy", naming.container(*name));
            if world.find(&to).is_none()
                && let Some(mut copy) = world.find(&naming.container(*name)).cloned()
            {
                copy.seen.name = to;
                copy.seen.state = State::Created;
                put(world, copy);
            }
        }
        Act::Label(name) => anew(world, &naming.container(*name), |one| {
            one.seen.fields.insert(Field::Label.key("by-hand"), "yes");
            one.labels.insert("by-hand".into(), "yes".into());
        }),
        Act::Unlabel(name) => {
            anew(world, &naming.container(*name), |one| one.labels.clear());
        }
        Act::RemoveNetwork => {
            world.networks.retain(|_, (seen, _)| seen.name != *network);
            for container in world.containers.values_mut() {
                detach(container, network);
            }
        }
        Act::RemoveVolume(name, keeps) => {
            let volume = naming.volume(*name, *keeps);
            let is_used = |one: &SimContainer| data(&one.seen.fields).as_ref() == Some(&volume);
            if !world.containers.values().any(is_used) {
                world.volumes.remove(&volume);
            }
        }
        Act::Forget => world.records.clear(),
        Act::MoveTag(tag, to) => {
            let number = usize::from(*to) + usize::from(*tag == Tag::Two) * 10;
            let id = content(number);
            world.image_defaults.entry(id.clone()).or_default();
            if let Some(image) = world.images.get_mut(&reference(naming, *tag)) {
                image.id = id;
            }
        }
        Act::Write(..) => {}
        Act::Stranger(stranger) => make(world, naming, *stranger),
        Act::StrangersGo => {
            let project = |labels: &BTreeMap<String, String>| {
                labels.get(label::PROJECT).is_some_and(|id| *id == naming.project)
            };
            let adopted: BTreeSet<String> = super::sim::adopted(world);
            world.containers.retain(|id, one| project(&one.labels) || adopted.contains(id));
            let is_used = |name: &str| {
                let mut all = world.containers.values();
                all.any(|one| data(&one.seen.fields).as_deref() == Some(name))
            };
            world.volumes.retain(|name, one| {
                project(&one.labels) || adopted.contains(name) || is_used(name)
            });
            for name in [&format!("mart-{network}"), network] {
                let theirs = |id: &String, labels| !project(labels) && !adopted.contains(id);
                let mut there = world.networks.iter().filter(|(_, (seen, _))| seen.name == *name);
                if there.any(|(id, (_, labels))| theirs(id, labels)) {
                    world.networks.retain(|id, (seen, labels)| {
                        seen.name != *name || project(labels) || adopted.contains(id)
                    });
                    for container in world.containers.values_mut() {
                        detach(container, name);
                    }
                }
            }
        }
    }
}

fn start(world: &mut World, name: &str) {
    let may = |one: &SimContainer| {
        let networks = one.seen.fields.0.keys().filter(|path| path.field == Field::Network);
        let mut networks = networks.map(|path| &path.key);
        networks.all(|name| world.networks.values().any(|(seen, _)| seen.name == *name))
    };
    let Some(container) = world.find(name) else { return };
    let ports = super::sim::ports(container);
    let taken = world.containers.values().any(|other| {
        other.seen.id != container.seen.id
            && matches!(other.seen.state, State::Running | State::Paused)
            && !super::sim::ports(other).is_disjoint(&ports)
    });
    let is_stopped = !matches!(container.seen.state, State::Running | State::Paused | State::Dead);
    if is_stopped && may(container) && !taken {
        let number = world.number();
        let container = world.find_mut(name).expect("it was there");
        container.seen.state = State::Running;
        container.seen.started = format!("{number:08}");
    }
}

/// Puts a copy of a container in its place, made by hand.
fn anew(world: &mut World, name: &str, change: impl FnOnce(&mut SimContainer)) {
    if let Some(mut copy) = world.find(name).cloned() {
        world.containers.remove(&copy.seen.id);
        change(&mut copy);
        put(world, copy);
    }
}

fn put(world: &mut World, mut container: SimContainer) {
    let number = world.number();
    container.seen.id = format!("c{number:08}");
    container.seen.created = format!("{number:08}");
    world.containers.insert(container.seen.id.clone(), container);
}

fn detach(container: &mut SimContainer, network: &str) {
    container.seen.fields.0.retain(|path, _| {
        !(matches!(path.field, Field::Network | Field::Alias) && path.key == network)
    });
}

fn make(world: &mut World, naming: &Naming, stranger: Stranger) {
    let project = &naming.project;
    let name = match stranger {
        Stranger::Elsewhere => "mart-web".to_owned(),
        Stranger::OtherProject(name) => format!("mart-{}", name.text()),
        Stranger::AtName(name) => naming.container(name),
        Stranger::AtNext(name) => format!("{}.next", naming.container(name)),
        Stranger::Guest => "mart-guest".to_owned(),
        Stranger::OnPort(port) => format!("mart-port-{port}"),
        Stranger::Volume(name) => {
            let name = naming.volume(name, super::file::Keeps::Data);
            make_volume(world, &name);
            return;
        }
        Stranger::Network => return make_network(world, project),
    };
    if world.find(&name).is_some() {
        return;
    }
    let mut fields = LiveFields::default();
    let reference = reference(naming, Tag::One);
    fields.insert(Field::Image.path(), &reference);
    let mut labels = BTreeMap::new();
    let mut state = State::Running;
    match stranger {
        Stranger::Guest => {
            if !world.networks.values().any(|(seen, _)| seen.name == *project) {
                return;
            }
            fields.insert(Field::Network.key(project), "attached");
        }
        Stranger::OnPort(port) => {
            let port = naming.ports[usize::from(port)];
            fields.insert(Field::Port.key("80/tcp"), format!("[\"127.0.0.1:{port}\"]"));
            state = State::Created;
        }
        Stranger::OtherProject(name) => {
            let resource = ResourceId::Container(naming.container(name));
            labels.insert(label::PROJECT.to_owned(), "mart".to_owned());
            labels.insert(label::RESOURCE.to_owned(), resource.to_string());
        }
        _ => {}
    }
    let image_id = world.images[&reference].id.clone();
    let seen = SeenContainer {
        id: String::new(),
        name: name.clone(),
        owner: Owner::Foreign,
        image_id,
        created: String::new(),
        fields,
        state,
        health: None,
        restarts: 0,
        started: String::new(),
        anonymous: BTreeMap::new(),
        addresses: BTreeMap::new(),
    };
    put(world, SimContainer { seen, labels, loaded: BTreeMap::new() });
    if state == State::Created {
        start(world, &name);
    }
}

fn make_volume(world: &mut World, name: &str) {
    if world.volumes.contains_key(name) {
        return;
    }
    let mut fields = LiveFields::default();
    fields.insert(Field::Driver.path(), "local");
    let seen = SeenVolume { name: name.into(), owner: Owner::Foreign, fields, disposable: false };
    let (sets, incarnation) = (BTreeMap::new(), world.number());
    let labels = BTreeMap::new();
    let volume = SimVolume { seen, labels, incarnation, sets, current: None };
    world.volumes.insert(name.to_owned(), volume);
}

fn make_network(world: &mut World, name: &str) {
    if world.networks.values().any(|(seen, _)| seen.name == *name) {
        return;
    }
    let number = world.number();
    let mut fields = LiveFields::default();
    fields.insert(Field::Driver.path(), "bridge");
    let seen = SeenNetwork {
        id: format!("n{number:08}"),
        name: name.to_owned(),
        owner: Owner::Foreign,
        created: format!("{number:08}"),
        fields,
        members: BTreeSet::new(),
    };
    world.networks.insert(seen.id.clone(), (seen, BTreeMap::new()));
}
