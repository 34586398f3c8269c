//! What is set is read back, in the same texts.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    desired::{
        Attachment, Build, BuildContext, Container, Dns, Field, HealthCheck, HostBinding, Limits,
        Log, Mount, MountSource, Namespaces, PortKey, Restart, Stop, Ulimit, Value,
    },
    engine::Engine,
    model::{ByteSize, Cpus, Digest, Millis, SecretName, Text},
    observed::{Live, Observed},
    plan::Op,
};

use super::{IMAGE, keyring, look, make, named, run};

/// Returns the values by path, as people see paths; the state left out.
fn live(seen: &Observed, name: &str) -> BTreeMap<String, String> {
    let container = seen.containers.iter().find(|container| container.name == name).unwrap();
    let fields = container.fields.0.iter().filter(|(path, _)| path.field != Field::State);
    fields
        .map(|(path, live)| {
            let (Live::Text(value) | Live::Verifier(value)) = live;
            (path.to_string(), value.expose().to_owned())
        })
        .collect()
}

/// Returns the desired values, completed by what image and engine give.
fn wanted(seen: &Observed, container: &Container) -> BTreeMap<String, String> {
    let there = seen.containers.iter().find(|it| it.name == container.name).unwrap();
    let mut all = seen.image_defaults[&there.image_id].clone();
    if container.entrypoint.is_some() {
        all.0.remove(&Field::Command.path());
    }
    all.0.extend(container.fields().0);
    let fields = all.0.into_iter().filter(|(path, _)| path.field != Field::State);
    fields
        .map(|(path, value)| {
            let text = match value {
                Value::Plain(text) => text,
                Value::Secret(text) => keyring().reveal(&text).unwrap().expose().to_owned(),
            };
            (path.to_string(), text)
        })
        .collect()
}

