//! Desired things for tests, as plain as they can be.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    desired::{
        Attachment, Class, Container, Dns, Limits, Log, Namespaces, Network, Phase, Probe, Restart,
        Stop, Volume,
    },
    engine::Engine,
    model::{Millis, ResourceId, ServiceName},
    plan::Op,
};

use super::{IMAGE, labels, run};

/// A container that sleeps, with nothing that it need not have.
pub fn sleeper(name: &str) -> Container {
    scripted(name, "trap 'exit 0' TERM; sleep 1000 & wait")
}

pub fn scripted(name: &str, script: &str) -> Container {
    Container {
        name: name.to_owned(),
        service: ServiceName::new("service").unwrap(),
        replica: 1,
        class: Class::Daemon,
        image: IMAGE.parse().unwrap(),
        command: Some(["/bin/sh", "-c", script].map(str::to_owned).into()),
        entrypoint: None,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        hostname: None,
        labels: BTreeMap::new(),
        mounts: BTreeMap::new(),
        tmpfs: BTreeMap::new(),
        ports: BTreeMap::new(),
        networks: BTreeMap::new(),
        limits: Limits::default(),
        restart: Restart::No,
        health: None,
        capabilities: nself::desired::Capabilities::default(),
        privileged: false,
        security: BTreeSet::new(),
        read_only: false,
        sysctls: BTreeMap::new(),
        ulimits: BTreeMap::new(),
        shm: None,
        dns: Dns::default(),
        extra_hosts: BTreeSet::new(),
        groups: BTreeSet::new(),
        stop: Stop { signal: None, grace: Some(Millis(1000)) },
        log: Log::default(),
        devices: BTreeSet::new(),
        init: false,
        namespaces: Namespaces::default(),
        phase: Phase::Running,
        probe: Probe::Image,
        ready_within: Millis(10_000),
    }
}

pub fn network(name: &str) -> Network {
    Network { name: name.to_owned(), internal: false, options: BTreeMap::new(), subnet: None }
}

pub fn volume(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        service: ServiceName::new("service").unwrap(),
        disposable: false,
        driver: "local".into(),
        options: BTreeMap::new(),
    }
}

/// The effect of making a container of ours, with its own labels among them.
pub fn creation(prefix: &str, container: &Container) -> Op {
    let mut all = labels(prefix, &ResourceId::Container(container.name.clone()));
    all.extend(container.labels.clone());
    Op::CreateContainer {
        name: container.name.clone(),
        container: Box::new(container.clone()),
        labels: all,
        anonymous: BTreeMap::new(),
    }
}

pub fn network_creation(prefix: &str, network: &Network) -> Op {
    let labels = labels(prefix, &ResourceId::Network(network.name.clone()));
    Op::CreateNetwork { network: network.clone(), labels }
}

pub fn volume_creation(prefix: &str, volume: &Volume) -> Op {
    let labels = labels(prefix, &ResourceId::Volume(volume.name.clone()));
    Op::CreateVolume { volume: volume.clone(), labels }
}

/// Makes and starts a container.
pub async fn up<E: Engine>(engine: &E, prefix: &str, container: &Container) {
    run(engine, creation(prefix, container)).await;
    run(engine, Op::Start(super::named(&container.name))).await;
}

pub fn attached(aliases: &[&str]) -> Attachment {
    Attachment { aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(), ipv4: None }
}

/// A subnet that is unlikely to be anybody's; each call another one.
pub fn subnet() -> (String, String) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = (std::process::id() + NEXT.fetch_add(1, Ordering::Relaxed)) % 65_000;
    let (high, low) = (number / 250, number % 250);
    // 198.18.0.0/15 is set aside for tests of networks.
    let beginning = format!("198.{}.{low}", 18 + high % 2);
    let part = (high / 2 % 16) * 16;
    (format!("{beginning}.{part}/28"), format!("{beginning}.{}", part + 9))
}
