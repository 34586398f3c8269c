//! The tables of `nself.toml`, each declared once; the schema and the key documentation derive from it.

use std::collections::BTreeMap;

use super::{
    Address, Bind, Capability, Day, Device, Domain, EnvName, HostAddress, InsidePath, ObjectName,
    Places, ProcessLimit, Publish, RestartRule, RouteName, Template, VolumeTargets,
};
use crate::{
    model::{
        ByteSize, Cpus, Diagnostic, ImageRef, Instance, Millis, ProjectName, ServiceName, Share,
        WatchMode,
        decode::{Decode, Node, NodeValue, Shape, Sourced},
    },
    table, words,
};

table! {
    /// `[project]`
    pub struct Project {
        /// The project's name: the first part of every name on the engine.
        pub name: Sourced<ProjectName>,
        /// Marks this project's objects on the engine; written by `nself init`. Default: the name.
        pub id: Option<String>,
        /// The domain below which services are reachable. Default: NAME.localhost, which needs no DNS.
        pub domain: Option<Sourced<Domain>>,
        /// Lets this environment live beside others on the same engine under names of its own.
        pub instance: Option<Instance>,
        /// Hold all removals when more than this share of the project would go at once. Default: none; in production "50%" of four resources or more.
        pub refuse_over: Option<Sourced<Share>>,
    }
}

table! {
    /// `[services.NAME]`, without the keys of its kind.
    pub struct Settings {
        /// The kind of service. Default: the service's own name, if that is a kind, else `container`.
        pub kind: Option<Sourced<String>>,
        /// The release of the kind's software, such as "17".
        pub version: Option<Sourced<String>>,
        /// The image, with tag or digest.
        pub image: Option<Sourced<ImageRef>>,
        /// The folder with a Dockerfile to build the image from, relative to this file.
        pub build: Option<Sourced<Build>>,
        /// The port the service answers on, inside its container.
        pub port: Option<Sourced<u16>>,
        /// The name below the project's domain under which the gateway serves it; "@" is the domain itself, a name with a dot a full host name, "" nowhere.
        pub route: Option<Sourced<RouteName>>,
        /// How many containers. Default: 1.
        pub replicas: Option<Sourced<u16>>,
        /// Environment variables. May hold references such as `${postgres.url}` or `${secret.jwt_key}`.
        pub env: BTreeMap<EnvName, Sourced<Template>>,
        /// The command, instead of the image's own.
        pub command: Option<Sourced<Vec<String>>>,
        /// The entrypoint, instead of the image's own.
        pub entrypoint: Option<Sourced<Vec<String>>>,
        /// User and group, such as "1000:1000".
        pub user: Option<Sourced<String>>,
        /// Working directory.
        pub workdir: Option<Sourced<String>>,
        /// Host name inside the container.
        pub hostname: Option<Sourced<String>>,
        /// Labels of the container.
        pub labels: BTreeMap<String, Sourced<String>>,
        /// Named volumes: what they hold → path inside, ":ro" behind it for read-only. They outlive the container. A name of `[volumes]` means that one.
        pub volumes: BTreeMap<ObjectName, Sourced<VolumeTargets>>,
        /// Paths of the engine's host: path inside → path on the host, ":ro" behind it for read-only.
        pub binds: BTreeMap<InsidePath, Sourced<Bind>>,
        /// Memory file systems: path inside → mount options.
        pub tmpfs: BTreeMap<InsidePath, Sourced<String>>,
        /// Ports on the host: "8080:80", "127.0.0.1:5432:5432" or "53:53/udp"; the engine chooses in place of a 0. Default address: 127.0.0.1.
        pub publish: Vec<Sourced<Publish>>,
        /// The networks it is on, by their names in `[networks]`: a list, or NAME → { aliases, address }. Default: default.
        pub networks: Option<Sourced<Places>>,
        /// The container's name on the engine; the numbers of further replicas go on from a "-1" at its end. Default: PROJECT-SERVICE.
        pub container_name: Option<Sourced<ObjectName>>,
        /// Services that must be ready before this one starts, beyond those it refers to.
        pub needs: Vec<Sourced<ServiceName>>,
        /// Limits of memory, processors and processes.
        pub limits: Option<LimitSettings>,
        /// When the engine starts it again: "no", "always", "unless-stopped", "on-failure" or "on-failure:3".
        pub restart: Option<Sourced<RestartRule>>,
        /// How to see that it is ready.
        pub health: Option<Health>,
        /// How long it may take to become ready. Default: 60s; a job 10m.
        pub ready_within: Option<Sourced<Millis>>,
        /// Capabilities added.
        pub cap_add: Vec<Sourced<Capability>>,
        /// Capabilities dropped.
        pub cap_drop: Vec<Sourced<Capability>>,
        /// Whether it may do everything. Avoid it.
        pub privileged: Option<Sourced<bool>>,
        /// Security options. Default: "no-new-privileges" for your own services.
        pub security: Option<Sourced<Vec<String>>>,
        /// Whether its root file system is read-only.
        pub read_only: Option<Sourced<bool>>,
        /// Kernel parameters of its namespaces.
        pub sysctls: BTreeMap<String, Sourced<String>>,
        /// Limits of processes: name → "soft:hard" or one number for both.
        pub ulimits: BTreeMap<String, Sourced<ProcessLimit>>,
        /// Size of /dev/shm.
        pub shm: Option<Sourced<ByteSize>>,
        /// Name servers.
        pub dns: Vec<Sourced<String>>,
        /// Search domains.
        pub dns_search: Vec<Sourced<String>>,
        /// Resolver options.
        pub dns_options: Vec<Sourced<String>>,
        /// Further lines of /etc/hosts: name → address.
        pub extra_hosts: BTreeMap<String, Sourced<HostAddress>>,
        /// Further groups of its first process.
        pub groups: Vec<Sourced<String>>,
        /// The signal that asks it to stop.
        pub stop_signal: Option<Sourced<String>>,
        /// How long it may take to stop before it is killed. Default: 10s.
        pub stop_grace: Option<Sourced<Millis>>,
        /// Log driver of the engine.
        pub log_driver: Option<Sourced<String>>,
        /// Options of the log driver.
        pub log_options: BTreeMap<String, Sourced<String>>,
        /// Devices of the host: "/dev/dri:/dev/dri:rwm".
        pub devices: Vec<Sourced<Device>>,
        /// Whether a small init reaps its zombies.
        pub init: Option<Sourced<bool>>,
        /// IPC namespace, such as "host".
        pub ipc: Option<Sourced<String>>,
        /// Process namespace, such as "host".
        pub pid: Option<Sourced<String>>,
        /// Namespace of the host name, such as "host".
        pub uts: Option<Sourced<String>>,
        /// User namespace, such as "host".
        pub userns: Option<Sourced<String>>,
        /// Namespace of control groups: "host" or "private".
        pub cgroup: Option<Sourced<String>>,
        /// Whether it runs elsewhere, at `url`, and nself only hands on where.
        pub external: Option<Sourced<bool>>,
        /// Where an external service is. May hold references to secrets.
        pub url: Option<Sourced<Template>>,
        /// What `nself watch` does about its differences: "heal" or "detect". Default: as the table `watch` says.
        pub watch: Option<Sourced<WatchMode>>,
    }
}

