//! The parts of a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use super::{Applied, Host, OwnImage, PortHolder, PortUser, Record, SeenTool};
use crate::{
    desired::{Desired, Fields, Files, InnerDriver, InnerResource, Path, Resource},
    model::{ImageRef, Inner, Instance, ResourceId, Sensitive},
};

/// What to look at. Derived from the desired state, so that an engine need not know it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The project's id, as in ownership labels.
    pub project_id: String,
    /// The instance.
    pub instance: Option<Instance>,
    /// What the names of this project's objects begin with.
    pub prefix: String,
    /// Names that matter even when the object there is not ours.
    pub names: BTreeSet<ResourceId>,
    /// Images wanted.
    pub images: BTreeSet<ImageRef>,
    /// Sets of files to look for.
    pub files: Vec<Files>,
    /// Things inside services to look for.
    pub inner: Vec<InnerResource>,
    /// Ports of the host that are wanted.
    pub ports: BTreeSet<u16>,
    /// Whether to read the contents of files, or only their size and time (60 times faster).
    pub contents: bool,
    /// Whether to look for images that nself built, which is a list of all images there are.
    pub built_images: bool,
}

/// One look at an engine.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The engine itself.
    pub engine: EngineFacts,
    /// Our containers, and others' at names we want; by name.
    pub containers: Vec<SeenContainer>,
    /// Likewise networks. Two of one name are possible.
    pub networks: Vec<SeenNetwork>,
    /// Likewise volumes.
    pub volumes: Vec<SeenVolume>,
    /// The images asked for that are there.
    pub images: BTreeMap<String, SeenImage>,
    /// What containers inherit from their image, by image id. An id without an entry is gone.
    pub image_defaults: BTreeMap<String, Fields>,
    /// Files by resource. Absent when there is no container through which to look.
    pub files: BTreeMap<ResourceId, SeenFiles>,
    /// Things inside services, by container name.
    pub inner: BTreeMap<String, InnerState>,
    /// The project's memory.
    pub record: Option<Record>,
    /// Whether an older memory is still there beside it: an apply died after it had written this one.
    pub has_older_record: bool,
    /// Ports of the host that containers which are not ours publish, and those of the request that
    /// programs have.
    pub ports: Vec<PortHolder>,
    /// What the engine's machine has to spare.
    pub host: Host,
    /// Locks and other tools of applies to this project.
    pub tools: Vec<SeenTool>,
    /// Images that nself built, for this project or any other; none unless they were asked for.
    pub own_images: Vec<OwnImage>,
}

/// Facts about the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineFacts {
    /// Its name and version, such as `docker 20.10`.
    pub name: String,
    /// The API version spoken, such as `1.41`.
    pub api: String,
    /// Where it was reached.
    pub address: String,
    /// Its own identity, which survives restarts.
    pub id: String,
    /// Memory of its machine in bytes; 0 when unknown.
    pub memory: u64,
    /// Processors of its machine; 0 when unknown.
    pub cpus: u32,
    /// Whether limits, restart policies and fixed addresses can be changed in place.
    pub updates_in_place: bool,
}

/// A live value. It has no type: it may be a secret that somebody typed by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// The value itself.
    Text(Sensitive),
    /// A salted verifier of a password, which can be checked against a password and nothing else.
    Verifier(Sensitive),
}

/// Live values in the same canonical texts as [`Fields`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveFields(pub BTreeMap<Path, Live>);

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// Ours, by its labels.
    Ours {
        /// The resource it says it is.
        resource: Option<ResourceId>,
        /// What it was created with; `None` when the label is missing or cannot be read.
        applied: Option<Applied>,
    },
    /// Not ours.
    Foreign,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenContainer {
    /// Its id.
    pub id: String,
    /// Its name, without the slash in front.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// The id of its image.
    pub image_id: String,
    /// When it was created, as the engine writes it; later sorts later.
    pub created: String,
    /// Its compared values, the state included. The value of `image` is the reference it was created
    /// from.
    pub fields: LiveFields,
    /// What it is doing.
    pub state: State,
    /// What the engine's health check says.
    pub health: Option<Health>,
    /// How often the engine started it again.
    pub restarts: u64,
    /// When it was started, as the engine writes it; empty when never.
    pub started: String,
    /// Volumes without a name of their own, by path: they are carried over when it is replaced.
    pub anonymous: BTreeMap<String, String>,
    /// Its address on each network, when running.
    pub addresses: BTreeMap<String, String>,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Between two starts of a crash loop.
    Restarting {
        /// The code of the last exit.
        code: i64,
    },
    /// Ended.
    Exited {
        /// The exit code.
        code: i64,
        /// Whether it was killed for want of memory.
        oom: bool,
    },
    /// Half removed.
    Dead,
}

