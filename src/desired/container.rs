//! A container as it should be.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{Field, Fields, Value, list};
use crate::{
    catalog::{HealthCheck, Probe},
    model::{ByteSize, Cpus, ImageRef, Millis, ServiceName, Text},
};

/// One container, complete. Where a field is `None` or empty the image's value holds, and where the
/// image has none, the engine's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name on the engine.
    pub name: String,
    /// The service it is an instance of.
    pub service: ServiceName,
    /// Which instance, from 1.
    pub replica: u32,
    /// Whether it runs for ever or to its end.
    pub class: Class,
    /// Its image.
    pub image: ImageRef,
    /// The command.
    pub command: Option<Vec<String>>,
    /// The entrypoint; setting it drops the image's command, as the engine does.
    pub entrypoint: Option<Vec<String>>,
    /// Environment variables.
    pub env: BTreeMap<String, Text>,
    /// User and group.
    pub user: Option<String>,
    /// Working directory.
    pub workdir: Option<String>,
    /// Host name inside; the engine's default is the short id.
    pub hostname: Option<String>,
    /// The person's own labels.
    pub labels: BTreeMap<String, String>,
    /// Mounts by path inside the container.
    pub mounts: BTreeMap<String, Mount>,
    /// Memory file systems by path, with options.
    pub tmpfs: BTreeMap<String, String>,
    /// Published ports.
    pub ports: BTreeMap<PortKey, BTreeSet<HostBinding>>,
    /// Networks by name on the engine.
    pub networks: BTreeMap<String, Attachment>,
    /// Limits.
    pub limits: Limits,
    /// What the engine does when it ends.
    pub restart: Restart,
    /// The engine's health check.
    pub health: Option<HealthCheck>,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// Whether it may do everything.
    pub privileged: bool,
    /// Security options, such as `no-new-privileges`.
    pub security: BTreeSet<String>,
    /// Whether the root file system is read-only.
    pub read_only: bool,
    /// Kernel parameters.
    pub sysctls: BTreeMap<String, String>,
    /// Resource limits of processes.
    pub ulimits: BTreeMap<String, Ulimit>,
    /// Size of `/dev/shm`.
    pub shm: Option<ByteSize>,
    /// Name resolution.
    pub dns: Dns,
    /// Further `/etc/hosts` lines, as `name:address`.
    pub extra_hosts: BTreeSet<String>,
    /// Further groups of the first process.
    pub groups: BTreeSet<String>,
    /// How it is stopped.
    pub stop: Stop,
    /// Where its output goes.
    pub log: Log,
    /// Devices of the host, as `host:container:permissions`.
    pub devices: BTreeSet<String>,
    /// Whether a small init reaps its zombies.
    pub init: bool,
    /// Namespaces shared with others.
    pub namespaces: Namespaces,
    /// What it should be doing.
    pub phase: Phase,
    /// How one sees that it is ready. Not a property of the container on the engine.
    pub probe: Probe,
    /// How long it may take to become ready. Not a property of the container on the engine.
    pub ready_within: Millis,
}

/// Whether a container runs for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It should be running.
    Daemon,
    /// It runs once; exit code 0 is done.
    Job,
}

/// What a container should be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Running.
    Running,
    /// Stopped by `nself stop`.
    Suspended,
    /// Ended with exit code 0.
    Done,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Whether it cannot be written through this mount.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MountSource {
    /// A volume, by its name on the engine.
    Volume(String),
    /// A path of the engine's host.
    Bind(String),
}

/// A port inside a container: number and protocol, `8000/tcp`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortKey {
    /// The number.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: &'static str,
}

/// Where on the host a port is published.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostBinding {
    /// The address; `0.0.0.0` for all.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// A container's place on a network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Attachment {
    /// The names it answers to there.
    pub aliases: BTreeSet<String>,
    /// A fixed address.
    pub ipv4: Option<String>,
}

/// Resource limits; `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Memory; swap is limited to the same again, as the engine does by default.
    pub memory: Option<ByteSize>,
    /// Memory that is kept for it under pressure.
    pub reservation: Option<ByteSize>,
    /// Processor time.
    pub cpus: Option<Cpus>,
    /// Relative weight of processor time.
    pub cpu_shares: Option<u32>,
    /// The processors it may use, such as `0-1`.
    pub cpuset: Option<String>,
    /// Processes.
    pub pids: Option<u32>,
}

/// What the engine does when a container ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Restart {
    /// Nothing.
    No,
    /// Starts it again, also after the engine itself restarted.
    Always,
    /// The same, unless a person stopped it.
    UnlessStopped,
    /// Starts it again after a failure, at most so many times (0 is no limit).
    OnFailure(u32),
}

