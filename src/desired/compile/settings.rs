//! The container of a service: what its kind says, and over it what the person wrote.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use crate::{
    catalog::{Blueprint, HealthCheck, Probe},
    desired::{
        Attachment, Capabilities, Class, Container, Dns, Field, HostBinding, Limits, Log, Mount,
        Namespaces, Path, Phase, PortKey, Restart, Stop, Ulimit,
    },
    model::{ImageRef, Millis, Origin, ServiceName, Text, decode::Sourced},
    spec::{
        DEFAULT_NETWORK, GATEWAY, Health, InsidePath, LimitSettings, Place, RestartRule, Service,
        Settings,
    },
};

/// Where the values of a service's containers come from.
pub(super) struct Origins {
    kind: &'static str,
    by_path: BTreeMap<Path, Origin>,
}

impl Origins {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { kind, by_path: BTreeMap::new() }
    }

    /// Notes where a value comes from.
    pub(super) fn say(&mut self, path: Path, origin: Origin) {
        self.by_path.insert(path, origin);
    }

    /// Notes that a value comes from the kind.
    pub(super) fn kind(&mut self, path: Path) {
        self.say(path, Origin::Kind(self.kind));
    }

    /// Returns where a value comes from; what nobody said is a default.
    pub(super) fn of(&self, path: &Path) -> Origin {
        self.by_path.get(path).cloned().unwrap_or(Origin::Default)
    }

    /// Returns what was written, else what the kind says, and notes which.
    fn pick<T: Clone>(
        &mut self,
        field: Field,
        written: Option<&Sourced<T>>,
        of_kind: Option<T>,
    ) -> Option<T> {
        if let Some(written) = written {
            self.say(field.path(), written.origin.clone());
            return Some(written.value.clone());
        }
        if of_kind.is_some() {
            self.kind(field.path());
        }
        of_kind
    }

    /// Returns what was written, and notes where.
    fn written<T: Clone>(&mut self, field: Field, written: Option<&Sourced<T>>) -> Option<T> {
        self.pick(field, written, None)
    }

    /// Returns the items of a list, and notes where it begins.
    fn list<'a, T: 'a, U, C: FromIterator<U>>(
        &mut self,
        field: Field,
        items: &'a [Sourced<T>],
        read: impl Fn(&'a T) -> U,
    ) -> C {
        if let Some(first) = items.first() {
            self.say(field.path(), first.origin.clone());
        }
        items.iter().map(|item| read(&item.value)).collect()
    }

    /// Returns a map with what the kind says and over it what was written, and notes which is which.
    fn each<K: ToString, T, U>(
        &mut self,
        field: Field,
        written: &BTreeMap<K, Sourced<T>>,
        of_kind: BTreeMap<String, U>,
        read: impl Fn(&T) -> U,
    ) -> BTreeMap<String, U> {
        let mut all = of_kind;
        for key in all.keys() {
            self.kind(field.key(key));
        }
        for (key, value) in written {
            self.say(field.key(key.to_string()), value.origin.clone());
            all.insert(key.to_string(), read(&value.value));
        }
        all
    }
}

/// How long a service may take to become ready, and a job to end.
const READY_WITHIN: Millis = Millis(60_000);
const JOB_WITHIN: Millis = Millis(600_000);

