//! What a kind's service looks like, computed from its options.

use std::collections::{BTreeMap, BTreeSet};

use super::{HealthCheck, InnerDriver, Probe};
use crate::model::{ByteSize, InnerKind, Millis, Text};

/// One service as its kind wants it. `desired` adds names, networks, limits and whatever the person
/// wrote for this service, which wins over the blueprint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blueprint {
    /// The command, where the image's own will not do.
    pub command: Option<Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<String, Text>,
    /// The user, as `uid:gid`, where the image's own will not do.
    pub user: Option<String>,
    /// Data that outlives containers.
    pub volumes: Vec<DataVolume>,
    /// Files that nself writes for it.
    pub generated: Option<Generated>,
    /// Container ports published on the host: container port → host port.
    pub publish: BTreeMap<u16, u16>,
    /// How to see that it is ready; `None` is the image's own health check.
    pub probe: Option<Probe>,
    /// A health check for the engine.
    pub health: Option<HealthCheck>,
    /// Shared memory.
    pub shm: Option<ByteSize>,
    /// The signal that asks it to stop, where the image's own will not do.
    pub stop_signal: Option<String>,
    /// How long it may take to stop.
    pub stop_grace: Option<Millis>,
    /// Capabilities it needs after all have been dropped; `None` leaves the engine's set.
    pub capabilities: Option<Vec<&'static str>>,
    /// Whether its root file system can be read-only.
    pub read_only: bool,
    /// Paths in memory, with mount options.
    pub tmpfs: BTreeMap<String, String>,
    /// What is to exist inside it.
    pub inner: Vec<InnerSpec>,
    /// How to look and change there; `None` where `inner` is empty.
    pub driver: Option<InnerDriver>,
    /// Forms that earlier versions of nself gave it, the latest first.
    pub earlier: Vec<Earlier>,
}

/// A form that an earlier nself gave to the same service. It does as well as today's, so what runs in it
/// stays in it until it is made anew for another reason: an upgrade of nself alone stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The command, where it was another one.
    pub command: Option<Vec<String>>,
    /// The files that read otherwise; `None` for those that were not there.
    pub files: BTreeMap<String, Option<File>>,
}

/// A named volume of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataVolume {
    /// What it holds, such as `data`; the last part of its name.
    pub what: &'static str,
    /// Where it is mounted.
    pub target: String,
}

/// Files in a configuration volume, mounted read-only at [`Generated::MOUNT`]. The files stand in
/// `<mount>/current`, a link that is switched once a new set is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Paths relative to `<mount>/current`, and the files.
    pub files: BTreeMap<String, File>,
    /// The numeric owner and group of every file.
    pub owner: (u32, u32),
    /// A command that checks a set of files before it is used.
    pub check: Option<Check>,
    /// What makes the service take up new files.
    pub reload: Reload,
}

impl Generated {
    /// Where configuration volumes are mounted.
    pub const MOUNT: &'static str = "/etc/nself";
}

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What it reads as.
    pub content: Text,
    /// Its permission bits.
    pub mode: u32,
}

/// A command run inside the service, in which `{dir}` stands for the folder of the new files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check(pub Vec<String>);

/// What makes a service take up new files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// A signal to its first process.
    Signal(String),
    /// A restart.
    Restart,
    /// A restart when one of these files changed. The others are read whenever they are needed, or the
    /// service is told of them in another way.
    RestartFor(BTreeSet<String>),
}

/// A thing that is to exist inside a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerSpec {
    /// What it is.
    pub kind: InnerKind,
    /// The database it lives in.
    pub database: Option<String>,
    /// Its name.
    pub name: String,
    /// Its attributes, in the words of the kind's driver.
    pub attributes: BTreeMap<String, Text>,
}

/// What a person wants reachable from outside: a label below the project's domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The label, such as `api`; empty for the domain itself.
    pub label: String,
    /// The port inside the container.
    pub port: u16,
}

/// One host name that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The host name, such as `api.shop.localhost`.
    pub host: String,
    /// The upstream's host name on the project's network.
    pub upstream: String,
    /// The upstream's port.
    pub port: u16,
    /// The largest request body in bytes; `None` for the gateway's default.
    pub body_limit: Option<u64>,
}

/// The secrets that hold a TLS certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The host names it must be good for, sorted.
    pub hosts: Vec<String>,
    /// The PEM chain, leaf first.
    pub chain: Text,
    /// The PEM key.
    pub key: Text,
}
