//! Desired states for tests: small ones drawn at random, without going through a file.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    catalog::{InnerDriver, InnerSpec},
    desired::{
        Attachment, Capabilities, Class, Container, Desired, Dns, File, Files, HostBinding, Image,
        ImageOrigin, InnerResource, Limits, Log, Mount, MountSource, Namespaces, Network, Phase,
        PortKey, Probe, Reload, Resource, Restart, Stop, Volume,
    },
    model::{
        ByteSize, Inner, InnerKind, Keyring, Millis, ResourceId, SecretName, Sensitive,
        ServiceName, Text,
    },
};
use proptest::prelude::*;

/// One service of a drawn project.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Svc {
    pub(crate) version: u8,
    pub(crate) env: u8,
    pub(crate) memory: Option<u8>,
    pub(crate) needs: Vec<usize>,
    pub(crate) port: Option<u8>,
    pub(crate) data: bool,
    pub(crate) files: Option<(u8, bool)>,
    pub(crate) inner: Option<u8>,
    pub(crate) job: bool,
    pub(crate) secret: bool,
}

/// A drawn project: services by number; a `None` is a service that is not there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Project(pub(crate) Vec<Option<Svc>>);

pub(crate) fn service() -> impl Strategy<Value = Svc> {
    (
        0..3u8,
        0..3u8,
        prop::option::of(1..3u8),
        prop::collection::vec(0..5usize, 0..3),
        prop::option::of(0..3u8),
        any::<bool>(),
        prop::option::of((0..3u8, any::<bool>())),
        prop::option::of(0..2u8),
        prop::bool::weighted(0.15),
        any::<bool>(),
    )
        .prop_map(|(version, env, memory, needs, port, data, files, inner, job, secret)| Svc {
            version,
            env,
            memory,
            needs,
            port,
            // What is inside a service outlives its container only in a volume.
            data: data || (inner.is_some() && !job),
            files: files.filter(|_| !job),
            inner: inner.filter(|_| !job),
            job,
            secret,
        })
}

pub(crate) fn project() -> impl Strategy<Value = Project> {
    prop::collection::vec(prop::option::weighted(0.85, service()), 1..6).prop_map(Project)
}

pub(crate) fn keyring() -> Keyring {
    let name = SecretName::new("token").unwrap();
    Keyring::new(
        Some(Sensitive::new("test key")),
        BTreeMap::from([(name, Sensitive::new("hunter2-hunter2"))]),
    )
}

impl Project {
    /// Returns the desired state. Needs point at services of lower numbers that are there; of two that
    /// want one port, the first has it.
    pub(crate) fn desired(&self) -> Desired {
        let mut desired = Desired {
            named: BTreeSet::new(),
            external: BTreeSet::new(),
            project: "shop".parse().unwrap(),
            project_id: "shop-id".into(),
            instance: None,
            resources: BTreeMap::new(),
            after: BTreeMap::new(),
            forms: BTreeMap::new(),
            origins: BTreeMap::new(),
            ignore: Vec::new(),
            rules: Vec::new(),
            secrets: BTreeMap::new(),
            urls: Vec::new(),
        };
        let network = ResourceId::Network("shop".into());
        desired.resources.insert(
            network.clone(),
            Resource::Network(Network {
                name: "shop".into(),
                internal: false,
                options: BTreeMap::new(),
                subnet: None,
            }),
        );
        let mut taken = BTreeSet::new();
        for (number, service) in self.0.iter().enumerate() {
            let Some(service) = service else { continue };
            self.add(&mut desired, number, service, &mut taken);
        }
        desired
    }