async fn check<E: Engine>(engine: &E, prefix: &str, container: &Container) {
    let seen = look(engine, prefix).await;
    assert_eq!(live(&seen, &container.name), wanted(&seen, container));
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn map(items: &[(&str, &str)]) -> BTreeMap<String, String> {
    items.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Two containers, since some fields exclude each other.
fn full(prefix: &str, address: &str, log_driver: &str) -> [Container; 2] {
    let mut secret = Text::plain("pg://u:");
    secret.push(Text::secret(SecretName::new("password").unwrap()));
    let volume = |name: &str, read_only| Mount {
        source: MountSource::Volume(format!("{prefix}-{name}")),
        read_only,
    };
    // Several engines may be at it.
    let binding =
        |address: &str| HostBinding { address: address.into(), port: crate::port::free() };
    let one = Container {
        entrypoint: Some(vec!["/bin/sh".into(), "-c".into()]),
        command: Some(vec!["sleep 1000".into()]),
        env: BTreeMap::from([
            ("PLAIN".to_owned(), Text::plain("a=b \"c\" ü")),
            ("EMPTY".to_owned(), Text::plain("")),
            ("URL".to_owned(), secret),
        ]),
        user: Some("1000:1000".into()),
        workdir: Some("/srv".into()),
        hostname: Some("host".into()),
        labels: map(&[("org.example.a", "b"), ("empty", "")]),
        mounts: BTreeMap::from([
            ("/data".to_owned(), volume("data", false)),
            ("/conf".to_owned(), volume("conf", true)),
            (
                "/host".to_owned(),
                Mount { source: MountSource::Bind("/tmp".into()), read_only: true },
            ),
        ]),
        tmpfs: map(&[("/run", "rw,size=1m")]),
        ports: BTreeMap::from([
            (
                PortKey { port: 80, protocol: "tcp" },
                [binding("0.0.0.0"), binding("127.0.0.1")].into(),
            ),
            (PortKey { port: 53, protocol: "udp" }, [binding("127.0.0.1")].into()),
        ]),
        networks: BTreeMap::from([
            (
                format!("{prefix}-a"),
                Attachment { ipv4: Some(address.into()), ..make::attached(&["x", "a-name"]) },
            ),
            (format!("{prefix}-b"), make::attached(&["y"])),
            (format!("{prefix}-c"), Attachment::default()),
        ]),
        limits: Limits {
            memory: Some(ByteSize(64 << 20)),
            reservation: Some(ByteSize(32 << 20)),
            cpus: Some(Cpus(500_000_000)),
            cpu_shares: Some(512),
            cpuset: Some("0".into()),
            pids: Some(100),
        },
        restart: Restart::OnFailure(3),
        health: Some(HealthCheck {
            test: vec!["true".into()],
            interval: Millis(7500),
            timeout: Millis(2000),
            retries: 4,
            start_period: Millis(1500),
        }),
        capabilities: nself::desired::Capabilities {
            add: set(&["NET_ADMIN", "CHOWN"]),
            drop: set(&["ALL"]),
        },
        security: set(&["no-new-privileges"]),
        read_only: true,
        sysctls: map(&[("net.core.somaxconn", "512")]),
        // Both, since Podman raises the one that is not said as far as it goes.
        ulimits: ["nofile", "nproc"]
            .map(|name| (name.into(), Ulimit { soft: 1000, hard: 2000 }))
            .into(),
        shm: Some(ByteSize(32 << 20)),
        dns: Dns {
            servers: vec!["192.0.2.2".into(), "192.0.2.1".into()],
            search: vec!["example.org".into()],
            options: vec!["ndots:2".into()],
        },
        extra_hosts: set(&["db:192.0.2.3", "api:192.0.2.4"]),
        groups: set(&["1234"]),
        stop: Stop { signal: Some("SIGINT".into()), grace: Some(Millis(1500)) },
        log: Log { driver: Some(log_driver.into()), options: map(&[("max-size", "1m")]) },
        devices: set(&["/dev/null:/dev/nothing:rwm"]),
        init: true,
        ..make::sleeper(&format!("{prefix}-one"))
    };
    let two = Container {
        privileged: true,
        restart: Restart::UnlessStopped,
        namespaces: Namespaces {
            ipc: Some("shareable".into()),
            pid: Some("host".into()),
            uts: Some("host".into()),
            users: Some("host".into()),
            cgroup: Some("host".into()),
        },
        ..make::sleeper(&format!("{prefix}-two"))
    };
    [one, two]
}

pub async fn every_field_reads_back<E: Engine>(engine: &E, prefix: &str) {
    let (subnet, address) = make::subnet();
    for (name, subnet) in [("a", Some(subnet)), ("b", None), ("c", None)] {
        let mut network = make::network(&format!("{prefix}-{name}"));
        network.subnet = subnet;
        run(engine, make::network_creation(prefix, &network)).await;
    }
    for name in ["data", "conf"] {
        let volume = make::volume(&format!("{prefix}-{name}"));
        run(engine, make::volume_creation(prefix, &volume)).await;
    }
    // One that it has, and that is not the one it takes by itself.
    let is_podman = look(engine, prefix).await.engine.name.starts_with("podman");
    let containers = full(prefix, &address, if is_podman { "k8s-file" } else { "local" });

    // A new field must be set above, or be none of a container's.
    let elsewhere = [
        Field::Other,
        Field::Driver,
        Field::DriverOption,
        Field::Internal,
        Field::Subnet,
        Field::BuiltFrom,
        Field::Content,
        Field::FileMode,
        Field::FileOwner,
        Field::Loaded,
        Field::Attribute,
    ];
    let set: BTreeSet<Field> = containers
        .iter()
        .flat_map(|container| container.fields().0.into_keys())
        .map(|path| path.field)
        .collect();
    for field in Field::ALL {
        assert!(set.contains(field) != elsewhere.contains(field), "{field:?}");
    }

    for container in &containers {
        run(engine, make::creation(prefix, container)).await;
        check(engine, prefix, container).await;
    }
    // The engine notes more once it runs, and keeps some of it when stopped. The second one is not
    // started: an engine that runs inside a container may not let others do everything.
    let [container, _] = &containers;
    run(engine, Op::Start(named(&container.name))).await;
    check(engine, prefix, container).await;
    run(engine, Op::Stop { container: named(&container.name), grace: Some(Millis(0)) }).await;
    check(engine, prefix, container).await;
}

pub async fn a_plain_container_reads_back<E: Engine>(engine: &E, prefix: &str) {
    let mut container = make::sleeper(&format!("{prefix}-plain"));
    container.stop = Stop::default();
    run(engine, make::creation(prefix, &container)).await;
    check(engine, prefix, &container).await;
    assert_eq!(look(engine, prefix).await.containers[0].state.to_string(), "created");

    // Asking in so many words for what the engine does by itself is no difference.
    let mut explicit = make::sleeper(&format!("{prefix}-explicit"));
    explicit.shm = Some(ByteSize(64 << 20));
    explicit.namespaces.ipc = Some("private".into());
    explicit.log.driver = Some("json-file".into());
    run(engine, make::creation(prefix, &explicit)).await;
    check(engine, prefix, &explicit).await;
}

pub async fn what_an_image_declares_is_its_own<E: Engine>(engine: &E, prefix: &str) {
    let recipe = format!(
        "FROM {IMAGE}\nENV A=image B=image\nLABEL from=image kept=image\nUSER 12:34\n\
         WORKDIR /srv\nSTOPSIGNAL SIGQUIT\nENTRYPOINT [\"/bin/sh\", \"-c\"]\nCMD [\"sleep 900\"]\n\
         HEALTHCHECK --interval=9s --timeout=3s --retries=2 --start-period=1s CMD true\n"
    );
    let image = format!("{prefix}/declares:1").parse().unwrap();
    let build = Build {
        context: BuildContext::Recipe([("Dockerfile".to_owned(), recipe)].into()),
        digest: Digest::of(prefix.as_bytes()),
        args: BTreeMap::new(),
        effort: String::new(),
    };
    run(engine, Op::Build { image, build }).await;
    let image = format!("{prefix}/declares:1");

    let mut plain = make::sleeper(&format!("{prefix}-plain"));
    plain.image = image.parse().unwrap();
    plain.command = None;
    run(engine, make::creation(prefix, &plain)).await;
    check(engine, prefix, &plain).await;

    let mut own = make::sleeper(&format!("{prefix}-own"));
    own.image = image.parse().unwrap();
    own.entrypoint = Some(vec!["sleep".into()]);
    own.command = None;
    own.env.insert("A".into(), Text::plain("own"));
    own.labels.insert("from".into(), "own".into());
    own.user = Some("1:1".into());
    own.stop.signal = Some("SIGTERM".into());
    run(engine, make::creation(prefix, &own)).await;
    check(engine, prefix, &own).await;

    for name in ["plain", "own"] {
        run(engine, Op::RemoveContainer(named(&format!("{prefix}-{name}")))).await;
    }
    super::docker::remove_image(&image).await;
}

pub async fn labels_of_ours_are_not_fields<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-plain"));
    run(engine, make::creation(prefix, &container)).await;
    let seen = look(engine, prefix).await;
    assert!(live(&seen, &container.name).keys().all(|path| !path.contains("dev.nself")));
    assert!(seen.containers[0].owner.is_ours());
    assert_eq!(
        seen.containers[0].owner.resource().unwrap().to_string(),
        format!("container/{}", container.name)
    );
}