/// Returns the first container of a service.
pub(super) fn container(
    draft: &Draft<'_>,
    (name, service): (&ServiceName, &Service),
    (image, mounts): (ImageRef, BTreeMap<String, Mount>),
    blueprint: &Blueprint,
    origins: &mut Origins,
) -> Container {
    let settings = &service.settings;
    let is_job = service.kind().is_job;
    let class = if is_job { Class::Job } else { Class::Daemon };
    let phase = match class {
        _ if draft.facts.suspended.contains(name) => Phase::Suspended,
        Class::Job => Phase::Done,
        Class::Daemon => Phase::Running,
    };
    let is_own = service.kind().image.is_none();
    let called = draft.spec.container_name(name, service);
    let origin = settings.container_name.as_ref().map(|name| name.origin.clone());
    let origin = origin.unwrap_or_else(|| Origin::Computed(format!("the name of {name}")));
    origins.say(Field::Name.path(), origin);
    let labels = settings.labels.clone();
    let text = |text: &String| text.clone();
    Container {
        name: called,
        service: name.clone(),
        replica: 1,
        class,
        image,
        command: origins.pick(Field::Command, settings.command.as_ref(), blueprint.command.clone()),
        entrypoint: origins.written(Field::Entrypoint, settings.entrypoint.as_ref()),
        env: env(draft, settings, blueprint, origins),
        user: origins.pick(Field::User, settings.user.as_ref(), blueprint.user.clone()),
        workdir: origins.written(Field::Workdir, settings.workdir.as_ref()),
        hostname: origins.written(Field::Hostname, settings.hostname.as_ref()),
        labels: origins.each(Field::Label, &labels, BTreeMap::new(), text),
        mounts,
        tmpfs: origins.each(Field::Tmpfs, &settings.tmpfs, tmpfs(settings, blueprint), text),
        ports: ports(draft, name, settings, blueprint, origins),
        networks: networks(draft, name, service, origins),
        limits: limits(settings.limits.as_ref(), origins),
        restart: restart(settings, class, origins),
        health: health_check(settings.health.as_ref(), blueprint, origins),
        capabilities: capabilities(settings, blueprint, origins),
        privileged: origins
            .written(Field::Privileged, settings.privileged.as_ref())
            .unwrap_or(false),
        security: security(settings, is_own, origins),
        read_only: origins
            .pick(Field::ReadOnly, settings.read_only.as_ref(), blueprint.read_only.then_some(true))
            .unwrap_or(false),
        sysctls: origins.each(Field::Sysctl, &settings.sysctls, BTreeMap::new(), text),
        ulimits: origins.each(Field::Ulimit, &settings.ulimits, BTreeMap::new(), |limit| Ulimit {
            soft: limit.soft,
            hard: limit.hard,
        }),
        shm: origins.pick(Field::Shm, settings.shm.as_ref(), blueprint.shm),
        dns: Dns {
            servers: origins.list(Field::DnsServers, &settings.dns, text),
            search: origins.list(Field::DnsSearch, &settings.dns_search, text),
            options: origins.list(Field::DnsOptions, &settings.dns_options, text),
        },
        extra_hosts: extra_hosts(settings, origins),
        groups: origins.list(Field::Groups, &settings.groups, text),
        stop: Stop {
            signal: origins.pick(
                Field::StopSignal,
                settings.stop_signal.as_ref(),
                blueprint.stop_signal.clone(),
            ),
            grace: origins.pick(
                Field::StopGrace,
                settings.stop_grace.as_ref(),
                blueprint.stop_grace,
            ),
        },
        log: Log {
            driver: origins.written(Field::LogDriver, settings.log_driver.as_ref()),
            options: origins.each(Field::LogOption, &settings.log_options, BTreeMap::new(), text),
        },
        devices: origins.list(Field::Devices, &settings.devices, |device| {
            format!("{}:{}:{}", device.host, device.inside, device.permissions)
        }),
        init: origins.written(Field::Init, settings.init.as_ref()).unwrap_or(false),
        namespaces: Namespaces {
            ipc: origins.written(Field::IpcNamespace, settings.ipc.as_ref()),
            pid: origins.written(Field::PidNamespace, settings.pid.as_ref()),
            uts: origins.written(Field::UtsNamespace, settings.uts.as_ref()),
            users: origins.written(Field::UserNamespace, settings.userns.as_ref()),
            cgroup: origins.written(Field::CgroupNamespace, settings.cgroup.as_ref()),
        },
        phase,
        probe: probe(service, blueprint),
        ready_within: match (&settings.ready_within, class) {
            (Some(within), _) => within.value,
            (None, Class::Job) => JOB_WITHIN,
            (None, Class::Daemon) => READY_WITHIN,
        },
    }
}

fn env(
    draft: &Draft<'_>,
    settings: &Settings,
    blueprint: &Blueprint,
    origins: &mut Origins,
) -> BTreeMap<String, Text> {
    let of_kind = blueprint.env.iter().map(|(key, text)| (key.clone(), text.clone().joined()));
    origins.each(Field::Env, &settings.env, of_kind.collect(), |template| draft.text(template))
}

/// Returns the kind's memory file systems, without those where the person mounts something else.
fn tmpfs(settings: &Settings, blueprint: &Blueprint) -> BTreeMap<String, String> {
    let is_taken = |path: &str| {
        settings.binds.keys().chain(targets(settings)).any(|taken| taken.as_str() == path)
    };
    let mut all = blueprint.tmpfs.clone();
    all.retain(|path, _| !is_taken(path));
    all
}

/// Returns the paths at which the person mounts volumes.
pub(super) fn targets(settings: &Settings) -> impl Iterator<Item = &InsidePath> {
    settings.volumes.values().flat_map(|volume| &volume.value.0).map(|target| &target.value.path)
}