/// Capabilities, without the `CAP_` in front.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Added to the engine's set.
    pub add: BTreeSet<String>,
    /// Taken away from it.
    pub drop: BTreeSet<String>,
}

/// A process limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ulimit {
    /// What a process has.
    pub soft: i64,
    /// How far it may raise it.
    pub hard: i64,
}

/// Name resolution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dns {
    /// Servers, in the order they are asked.
    pub servers: Vec<String>,
    /// Search domains.
    pub search: Vec<String>,
    /// Resolver options.
    pub options: Vec<String>,
}

/// How a container is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stop {
    /// The signal; the image's or `SIGTERM` when absent.
    pub signal: Option<String>,
    /// Time until it is killed; the engine's 10 s when absent.
    pub grace: Option<Millis>,
}

/// Where output goes; the engine's own default driver when absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Log {
    /// The driver.
    pub driver: Option<String>,
    /// Its options.
    pub options: BTreeMap<String, String>,
}

/// Namespaces; `None` is the engine's default of its own one each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Namespaces {
    /// Inter-process communication.
    pub ipc: Option<String>,
    /// Processes.
    pub pid: Option<String>,
    /// Host name.
    pub uts: Option<String>,
    /// Users.
    pub users: Option<String>,
    /// Control groups.
    pub cgroup: Option<String>,
}

impl Container {
    /// What stands behind the name of a successor until it has its own.
    pub const NEXT: &str = ".next";
    /// What stands behind the name of one that waits until its own name is free.
    pub const ASIDE: &str = ".aside";

    /// Returns the name under which one that is to take its place is made.
    pub fn next_name(&self) -> String {
        format!("{}{}", self.name, Self::NEXT)
    }

    /// Returns the name under which one that has another's name waits until its own is free.
    pub fn aside_name(&self) -> String {
        format!("{}{}", self.name, Self::ASIDE)
    }

    /// Returns everything about the container that is compared with the engine.
    ///
    /// Each field of the struct is taken apart by name, so that a new one does not compile until it
    /// is decided here.
    #[expect(clippy::too_many_lines, reason = "one line or two for each field")]
    pub fn fields(&self) -> Fields {
        let Self {
            name,
            service: _, // part of the identity
            replica: _, // part of the identity
            class: _,   // shows in `phase`
            image,
            command,
            entrypoint,
            env,
            user,
            workdir,
            hostname,
            labels,
            mounts,
            tmpfs,
            ports,
            networks,
            limits,
            restart,
            health,
            capabilities,
            privileged,
            security,
            read_only,
            sysctls,
            ulimits,
            shm,
            dns,
            extra_hosts,
            groups,
            stop,
            log,
            devices,
            init,
            namespaces,
            phase,
            probe: _,        // how nself looks, not what it looks at
            ready_within: _, // likewise
        } = self;
        let Capabilities { add, drop } = capabilities;
        let Dns { servers, search, options } = dns;
        let Stop { signal, grace } = stop;
        let Log { driver, options: log_options } = log;
        let Namespaces { ipc, pid, uts, users, cgroup } = namespaces;

        let mut all = Fields::default();
        all.set(Field::Name, name);
        all.set(Field::Image, image);
        all.set_if(Field::Command, command.as_ref().map(list));
        all.set_if(Field::Entrypoint, entrypoint.as_ref().map(list));
        for (key, value) in env {
            all.insert(Field::Env.key(key), Value::of(value));
        }
        all.set_if(Field::User, user.as_ref());
        all.set_if(Field::Workdir, workdir.as_ref());
        all.set_if(Field::Hostname, hostname.as_ref());
        all.set_each(Field::Label, labels);
        for (target, mount) in mounts {
            all.insert(Field::Mount.key(target), Value::plain(mount));
        }
        all.set_each(Field::Tmpfs, tmpfs);
        for (port, bindings) in ports {
            all.insert(Field::Port.key(port), Value::Plain(list(bindings)));
        }
        for (network, attachment) in networks {
            // Engines make the host name an alias where a container is connected, and not where it is
            // created. So that it answers to one set of names, it is asked for everywhere.
            let mut attachment = attachment.clone();
            attachment.aliases.extend(hostname.clone());
            // The engine finds a container by its name, whoever asks for that.
            attachment.aliases.remove(name);
            all.0.extend(attachment.fields(network).0);
        }
        all.0.extend(limits.fields().0);
        all.set_if(Field::Restart, (*restart != Restart::No).then_some(restart));
        if let Some(HealthCheck { test, interval, timeout, retries, start_period }) = health {
            let mut argv = vec!["CMD".to_owned()];
            argv.extend(test.iter().cloned());
            all.set(Field::HealthTest, list(&argv));
            all.set(Field::HealthInterval, interval.0);
            all.set(Field::HealthTimeout, timeout.0);
            all.set(Field::HealthRetries, retries);
            all.set_if(Field::HealthStartPeriod, (start_period.0 > 0).then_some(start_period.0));
        }
        all.set_if(Field::CapabilitiesAdded, (!add.is_empty()).then(|| list(add)));
        all.set_if(Field::CapabilitiesDropped, (!drop.is_empty()).then(|| list(drop)));
        all.set_if(Field::Privileged, privileged.then_some(true));
        all.set_if(Field::Security, (!security.is_empty()).then(|| list(security)));
        all.set_if(Field::ReadOnly, read_only.then_some(true));
        all.set_each(Field::Sysctl, sysctls);
        for (name, Ulimit { soft, hard }) in ulimits {
            all.insert(Field::Ulimit.key(name), Value::Plain(format!("{soft}:{hard}")));
        }
        all.set_if(Field::Shm, shm.map(|size| size.0));
        all.set_if(Field::DnsServers, (!servers.is_empty()).then(|| list(servers)));
        all.set_if(Field::DnsSearch, (!search.is_empty()).then(|| list(search)));
        all.set_if(Field::DnsOptions, (!options.is_empty()).then(|| list(options)));
        all.set_if(Field::ExtraHosts, (!extra_hosts.is_empty()).then(|| list(extra_hosts)));
        all.set_if(Field::Groups, (!groups.is_empty()).then(|| list(groups)));
        all.set_if(Field::StopSignal, signal.as_ref());
        all.set_if(Field::StopGrace, grace.map(|grace| grace.0.div_ceil(1000)));
        all.set_if(Field::LogDriver, driver.as_ref());
        all.set_each(Field::LogOption, log_options);
        all.set_if(Field::Devices, (!devices.is_empty()).then(|| list(devices)));
        all.set_if(Field::Init, init.then_some(true));
        all.set_if(Field::IpcNamespace, ipc.as_ref());
        all.set_if(Field::PidNamespace, pid.as_ref());
        all.set_if(Field::UtsNamespace, uts.as_ref());
        all.set_if(Field::UserNamespace, users.as_ref());
        all.set_if(Field::CgroupNamespace, cgroup.as_ref());
        // The engine names the network a container was created with; ours is always the first.
        all.set_if(Field::NetworkMode, networks.keys().next());
        all.set(Field::State, phase);
        all
    }
}

