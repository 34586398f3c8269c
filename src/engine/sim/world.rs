//! What is on a simulated engine.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    desired::{Field, Fields, Path},
    engine::Holder,
    model::{Inner, Instance, ResourceId},
    observed::{
        Applied, EngineFacts, FileStat, Host, InnerState, Live, LiveFields, Observed, OwnImage,
        Owner, PortHolder, PortUser, Record, Request, SeenContainer, SeenFiles, SeenImage,
        SeenNetwork, SeenTool, SeenVolume, State, label,
    },
};

/// Everything a simulated engine holds. All of it may be changed by hand.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Containers by id.
    pub containers: BTreeMap<String, SimContainer>,
    /// Networks by id: name and labels beside what is seen of one.
    pub networks: BTreeMap<String, (SeenNetwork, BTreeMap<String, String>)>,
    /// Volumes by name.
    pub volumes: BTreeMap<String, SimVolume>,
    /// Images by reference.
    pub images: BTreeMap<String, SeenImage>,
    /// What containers inherit, by image id.
    pub image_defaults: BTreeMap<String, Fields>,
    /// Each project's memory, by prefix, project id and instance.
    pub records: BTreeMap<(String, String, String), String>,
    /// What is inside services, by the volume that holds it, or the container's id where none does.
    pub inner: BTreeMap<String, BTreeMap<Inner, LiveFields>>,
    /// The id and holder of each project's lock, by prefix.
    pub locks: BTreeMap<String, (String, Holder)>,
    /// Images whose containers never become ready.
    pub broken: BTreeSet<String>,
    /// Images no registry has.
    pub unknown_images: BTreeSet<String>,
    /// What neither its machine nor an image has: paths, programs, users, groups, addresses, plugins,
    /// registries.
    pub absent: BTreeSet<String>,
    /// How many processors its machine has, where that is of interest.
    pub processors: Option<u32>,
    /// What its machine has to spare.
    pub host: Host,
    /// Bytes of memory its machine has; 0 when unknown.
    pub memory: u64,
    /// Ports of its machine that programs have.
    pub programs: Vec<PortHolder>,
    /// Tools of applies that were left behind, by the prefix of the project.
    pub tools: BTreeMap<String, Vec<SeenTool>>,
    counter: u64,
}

/// A container of a simulated engine.
#[derive(Debug, Clone)]
pub struct SimContainer {
    /// What is seen of it; the owner is worked out from the labels.
    pub seen: SeenContainer,
    /// Its labels, ours included.
    pub labels: BTreeMap<String, String>,
    /// The files its process has loaded, by configuration volume.
    pub loaded: BTreeMap<String, String>,
}

/// A volume of a simulated engine.
#[derive(Debug, Clone)]
pub struct SimVolume {
    /// What is seen of it; the owner is worked out from the labels.
    pub seen: SeenVolume,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Tells one volume from a later one of the same name.
    pub incarnation: u64,
    /// Sets of files by digest.
    pub sets: BTreeMap<String, BTreeMap<String, FileStat>>,
    /// The set in use.
    pub current: Option<String>,
}

impl World {
    /// Returns a number that no other object has.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Returns the container with that id or name.
    pub fn find(&self, reference: &str) -> Option<&SimContainer> {
        self.containers
            .get(reference)
            .or_else(|| self.containers.values().find(|container| container.seen.name == reference))
    }

    /// Returns the container with that id or name, to change it.
    pub fn find_mut(&mut self, reference: &str) -> Option<&mut SimContainer> {
        let id = self.find(reference)?.seen.id.clone();
        self.containers.get_mut(&id)
    }

    /// Changes a value of a container behind nself's back.
    pub fn tamper(&mut self, name: &str, path: Path, value: Option<&str>) {
        if let Some(container) = self.find_mut(name) {
            match value {
                Some(value) => container.seen.fields.insert(path, value),
                None => {
                    container.seen.fields.0.remove(&path);
                }
            }
        }
    }