/// `build`: a folder, or a table that says more.
#[derive(Debug, Clone, PartialEq)]
pub struct Build {
    /// The folder, relative to the file.
    pub context: String,
    /// The Dockerfile, relative to the folder.
    pub dockerfile: String,
    /// The stage to build; the last one when absent.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
}

impl Decode for Build {
    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text("the folder with a Dockerfile"), BuildTable::shape()])
    }

    fn decode(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Self> {
        let table = match &node.value {
            NodeValue::String(context) => BuildTable {
                context: context.clone(),
                dockerfile: None,
                target: None,
                args: BTreeMap::new(),
            },
            NodeValue::Table(_) => BuildTable::decode(node, problems)?,
            _ => return node.mismatch("a folder or a table", problems),
        };
        let BuildTable { context, dockerfile, target, args } = table;
        if context.is_empty() {
            let problem = Diagnostic::error("bad-value", "the folder to build is empty");
            problems
                .push(problem.at(&node.origin, "").help("write `.` for the folder of the file"));
            return None;
        }
        let dockerfile = dockerfile.unwrap_or_else(|| "Dockerfile".to_owned());
        Some(Self { context, dockerfile, target, args })
    }
}

table! {
    /// `build`, as a table.
    pub struct BuildTable {
        /// The folder, relative to this file.
        pub context: String,
        /// The Dockerfile, relative to the folder. Default: Dockerfile.
        pub dockerfile: Option<String>,
        /// The stage to build. Default: the last.
        pub target: Option<String>,
        /// Build arguments.
        pub args: BTreeMap<String, String>,
    }
}

