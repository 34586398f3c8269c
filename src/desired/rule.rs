//! What a project never wants to run and always wants to have, and which containers are against it.
//!
//! Only what the file and the kinds say is judged here. What a plan is about to do is `plan`'s business.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    Class, Container, Desired, Field, ImageOrigin, MountSource, Path, Probe, Resource, Restart,
};
use crate::{
    model::{Origin, PolicyName, ResourceId, ServiceName},
    spec::{Amount, Denied, Required, RuleEffect},
};

/// One policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: PolicyName,
    /// What it demands.
    pub demand: Demand,
    /// What comes of it when it bites.
    pub effect: RuleEffect,
    /// Where it is written.
    pub origin: Origin,
}

/// What a policy demands.
#[derive(Debug, Clone, PartialEq)]
pub enum Demand {
    /// That no container is or has this.
    Deny(Denied, Whom),
    /// That every container has this.
    Require(Required, Whom),
    /// That a plan does no more than this at once.
    AtMost {
        /// What is counted.
        measure: Measure,
        /// How many of them.
        amount: Amount,
        /// How many there have to be for the rule to hold.
        among: usize,
    },
}

/// The services a policy is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// These.
    Only(BTreeSet<ServiceName>),
    /// All but these.
    AllBut(BTreeSet<ServiceName>),
}

/// What is counted of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Containers, networks, volumes and things inside services that go.
    Removals,
    /// Containers that are made anew.
    Recreates,
    /// Running containers that are stopped, for a while or for good.
    Unavailable,
}

/// A container that is against a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Offence {
    /// The container.
    pub id: ResourceId,
    /// What is wrong with it, such as `it is privileged`.
    pub why: String,
    /// Where the offending value comes from, if there is one.
    pub origin: Option<Origin>,
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.demand {
            Demand::Deny(denied, whom) => write!(f, "deny {}{whom}", denied.word())?,
            Demand::Require(required, whom) => write!(f, "require {}{whom}", required.word())?,
            Demand::AtMost { measure, amount, among: 0 } => {
                write!(f, "{} {amount}", measure.word())?;
            }
            Demand::AtMost { measure, amount, among } => {
                write!(f, "{} {amount} of {among} or more", measure.word())?;
            }
        }
        write!(f, ", else {}", self.effect.word())
    }
}

impl std::fmt::Display for Whom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (word, services) = match self {
            Self::Only(services) => ("for", services),
            Self::AllBut(services) => ("except for", services),
        };
        if services.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
        write!(f, " {word} {}", names.join(", "))
    }
}

impl Measure {
    /// Returns the word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removals => "max_removals",
            Self::Recreates => "max_recreates",
            Self::Unavailable => "max_unavailable",
        }
    }
}

impl Whom {
    /// Returns whether a service is among them.
    pub fn includes(&self, service: &ServiceName) -> bool {
        match self {
            Self::Only(services) => services.contains(service),
            Self::AllBut(services) => !services.contains(service),
        }
    }
}

impl Desired {
    /// Returns the containers that are against a rule about containers.
    pub fn offences(&self, rule: &Rule) -> Vec<Offence> {
        let look: &dyn Fn(&Container) -> Option<(Path, String)> = match &rule.demand {
            Demand::Deny(denied, _) => &|container| self.denied(*denied, container),
            Demand::Require(required, _) => &|container| lacks(*required, container),
            Demand::AtMost { .. } => return Vec::new(),
        };
        let (Demand::Deny(_, whom) | Demand::Require(_, whom)) = &rule.demand else {
            return Vec::new();
        };
        let containers = self.containers().filter(|container| whom.includes(&container.service));
        let offence = |container: &Container| {
            let (path, why) = look(container)?;
            let id = ResourceId::Container(container.name.clone());
            let origin = self.origins.get(&(id.clone(), path)).cloned();
            Some(Offence { id, why, origin })
        };
        containers.filter_map(offence).collect()
    }