    /// Returns what is inside a container's service.
    pub fn inside(&self, name: &str) -> Option<&BTreeMap<Inner, LiveFields>> {
        self.inner.get(&data_of(self.find(name)?))
    }

    /// Puts a container into another state behind nself's back.
    pub fn set_state(&mut self, name: &str, state: State) {
        if let Some(container) = self.find_mut(name) {
            container.seen.state = state;
        }
    }

    /// Returns whether an id is that of a tool that was left behind.
    pub(super) fn is_tool(&self, id: &str) -> bool {
        self.tools.values().flatten().any(|tool| tool.id == id)
    }

    fn facts(&self) -> EngineFacts {
        EngineFacts {
            name: "sim".into(),
            api: "1.41".into(),
            address: "sim:".into(),
            id: "sim".into(),
            updates_in_place: true,
            memory: self.memory,
            ..EngineFacts::default()
        }
    }

    fn own_images(&self) -> Vec<OwnImage> {
        let built = self.images.iter().filter(|(_, image)| image.built_from.is_some());
        let is_used = |id: &str| {
            let mut containers = self.containers.values();
            containers.any(|container| container.seen.image_id == id)
        };
        built
            .map(|(name, image)| OwnImage {
                id: image.id.clone(),
                tags: vec![name.clone()],
                size: image.size,
                created: 0,
                used: is_used(&image.id),
            })
            .collect()
    }

    pub(super) fn observe(&self, request: &Request) -> Observed {
        let instance = request.instance.as_ref().map(ToString::to_string).unwrap_or_default();
        let memory = (request.prefix.clone(), request.project_id.clone(), instance);
        let record = self.records.get(&memory).and_then(|text| Record::parse(text).ok());
        let request = &request.with_adopted(record.as_ref());
        let owner = |labels: &BTreeMap<String, String>| owner(labels, request);
        let mut observed = Observed {
            engine: self.facts(),
            record,
            ports: self.programs.clone(),
            host: self.host.clone(),
            tools: self.tools.get(&request.prefix).cloned().unwrap_or_default(),
            own_images: if request.built_images { self.own_images() } else { Vec::new() },
            ..Observed::default()
        };
        for container in self.containers.values() {
            let mut seen = container.seen.clone();
            seen.owner = owner(&container.labels);
            let name = ResourceId::Container(seen.name.clone());
            seen.fields.insert(Field::Name.path(), &seen.name);
            seen.fields.insert(Field::State.path(), seen.state);
            let adopted = Request::is_adopted(observed.record.as_ref(), &seen.id);
            if seen.owner.is_ours() || adopted || request.names.contains(&name) {
                if let Some(defaults) = self.image_defaults.get(&seen.image_id) {
                    observed.image_defaults.insert(seen.image_id.clone(), defaults.clone());
                }
                observed.containers.push(seen);
            } else if matches!(seen.state, State::Running | State::Paused) {
                observed.ports.extend(published(&seen));
            }
        }
        observed.containers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        for (network, labels) in self.networks.values() {
            let mut seen = network.clone();
            seen.owner = owner(labels);
            seen.members = self
                .containers
                .values()
                .filter(|container| {
                    container.seen.fields.get(&Field::Network.key(&seen.name)).is_some()
                })
                .map(|container| container.seen.name.clone())
                .collect();
            let wanted = request.names.contains(&ResourceId::Network(seen.name.clone()));
            if seen.owner.is_ours() || wanted {
                observed.networks.push(seen);
            }
        }
        for volume in self.volumes.values() {
            let mut seen = volume.seen.clone();
            seen.owner = owner(&volume.labels);
            let wanted = request.names.contains(&ResourceId::Volume(seen.name.clone()));
            if seen.owner.is_ours() || wanted {
                observed.volumes.push(seen);
            }
        }
        for image in &request.images {
            if let Some(seen) = self.images.get(&image.to_string()) {
                observed.images.insert(image.to_string(), seen.clone());
                if let Some(defaults) = self.image_defaults.get(&seen.id) {
                    observed.image_defaults.insert(seen.id.clone(), defaults.clone());
                }
            }
        }
        for files in &request.files {
            let Some(volume) = self.volumes.get(&files.volume) else { continue };
            // There is no looking into a volume but through a container that mounts it.
            if !self.containers.values().any(|container| mounts(container, &files.volume)) {
                continue;
            }
            let set = volume.current.as_ref().and_then(|digest| volume.sets.get(digest));
            let mut all = set.cloned().unwrap_or_default();
            if !request.contents {
                all.retain(|path, _| files.files.contains_key(path));
                for stat in all.values_mut() {
                    (stat.owner, stat.content) = (None, None);
                }
            }
            let id = ResourceId::Files(files.container.clone());
            observed.files.insert(id, SeenFiles { current: volume.current.clone(), files: all });
        }
        for (name, (_, wanted)) in request.inner_by_container() {
            let state = match self.find(name) {
                Some(container) if container.seen.state == State::Running => {
                    let wanted = wanted.iter().map(|inner| &inner.id);
                    let inside = self.inner.get(&data_of(container));
                    let seen = wanted.filter_map(|id| Some((id.clone(), inside?.get(id)?.clone())));
                    InnerState::Seen(seen.collect())
                }
                Some(_) | None => InnerState::NotRunning,
            };
            observed.inner.insert(name.to_owned(), state);
        }
        observed.recognise();
        observed
    }
}