table! {
    /// `limits`
    pub struct LimitSettings {
        /// Memory, such as "512M".
        pub memory: Option<Sourced<ByteSize>>,
        /// Memory that is kept for it under pressure.
        pub reservation: Option<Sourced<ByteSize>>,
        /// Processors, such as 0.5.
        pub cpus: Option<Sourced<Cpus>>,
        /// Weight among containers that want processor time at once; the engine's default is 1024.
        pub cpu_shares: Option<Sourced<u32>>,
        /// The processors it may use, such as "0-1".
        pub cpuset: Option<Sourced<String>>,
        /// Processes and threads.
        pub pids: Option<Sourced<u32>>,
    }
}

table! {
    /// `health`: one of `http`, `tcp` and `command`.
    pub struct Health {
        /// A path that answers 2xx or 3xx on the service's port.
        pub http: Option<Sourced<String>>,
        /// Whether the service's port accepting connections is enough.
        pub tcp: Option<Sourced<bool>>,
        /// A command inside the container that exits with 0.
        pub command: Option<Sourced<Vec<String>>>,
        /// Time between two of the engine's checks of `command`. Default: 10s.
        pub interval: Option<Sourced<Millis>>,
        /// Time after which a check has failed. Default: 5s.
        pub timeout: Option<Sourced<Millis>>,
        /// Failures in a row that make it unhealthy. Default: 3.
        pub retries: Option<Sourced<u32>>,
        /// Time after the start in which failures do not count. Default: 0s.
        pub start_period: Option<Sourced<Millis>>,
    }
}

table! {
    /// `[gateway]`
    pub struct Gateway {
        /// The host's port for HTTP. Default: 80.
        pub http_port: Option<Sourced<u16>>,
        /// The host's port for HTTPS. Default: 443.
        pub https_port: Option<Sourced<u16>>,
        /// The host's address. Default: 127.0.0.1; in production 0.0.0.0.
        pub bind: Option<Sourced<Address>>,
        /// The largest request body. Default: "100M".
        pub body_limit: Option<Sourced<ByteSize>>,
    }
}

words! {
    /// Where images come from.
    pub enum SourceWord {
        /// An image registry.
        Registry = "registry",
        /// Recipes that build from package registries.
        Build = "build",
    }
}

table! {
    /// `[images]`
    pub struct Images {
        /// "registry" pulls official images; "build" makes them from package registries only.
        pub source: Option<Sourced<SourceWord>>,
        /// A registry that serves the official images, such as "registry.internal:5000".
        pub mirror: Option<Sourced<String>>,
        /// The image that recipes build on. Default: debian:bookworm-slim.
        pub base: Option<Sourced<ImageRef>>,
        /// A PEM file with certificate authorities that builds must trust, relative to this file.
        pub ca_bundle: Option<Sourced<String>>,
    }
}

words! {
    /// Where a secret's value comes from.
    pub enum SecretSource {
        /// Generated at the first apply.
        Generate = "generate",
        /// Given by a person with `nself secret set`.
        Set = "set",
    }
}

table! {
    /// `[secrets.NAME]`
    pub struct SecretRule {
        /// "generate" (the default) or "set".
        pub source: Option<Sourced<SecretSource>>,
        /// How many characters are generated. Default: 40.
        pub length: Option<Sourced<u16>>,
    }
}

table! {
    /// `[vault]`
    pub struct Vault {
        /// To whom the file with the secrets is encrypted: age recipients, such as "age1…". Default: nobody, and it is not encrypted.
        pub recipients: Vec<Sourced<String>>,
    }
}

table! {
    /// `[[ignore]]`
    pub struct IgnoreRule {
        /// The service.
        pub service: Sourced<ServiceName>,
        /// The field, such as "limits.memory" or "env.DEBUG".
        pub field: Sourced<String>,
        /// Why.
        pub reason: Sourced<String>,
        /// The last day it holds, such as "2027-03-31". Default: for ever.
        pub until: Option<Sourced<Day>>,
    }
}

table! {
    /// `[variables]`: `NAME = { from_env = "X", default = "y" }` or `{ value = "z" }`
    pub struct Variable {
        /// The variable of the process environment that it takes its value from.
        pub from_env: Option<Sourced<EnvName>>,
        /// Its value where the process environment has none.
        pub default: Option<Sourced<String>>,
        /// Its value.
        pub value: Option<Sourced<String>>,
    }
}