impl Attachment {
    /// Returns what is compared of a place on `network`.
    pub fn fields(&self, network: &str) -> Fields {
        let Self { aliases, ipv4 } = self;
        let mut all = Fields::default();
        all.insert(Field::Network.key(network), Value::plain("attached"));
        if !aliases.is_empty() {
            all.insert(Field::Alias.key(network), Value::Plain(list(aliases)));
        }
        if let Some(ipv4) = ipv4 {
            all.insert(Field::Address.key(network), Value::plain(ipv4));
        }
        all
    }
}

impl Limits {
    /// Returns what is compared of the limits.
    pub fn fields(&self) -> Fields {
        let Self { memory, reservation, cpus, cpu_shares, cpuset, pids } = self;
        let mut all = Fields::default();
        all.set_if(Field::Memory, memory.map(|size| size.0));
        all.set_if(Field::Swap, memory.map(|size| size.0 * 2));
        all.set_if(Field::Reservation, reservation.map(|size| size.0));
        all.set_if(Field::Cpus, cpus.map(|cpus| cpus.0));
        all.set_if(Field::CpuShares, cpu_shares.as_ref());
        all.set_if(Field::Cpuset, cpuset.as_ref());
        all.set_if(Field::Pids, pids.as_ref());
        all
    }
}

mod text {
    //! The one canonical text of each compared value, used on both sides of a comparison.
    use std::fmt;

    use super::{HostBinding, Mount, MountSource, Phase, PortKey, Restart};

    impl fmt::Display for Mount {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match &self.source {
                MountSource::Volume(name) => write!(f, "volume:{name}")?,
                MountSource::Bind(path) => write!(f, "bind:{path}")?,
            }
            f.write_str(if self.read_only { ":ro" } else { ":rw" })
        }
    }

    impl fmt::Display for PortKey {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}/{}", self.port, self.protocol)
        }
    }

    impl fmt::Display for HostBinding {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{}:{}", self.address, self.port)
        }
    }

    impl fmt::Display for Restart {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::No => f.write_str("no"),
                Self::Always => f.write_str("always"),
                Self::UnlessStopped => f.write_str("unless-stopped"),
                Self::OnFailure(0) => f.write_str("on-failure"),
                Self::OnFailure(times) => write!(f, "on-failure:{times}"),
            }
        }
    }

    impl fmt::Display for Phase {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(match self {
                Self::Running => "running",
                Self::Suspended => "stopped",
                Self::Done => "done",
            })
        }
    }
}