/// Returns the place that holds what is inside a container's service.
pub(super) fn data_of(container: &SimContainer) -> String {
    let volume = container.seen.fields.0.iter().find_map(|(path, live)| match live {
        Live::Text(text) if path.field == Field::Mount => {
            text.expose().strip_prefix("volume:")?.strip_suffix(":rw")
        }
        Live::Text(_) | Live::Verifier(_) => None,
    });
    volume.unwrap_or(&container.seen.id).to_owned()
}

pub(super) fn mounts(container: &SimContainer, volume: &str) -> bool {
    container.seen.fields.0.iter().any(|(path, live)| match live {
        Live::Text(text) => {
            path.field == Field::Mount
                && text
                    .expose()
                    .strip_prefix("volume:")
                    .and_then(|mount| mount.rsplit_once(':'))
                    .is_some_and(|(name, _)| name == volume)
        }
        Live::Verifier(_) => false,
    })
}

fn owner(labels: &BTreeMap<String, String>, request: &Request) -> Owner {
    let instance = request.instance.as_ref().map(Instance::as_str);
    let ours = labels.get(label::PROJECT) == Some(&request.project_id)
        && labels.get(label::INSTANCE).map(String::as_str) == instance;
    if !ours {
        return Owner::Foreign;
    }
    Owner::Ours {
        resource: labels.get(label::RESOURCE).and_then(|text| text.parse().ok()),
        applied: labels.get(label::APPLIED).and_then(|text| Applied::parse(text)),
    }
}

/// Returns the ports of the machine that a container has when it runs.
pub(super) fn published(seen: &SeenContainer) -> Vec<PortHolder> {
    let mut all = Vec::new();
    for (path, live) in seen.fields.0.iter().filter(|(path, _)| path.field == Field::Port) {
        let Live::Text(text) = live else { continue };
        let bindings: Vec<String> = serde_json::from_str(text.expose()).unwrap_or_default();
        let protocol = path.key.rsplit_once('/').map_or("tcp", |(_, protocol)| protocol);
        all.extend(bindings.iter().filter_map(|binding| {
            let (address, port) = binding.rsplit_once(':')?;
            Some(PortHolder {
                address: address.to_owned(),
                port: port.parse().ok()?,
                protocol: protocol.to_owned(),
                by: PortUser::Container(seen.name.clone()),
            })
        }));
    }
    all
}