/// What the engine's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Not known yet.
    Starting,
    /// Good.
    Healthy,
    /// Bad.
    Unhealthy,
}

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenNetwork {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// When it was created, as the engine writes it.
    pub created: String,
    /// Its compared values.
    pub fields: LiveFields,
    /// Names of the containers on it.
    pub members: BTreeSet<String>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenVolume {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: Owner,
    /// Its compared values.
    pub fields: LiveFields,
    /// Whether it holds nothing but files that nself can write again.
    pub disposable: bool,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenImage {
    /// Its id.
    pub id: String,
    /// The digest of what we built it from, if we did.
    pub built_from: Option<String>,
    /// Its size in bytes.
    pub size: u64,
}

/// A set of files as it is in a volume.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeenFiles {
    /// What `current` points at: the digest of the set it was written from.
    pub current: Option<String>,
    /// The wanted files that are there, by path; where contents were asked for, also all others, unless
    /// they are empty.
    pub files: BTreeMap<String, FileStat>,
}

/// A file as it is in a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStat {
    /// Its size in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Whether its time is the one that nself gives to every file it writes.
    pub untouched: bool,
    /// Its numeric owner and group; `None` when contents were not asked for.
    pub owner: Option<(u32, u32)>,
    /// What it reads as, for a link where it leads to; `None` when not asked for.
    pub content: Option<Sensitive>,
}

/// What is known of the inside of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InnerState {
    /// It was asked.
    Seen(BTreeMap<Inner, LiveFields>),
    /// It does not run.
    NotRunning,
    /// It runs and did not answer; says why.
    Failed(String),
}

impl Request {
    /// Returns what to look at for a desired state.
    pub fn of(desired: &Desired, contents: bool) -> Self {
        let mut request = Self {
            project_id: desired.project_id.clone(),
            instance: desired.instance.clone(),
            prefix: desired.prefix(),
            names: desired.resources.keys().chain(&desired.external).cloned().collect(),
            contents,
            ..Self::default()
        };
        for resource in desired.resources.values() {
            match resource {
                Resource::Image(image) => {
                    request.images.insert(image.reference.clone());
                }
                Resource::Files(files) => request.files.push(files.clone()),
                Resource::Inner(inner) => request.inner.push(inner.clone()),
                Resource::Container(container) => {
                    request.names.insert(ResourceId::Container(container.next_name()));
                    let bindings = container.ports.values().flatten();
                    request.ports.extend(bindings.map(|binding| binding.port));
                }
                Resource::Network(_) | Resource::Volume(_) => {}
            }
        }
        request
    }

    /// Returns the inner resources grouped by the container they are seen through.
    pub fn inner_by_container(&self) -> BTreeMap<&str, (&InnerDriver, Vec<&InnerResource>)> {
        let mut groups = BTreeMap::new();
        for inner in &self.inner {
            let (_, members) = groups
                .entry(inner.container.as_str())
                .or_insert_with(|| (&inner.driver, Vec::new()));
            members.push(inner);
        }
        groups
    }
}