fn ports(
    draft: &Draft<'_>,
    name: &ServiceName,
    settings: &Settings,
    blueprint: &Blueprint,
    origins: &mut Origins,
) -> BTreeMap<PortKey, BTreeSet<HostBinding>> {
    const LOCAL: &str = "127.0.0.1";
    let mut ports: BTreeMap<PortKey, BTreeSet<HostBinding>> = BTreeMap::new();
    let is_gateway = name.as_str() == GATEWAY;
    let of_kind = if is_gateway { draft.spec.gateway_address() } else { LOCAL.to_owned() };
    let gateway = &draft.spec.gateway;
    for (port, host) in &blueprint.publish {
        let key = PortKey { port: *port, protocol: "tcp" };
        let written = [&gateway.https_port, &gateway.http_port]
            .into_iter()
            .flatten()
            .find(|written| is_gateway && written.value == *host);
        match written {
            Some(written) => origins.say(Field::Port.key(&key), written.origin.clone()),
            None => origins.kind(Field::Port.key(&key)),
        }
        let binding = HostBinding { address: of_kind.clone(), port: *host };
        ports.entry(key).or_default().insert(binding);
    }
    for publish in &settings.publish {
        let key = PortKey { port: publish.value.port, protocol: publish.value.protocol };
        let address = publish.value.address.map_or(LOCAL.to_owned(), |a| a.to_string());
        origins.say(Field::Port.key(&key), publish.origin.clone());
        let binding = HostBinding { address, port: publish.value.host };
        ports.entry(key).or_default().insert(binding);
    }
    ports
}

/// A service is known by its name on all its networks. The gateway is on the networks of all that it
/// serves, and is also known by the names it serves, so that these lead to the same place inside as
/// outside.
fn networks(
    draft: &Draft<'_>,
    name: &ServiceName,
    service: &Service,
    origins: &mut Origins,
) -> BTreeMap<String, Attachment> {
    let spec = draft.spec;
    let own = Attachment { aliases: BTreeSet::from([name.to_string()]), ipv4: None };
    let mut all = BTreeMap::new();
    if name.as_str() == GATEWAY {
        let mut own = own;
        let mut called = BTreeSet::new();
        for service in spec.services.values() {
            let Some((host, _)) = spec.route(service) else { continue };
            own.aliases.insert(host);
            match &service.settings.networks {
                None => _ = called.insert(spec.network_name(DEFAULT_NETWORK)),
                Some(places) => {
                    let names = places.value.0.keys();
                    called.extend(names.map(|name| spec.network_name(name.as_str())));
                }
            }
        }
        return called.into_iter().map(|network| (network, own.clone())).collect();
    }
    let Some(places) = &service.settings.networks else {
        return BTreeMap::from([(spec.network_name(DEFAULT_NETWORK), own)]);
    };
    for (place, how) in &places.value.0 {
        let network = spec.network_name(place.as_str());
        origins.say(Field::Network.key(&network), how.origin.clone());
        let mut attachment = own.clone();
        let Place { aliases, address } = &how.value;
        if let Some(first) = aliases.first() {
            origins.say(Field::Alias.key(&network), first.origin.clone());
        }
        attachment.aliases.extend(aliases.iter().map(|alias| alias.value.to_string()));
        if let Some(address) = address {
            origins.say(Field::Address.key(&network), address.origin.clone());
            attachment.ipv4 = Some(address.value.to_string());
        }
        all.insert(network, attachment);
    }
    all
}

fn limits(limits: Option<&LimitSettings>, origins: &mut Origins) -> Limits {
    let Some(LimitSettings { memory, reservation, cpus, cpu_shares, cpuset, pids }) = limits else {
        return Limits::default();
    };
    if let Some(memory) = memory {
        origins.say(Field::Swap.path(), memory.origin.clone());
    }
    Limits {
        memory: origins.written(Field::Memory, memory.as_ref()),
        reservation: origins.written(Field::Reservation, reservation.as_ref()),
        cpus: origins.written(Field::Cpus, cpus.as_ref()),
        cpu_shares: origins.written(Field::CpuShares, cpu_shares.as_ref()),
        cpuset: origins.written(Field::Cpuset, cpuset.as_ref()),
        pids: origins.written(Field::Pids, pids.as_ref()),
    }
}