    /// Returns what of a container is denied: the path of the value, and what is wrong with it.
    fn denied(&self, denied: Denied, container: &Container) -> Option<(Path, String)> {
        match denied {
            Denied::Privileged => container
                .privileged
                .then(|| (Field::Privileged.path(), "it is privileged".to_owned())),
            Denied::HostNamespaces => {
                let namespaces = &container.namespaces;
                let all = [
                    (Field::IpcNamespace, &namespaces.ipc),
                    (Field::PidNamespace, &namespaces.pid),
                    (Field::UtsNamespace, &namespaces.uts),
                    (Field::UserNamespace, &namespaces.users),
                    (Field::CgroupNamespace, &namespaces.cgroup),
                ];
                let host = all.into_iter().find(|(_, mode)| mode.as_deref() == Some("host"));
                host.map(|(field, _)| (field.path(), format!("{} is the host's", field.word())))
            }
            Denied::DockerSocket => bind(container, |path| {
                SOCKETS.iter().any(|socket| std::path::Path::new(socket).starts_with(path))
            })
            .map(|(path, bind)| (path, format!("{bind} gives it the engine's socket"))),
            Denied::BindMounts => bind(container, |_| true)
                .map(|(path, bind)| (path, format!("it has {bind} of the host"))),
            Denied::Devices => container
                .devices
                .first()
                .map(|device| (Field::Devices.path(), format!("it has the device {device}"))),
            Denied::AddedCapabilities => container.capabilities.add.first().map(|capability| {
                (Field::CapabilitiesAdded.path(), format!("it has {capability} added"))
            }),
            Denied::LatestTag => self
                .is_pulled(container)
                .then(|| container.image.tag())
                .flatten()
                .filter(|tag| *tag == "latest")
                .map(|_| (Field::Image.path(), format!("{} floats", container.image))),
            Denied::Unpinned => self
                .is_pulled(container)
                .then(|| container.image.tag())
                .flatten()
                .map(|_| (Field::Image.path(), format!("{} has no digest", container.image))),
            Denied::PublishEverywhere => {
                let bindings = container
                    .ports
                    .iter()
                    .flat_map(|(key, bindings)| bindings.iter().map(move |binding| (key, binding)));
                let mut everywhere = bindings.filter(|(_, binding)| {
                    binding.address.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
                });
                everywhere.next().map(|(key, binding)| {
                    (Field::Port.key(key), format!("{binding} is open on every address"))
                })
            }
            Denied::RootUser => {
                let user = container.user.as_deref()?;
                let name = user.split(':').next().unwrap_or_default();
                let is_root = name == "root" || name.parse() == Ok(0);
                is_root.then(|| (Field::User.path(), format!("its user is {user}")))
            }
        }
    }

    fn is_pulled(&self, container: &Container) -> bool {
        match self.resources.get(&ResourceId::Image(container.image.to_string())) {
            Some(Resource::Image(image)) => matches!(image.origin, ImageOrigin::Pull(_)),
            _ => false,
        }
    }
}

/// Where engines listen.
const SOCKETS: [&str; 4] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/var/run/podman/podman.sock",
];

fn bind(container: &Container, is_meant: impl Fn(&str) -> bool) -> Option<(Path, String)> {
    container.mounts.iter().find_map(|(target, mount)| match &mount.source {
        MountSource::Bind(path) if is_meant(path) => Some((Field::Mount.key(target), path.clone())),
        MountSource::Bind(_) | MountSource::Volume(_) => None,
    })
}

/// Returns what a container lacks: the path where it would be, and what is wrong without it.
fn lacks(required: Required, container: &Container) -> Option<(Path, String)> {
    let Container { limits, class, .. } = container;
    let ends = *class == Class::Job;
    let (is_there, field) = match required {
        Required::Memory => (limits.memory.is_some(), Field::Memory),
        Required::Cpus => (limits.cpus.is_some(), Field::Cpus),
        Required::Pids => (limits.pids.is_some(), Field::Pids),
        Required::Health => (
            ends || container.health.is_some() || container.probe != Probe::Image,
            Field::HealthTest,
        ),
        Required::ReadOnly => (container.read_only, Field::ReadOnly),
        Required::User => (container.user.is_some(), Field::User),
        Required::Restart => (ends || container.restart != Restart::No, Field::Restart),
        Required::NoNewPrivileges => {
            let says_so = |option: &String| option.starts_with("no-new-privileges");
            (container.security.iter().any(says_so), Field::Security)
        }
        Required::DroppedCapabilities => {
            (container.capabilities.drop.contains("ALL"), Field::CapabilitiesDropped)
        }
    };
    (!is_there).then(|| (field.path(), format!("it has no {}", required.word())))
}