impl Observed {
    /// Takes what the record says was adopted for ours, as if its labels said so. Whoever looks calls this
    /// last, so that nobody else has to know of adoption.
    pub fn recognise(&mut self) {
        self.name_adopted();
        let Some(record) = &self.record else { return };
        let ours = |resource: ResourceId, id: &str| {
            let is_it = record.adopted.get(&resource).is_some_and(|adopted| adopted == id);
            is_it.then(|| Owner::Ours {
                applied: record.in_place.get(&resource).cloned(),
                resource: Some(resource),
            })
        };
        for seen in &mut self.containers {
            // Adopted under one name and renamed since, it is still the one.
            let adopted = record.adopted.iter().find(|(_, id)| **id == seen.id);
            let known = adopted.map(|(resource, _)| resource.clone());
            if let (Owner::Foreign, Some(resource)) = (&seen.owner, known)
                && let Some(owner) = ours(resource, &seen.id)
            {
                seen.owner = owner;
                let by = PortUser::Container(seen.name.clone());
                self.ports.retain(|holder| holder.by != by);
            }
        }
        for seen in self.networks.iter_mut().filter(|seen| !seen.owner.is_ours()) {
            if let Some(owner) = ours(ResourceId::Network(seen.name.clone()), &seen.id) {
                seen.owner = owner;
            }
        }
        for seen in self.volumes.iter_mut().filter(|seen| !seen.owner.is_ours()) {
            if let Some(owner) = ours(ResourceId::Volume(seen.name.clone()), &seen.name) {
                seen.owner = owner;
            }
        }
    }
}

impl Observed {
    /// Gives what was adopted without an id the id of what has its name.
    fn name_adopted(&mut self) {
        let Some(record) = &mut self.record else { return };
        for (resource, id) in record.adopted.iter_mut().filter(|(_, id)| id.is_empty()) {
            let found = match resource {
                ResourceId::Container(name) => {
                    self.containers.iter().find(|seen| seen.name == *name).map(|seen| &seen.id)
                }
                ResourceId::Network(name) => {
                    self.networks.iter().find(|seen| seen.name == *name).map(|seen| &seen.id)
                }
                ResourceId::Volume(name) => Some(name),
                ResourceId::Image(_) | ResourceId::Files(_) | ResourceId::Inner(_) => None,
            };
            if let Some(found) = found {
                id.clone_from(found);
            }
        }
    }
}

impl Request {
    /// Returns the same with whatever was adopted: nobody else's labels lead to it.
    #[must_use]
    pub fn with_adopted(&self, record: Option<&Record>) -> Self {
        let mut request = self.clone();
        request.names.extend(record.iter().flat_map(|record| record.adopted.keys().cloned()));
        request
    }

    /// Returns whether a container is among those to look at whatever its labels say.
    pub fn is_adopted(record: Option<&Record>, container: &str) -> bool {
        record.is_some_and(|record| {
            record.adopted.iter().any(|(resource, id)| {
                matches!(resource, ResourceId::Container(_)) && id == container
            })
        })
    }
}

impl Live {
    /// Wraps a value.
    pub fn text(value: impl ToString) -> Self {
        Self::Text(Sensitive::new(value.to_string()))
    }
}

impl LiveFields {
    /// Adds a value.
    pub fn insert(&mut self, path: Path, value: impl ToString) {
        self.0.insert(path, Live::text(value));
    }

    /// Returns the value at `path`.
    pub fn get(&self, path: &Path) -> Option<&Live> {
        self.0.get(path)
    }
}

impl Owner {
    /// Returns the resource an object of ours says it is.
    pub fn resource(&self) -> Option<&ResourceId> {
        match self {
            Self::Ours { resource, .. } => resource.as_ref(),
            Self::Foreign => None,
        }
    }

    /// Returns what the object was created with.
    pub fn applied(&self) -> Option<&Applied> {
        match self {
            Self::Ours { applied, .. } => applied.as_ref(),
            Self::Foreign => None,
        }
    }

    /// Returns whether it is ours.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Ours { .. })
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Running => f.write_str("running"),
            Self::Paused => f.write_str("paused"),
            Self::Restarting { code } => write!(f, "restarting {code}"),
            Self::Exited { code, oom: false } => write!(f, "exited {code}"),
            Self::Exited { code, oom: true } => write!(f, "exited {code}, out of memory"),
            Self::Dead => f.write_str("dead"),
        }
    }
}