fn restart(settings: &Settings, class: Class, origins: &mut Origins) -> Restart {
    match (origins.written(Field::Restart, settings.restart.as_ref()), class) {
        (Some(RestartRule::No), _) | (None, Class::Job) => Restart::No,
        (Some(RestartRule::Always), _) => Restart::Always,
        (Some(RestartRule::UnlessStopped), _) | (None, Class::Daemon) => Restart::UnlessStopped,
        (Some(RestartRule::OnFailure(times)), _) => Restart::OnFailure(times),
    }
}

/// Returns how nself sees that a service is ready.
fn probe(service: &Service, blueprint: &Blueprint) -> Probe {
    let port = service.port();
    match (&service.settings.health, port) {
        (Some(Health { command: Some(command), .. }), _) => Probe::Exec(command.value.clone()),
        (Some(Health { http: Some(path), .. }), Some(port)) => {
            Probe::Http { port, path: path.value.clone() }
        }
        (Some(Health { tcp: Some(tcp), .. }), Some(port)) if tcp.value => Probe::Tcp { port },
        (Some(_) | None, _) => blueprint.probe.clone().unwrap_or(Probe::Image),
    }
}

/// Returns what the engine runs for as long as the container lives.
fn health_check(
    health: Option<&Health>,
    blueprint: &Blueprint,
    origins: &mut Origins,
) -> Option<HealthCheck> {
    let of_kind = blueprint.health.as_ref();
    for field in [
        Field::HealthTest,
        Field::HealthInterval,
        Field::HealthTimeout,
        Field::HealthRetries,
        Field::HealthStartPeriod,
    ] {
        if of_kind.is_some() {
            origins.kind(field.path());
        }
    }
    let Some(Health { http: _, tcp: _, command, interval, timeout, retries, start_period }) =
        health
    else {
        return of_kind.cloned();
    };
    let base = of_kind.cloned().unwrap_or(HealthCheck {
        test: Vec::new(),
        interval: Millis(10_000),
        timeout: Millis(5_000),
        retries: 3,
        start_period: Millis(0),
    });
    let test = origins.written(Field::HealthTest, command.as_ref());
    let mut pick = |field, written: &Option<Sourced<Millis>>, default| {
        origins.written(field, written.as_ref()).unwrap_or(default)
    };
    let check = HealthCheck {
        test: test.unwrap_or(base.test),
        interval: pick(Field::HealthInterval, interval, base.interval),
        timeout: pick(Field::HealthTimeout, timeout, base.timeout),
        start_period: pick(Field::HealthStartPeriod, start_period, base.start_period),
        retries: origins.written(Field::HealthRetries, retries.as_ref()).unwrap_or(base.retries),
    };
    (!check.test.is_empty()).then_some(check)
}

fn capabilities(settings: &Settings, blueprint: &Blueprint, origins: &mut Origins) -> Capabilities {
    let mut add: BTreeSet<String> = BTreeSet::new();
    let mut drop: BTreeSet<String> = BTreeSet::new();
    if let Some(needed) = &blueprint.capabilities {
        origins.kind(Field::CapabilitiesAdded.path());
        origins.kind(Field::CapabilitiesDropped.path());
        add.extend(needed.iter().map(|name| (*name).to_owned()));
        drop.insert("ALL".to_owned());
    }
    let added: Vec<String> =
        origins.list(Field::CapabilitiesAdded, &settings.cap_add, ToString::to_string);
    let dropped: Vec<String> =
        origins.list(Field::CapabilitiesDropped, &settings.cap_drop, ToString::to_string);
    for name in &dropped {
        add.remove(name);
    }
    add.extend(added);
    drop.extend(dropped);
    Capabilities { add, drop }
}

/// A process of a person's own gains no rights, unless they say so: images from anywhere may carry
/// set-user-id programs.
fn security(settings: &Settings, is_own: bool, origins: &mut Origins) -> BTreeSet<String> {
    let is_privileged = settings.privileged.as_ref().is_some_and(|privileged| privileged.value);
    let default = (is_own && !is_privileged).then(|| vec!["no-new-privileges".to_owned()]);
    match origins.written(Field::Security, settings.security.as_ref()) {
        Some(written) => written.into_iter().collect(),
        None => default.into_iter().flatten().collect(),
    }
}

fn extra_hosts(settings: &Settings, origins: &mut Origins) -> BTreeSet<String> {
    if let Some(first) = settings.extra_hosts.values().next() {
        origins.say(Field::ExtraHosts.path(), first.origin.clone());
    }
    let hosts = settings.extra_hosts.iter();
    hosts.map(|(host, address)| format!("{host}:{}", address.value.as_str())).collect()
}