    fn add(&self, desired: &mut Desired, number: usize, service: &Svc, taken: &mut BTreeSet<u8>) {
        let name = format!("shop-s{number}x");
        let service_name = ServiceName::new(&format!("s{number}x")).unwrap();
        let id = ResourceId::Container(name.clone());
        let image = Image {
            reference: format!("img{number}:{}", service.version).parse().unwrap(),
            origin: ImageOrigin::Pull(format!("img{number}:{}", service.version).parse().unwrap()),
        };
        let image_id = ResourceId::Image(image.reference.to_string());
        let mut container = container(&name, &service_name, &image);
        let mut after = BTreeMap::from([
            (image_id.clone(), "its image".to_owned()),
            (ResourceId::Network("shop".into()), "its network".to_owned()),
        ]);
        desired.resources.insert(image_id, Resource::Image(image));
        container.env.insert("LEVEL".into(), Text::plain(service.env.to_string()));
        if service.secret {
            let secret = Text::secret(SecretName::new("token").unwrap());
            container.env.insert("TOKEN".into(), secret);
        }
        container.limits = Limits {
            memory: service.memory.map(|size| ByteSize(u64::from(size) << 28)),
            ..Limits::default()
        };
        if service.job {
            container.class = Class::Job;
            container.phase = Phase::Done;
            container.probe = Probe::Exit;
            container.restart = Restart::No;
        }
        if let Some(port) = service.port.filter(|port| taken.insert(*port)) {
            container.ports.insert(
                PortKey { port: 80, protocol: "tcp" },
                BTreeSet::from([HostBinding {
                    address: "127.0.0.1".into(),
                    port: 8000 + u16::from(port),
                }]),
            );
        }
        if service.data {
            let volume = volume(&format!("{name}-data"), &service_name, false);
            let volume_id = ResourceId::Volume(volume.name.clone());
            mount(&mut container, "/data", &volume.name, false);
            after.insert(volume_id.clone(), "its data".into());
            desired.resources.insert(volume_id, Resource::Volume(volume));
        }
        if let Some((content, restarts)) = service.files {
            let volume = volume(&format!("{name}-config"), &service_name, true);
            let volume_id = ResourceId::Volume(volume.name.clone());
            mount(&mut container, "/etc/nself", &volume.name, true);
            let files = Files {
                volume: volume.name.clone(),
                container: name.clone(),
                mount: "/etc/nself".into(),
                files: BTreeMap::from([(
                    "main.conf".to_owned(),
                    File { content: Text::plain(format!("level {content}")), mode: 0o444 },
                )]),
                owner: (0, 0),
                check: None,
                reload: if restarts { Reload::Restart } else { Reload::Signal("HUP".into()) },
            };
            let files_id = ResourceId::Files(name.clone());
            after.insert(volume_id.clone(), "its configuration".into());
            after.insert(files_id.clone(), "its configuration".into());
            let order = BTreeMap::from([(volume_id.clone(), "its volume".to_owned())]);
            desired.after.insert(files_id.clone(), order);
            desired.resources.insert(files_id, Resource::Files(files));
            desired.resources.insert(volume_id, Resource::Volume(volume));
        }
        for need in &service.needs {
            if *need < number && self.0.get(*need).is_some_and(Option::is_some) {
                let needed = format!("s{need}x");
                after.insert(
                    ResourceId::Container(format!("shop-{needed}")),
                    format!("needs {needed}"),
                );
            }
        }
        desired.after.insert(id.clone(), after);
        if let Some(owner) = service.inner {
            let inner = Inner {
                service: service_name.clone(),
                kind: InnerKind::Database,
                database: None,
                name: "app".into(),
            };
            let inner_id = ResourceId::Inner(inner.clone());
            let order = BTreeMap::from([(id.clone(), "lives in it".to_owned())]);
            desired.after.insert(inner_id.clone(), order);
            let spec = InnerSpec {
                kind: inner.kind,
                database: None,
                name: inner.name.clone(),
                attributes: BTreeMap::from([(
                    "owner".to_owned(),
                    Text::plain(format!("r{owner}")),
                )]),
            };
            let driver =
                InnerDriver::Postgres { role: "postgres".into(), database: "postgres".into() };
            let inner = InnerResource { id: inner, container: name, driver, spec };
            desired.resources.insert(inner_id, Resource::Inner(inner));
        }
        desired.resources.insert(id, Resource::Container(Box::new(container)));
    }
}

fn volume(name: &str, service: &ServiceName, disposable: bool) -> Volume {
    Volume {
        name: name.to_owned(),
        service: service.clone(),
        disposable,
        driver: "local".into(),
        options: BTreeMap::new(),
    }
}

fn mount(container: &mut Container, target: &str, volume: &str, read_only: bool) {
    let source = MountSource::Volume(volume.to_owned());
    container.mounts.insert(target.to_owned(), Mount { source, read_only });
}

/// Returns a container with an image and a network, and nothing else set.
pub(crate) fn container(name: &str, service: &ServiceName, image: &Image) -> Container {
    let aliases = BTreeSet::from([service.to_string()]);
    Container {
        name: name.to_owned(),
        service: service.clone(),
        replica: 1,
        class: Class::Daemon,
        image: image.reference.clone(),
        command: None,
        entrypoint: None,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        hostname: None,
        labels: BTreeMap::new(),
        mounts: BTreeMap::new(),
        tmpfs: BTreeMap::new(),
        ports: BTreeMap::new(),
        networks: BTreeMap::from([("shop".to_owned(), Attachment { aliases, ipv4: None })]),
        limits: Limits::default(),
        restart: Restart::UnlessStopped,
        health: None,
        capabilities: Capabilities::default(),
        privileged: false,
        security: BTreeSet::new(),
        read_only: false,
        sysctls: BTreeMap::new(),
        ulimits: BTreeMap::new(),
        shm: None,
        dns: Dns::default(),
        extra_hosts: BTreeSet::new(),
        groups: BTreeSet::new(),
        stop: Stop::default(),
        log: Log::default(),
        devices: BTreeSet::new(),
        init: false,
        namespaces: Namespaces::default(),
        phase: Phase::Running,
        probe: Probe::Image,
        ready_within: Millis(1000),
    }
}
