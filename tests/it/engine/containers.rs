//! The life of a container.

use std::collections::BTreeMap;

use nself::{
    desired::{
        Build, BuildContext, Field, HostBinding, Limits, NAMELESS_VOLUME, PortKey, Probe, Restart,
    },
    engine::{Engine, Error, Refusal},
    model::{ByteSize, Cpus, Digest, Millis, ResourceId, SecretName, Text},
    observed::{Live, PortUser, SeenContainer, State, label},
    plan::{Op, Target},
};

use super::{
    IMAGE, PASSWORD, labels, look, look_at, make, named, other_project, refused, request, run,
    twice,
};

pub async fn making_one_twice_keeps_it<E: Engine>(engine: &E, prefix: &str) {
    let name = format!("{prefix}-a");
    let op = make::creation(prefix, &make::sleeper(&name));
    run(engine, op.clone()).await;
    let before = look_at(engine, prefix, &name).await;
    run(engine, op.clone()).await;
    assert_eq!(look_at(engine, prefix, &name).await.id, before.id);
    // One that runs is the same one.
    run(engine, Op::Start(named(&name))).await;
    run(engine, op).await;
    let after = look_at(engine, prefix, &name).await;
    assert_eq!((after.id, after.state), (before.id, State::Running));
}

pub async fn one_with_other_labels_is_replaced<E: Engine>(engine: &E, prefix: &str) {
    let name = format!("{prefix}-a");
    let container = make::sleeper(&name);
    make::up(engine, prefix, &container).await;
    let before = look_at(engine, prefix, &name).await;
    let mut op = make::creation(prefix, &container);
    if let Op::CreateContainer { labels, .. } = &mut op {
        labels.insert(label::APPLIED.to_owned(), "another".to_owned());
    }
    twice(engine, op).await;
    let after = look_at(engine, prefix, &name).await;
    assert_ne!(after.id, before.id);
    assert_eq!(after.state, State::Created);
}

pub async fn a_name_of_somebody_else_is_refused<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-a"));
    let other = other_project(prefix);
    run(engine, make::creation(&other, &container)).await;
    assert_eq!(refused(engine, make::creation(prefix, &container)).await, Refusal::NameTaken);
    // Nor is one of another environment of this project ours.
    let mut op = make::creation(&other, &container);
    if let Op::CreateContainer { labels, .. } = &mut op {
        labels.insert(label::INSTANCE.to_owned(), "preview".to_owned());
    }
    assert_eq!(refused(engine, op).await, Refusal::NameTaken);
    assert_eq!(look(engine, &other).await.containers.len(), 1);
}

pub async fn starting_and_stopping_twice_is_once<E: Engine>(engine: &E, prefix: &str) {
    let name = format!("{prefix}-a");
    let state = async || look_at(engine, prefix, &name).await.state;
    run(engine, make::creation(prefix, &make::sleeper(&name))).await;
    assert_eq!(state().await, State::Created);
    twice(engine, Op::Start(named(&name))).await;
    assert_eq!(state().await, State::Running);
    let first = look_at(engine, prefix, &name).await;
    assert!(!first.started.is_empty());
    run(engine, Op::Restart(named(&name))).await;
    let second = look_at(engine, prefix, &name).await;
    assert_eq!(second.state, State::Running);
    assert!(second.started > first.started);
    twice(engine, Op::Unpause(named(&name))).await;
    twice(engine, Op::Stop { container: named(&name), grace: Some(Millis(2000)) }).await;
    assert_eq!(state().await, State::Exited { code: 0, oom: false });
    let seen = look_at(engine, prefix, &name).await;
    assert_eq!(seen.fields.get(&Field::State.path()), Some(&Live::text("exited 0")));
    assert!(seen.addresses.is_empty());
}

pub async fn what_is_gone_is_removed<E: Engine>(engine: &E, prefix: &str) {
    let name = format!("{prefix}-a");
    make::up(engine, prefix, &make::sleeper(&name)).await;
    let id = look_at(engine, prefix, &name).await.id;
    twice(engine, Op::RemoveContainer(Target::Id { id, name: name.clone() })).await;
    run(engine, Op::RemoveContainer(named(&name))).await;
    run(engine, Op::RemoveNetwork { id: "0".repeat(64) }).await;
    run(engine, Op::RemoveVolume { name: format!("{prefix}-none") }).await;
    run(engine, super::forgetting(prefix, prefix)).await;
    let (container, network) = (named(&name), format!("{prefix}-none"));
    run(engine, Op::Disconnect { container, network }).await;
    assert!(look(engine, prefix).await.containers.is_empty());
}

pub async fn renaming_is_done_once<E: Engine>(engine: &E, prefix: &str) {
    let [a, b, c] = ["a", "b", "c"].map(|name| format!("{prefix}-{name}"));
    run(engine, make::creation(prefix, &make::sleeper(&a))).await;
    let id = look_at(engine, prefix, &a).await.id;
    let rename = |to: &str| Op::Rename {
        container: Target::Id { id: id.clone(), name: a.clone() },
        to: to.to_owned(),
    };
    run(engine, rename(&a)).await;
    twice(engine, rename(&b)).await;
    assert_eq!(look_at(engine, prefix, &b).await.id, id);
    twice(engine, Op::Rename { container: named(&b), to: c.clone() }).await;
    run(engine, make::creation(prefix, &make::sleeper(&a))).await;
    assert_eq!(refused(engine, rename(&a)).await, Refusal::NameTaken);
    let neither = Op::Rename { container: named(&b), to: format!("{prefix}-d") };
    assert_eq!(refused(engine, neither).await, Refusal::NotFound);
}

pub async fn limits_change_in_place_or_are_refused<E: Engine>(engine: &E, prefix: &str) {
    let name = format!("{prefix}-a");
    make::up(engine, prefix, &make::sleeper(&name)).await;
    let update = |limits: &Limits, restart| Op::Update {
        container: named(&name),
        limits: limits.clone(),
        restart,
    };
    let text = async |field: Field| {
        let seen = look_at(engine, prefix, &name).await;
        seen.fields.get(&field.path()).cloned()
    };
    if !look(engine, prefix).await.engine.updates_in_place {
        let more = Limits { memory: Some(ByteSize(64 << 20)), ..Limits::default() };
        assert_eq!(refused(engine, update(&more, Restart::No)).await, Refusal::Unsupported);
        return;
    }
    let mut limits = Limits {
        memory: Some(ByteSize(64 << 20)),
        reservation: Some(ByteSize(16 << 20)),
        cpus: Some(Cpus(500_000_000)),
        cpu_shares: Some(256),
        cpuset: Some("0".into()),
        pids: Some(50),
    };
    twice(engine, update(&limits, Restart::OnFailure(2))).await;
    assert_eq!(text(Field::Swap).await, Some(Live::text(128 << 20)));
    assert_eq!(text(Field::Restart).await, Some(Live::text("on-failure:2")));
    assert_eq!(text(Field::Pids).await, Some(Live::text(50)));
    // Above the old limit of memory and swap together.
    limits.memory = Some(ByteSize(256 << 20));
    limits.pids = None;
    run(engine, update(&limits, Restart::No)).await;
    assert_eq!(text(Field::Memory).await, Some(Live::text(256 << 20)));
    assert_eq!(text(Field::Pids).await, None);
    assert_eq!(text(Field::Restart).await, None);
    // No limit but that of processes can be taken away.
    for without in [
        Limits { memory: None, ..limits.clone() },
        Limits { reservation: None, ..limits.clone() },
        Limits { cpus: None, ..limits.clone() },
        Limits { cpu_shares: None, ..limits.clone() },
        Limits { cpuset: None, ..limits.clone() },
    ] {
        let kind = refused(engine, update(&without, Restart::No)).await;
        assert_eq!(kind, Refusal::Unsupported, "{without:?}");
    }
    assert_eq!(text(Field::Memory).await, Some(Live::text(256 << 20)));
}

pub async fn ports_of_others_are_seen_and_refused<E: Engine>(engine: &E, prefix: &str) {
    let port = crate::port::free();
    let network = make::network(&format!("{prefix}-net"));
    run(engine, make::network_creation(prefix, &network)).await;
    let with_port = |name: &str| {
        let mut container = make::sleeper(&format!("{prefix}-{name}"));
        let binding = HostBinding { address: "127.0.0.1".into(), port };
        container.ports.insert(PortKey { port: 80, protocol: "tcp" }, [binding].into());
        container.networks.insert(network.name.clone(), make::attached(&[]));
        container
    };
    let other = other_project(prefix);
    make::up(engine, &other, &with_port("theirs")).await;
    let holders = look(engine, prefix).await.ports;
    let theirs = holders.iter().find(|holder| holder.port == port);
    let theirs = theirs.unwrap_or_else(|| panic!("{port} is not in {holders:?}"));
    assert_eq!(theirs.by, PortUser::Container(format!("{prefix}-theirs")));
    assert_eq!(theirs.address, "127.0.0.1");
    let ours = with_port("ours");
    run(engine, make::creation(prefix, &ours)).await;
    assert_eq!(refused(engine, Op::Start(named(&ours.name))).await, Refusal::PortTaken);
    assert!(look(engine, &other).await.ports.iter().all(|holder| holder.port != port));
}

pub async fn a_missing_secret_is_named<E: Engine>(engine: &E, prefix: &str) {
    let mut container = make::sleeper(&format!("{prefix}-a"));
    let secret = Text::secret(SecretName::new("unheard_of").unwrap());
    container.env.insert("X".into(), secret);
    match engine.execute(&make::creation(prefix, &container)).await {
        Err(Error::SecretMissing(name)) => assert_eq!(name, "unheard_of"),
        other => panic!("{other:?}"),
    }
    assert!(look(engine, prefix).await.containers.is_empty());
}

pub async fn secrets_arrive_and_are_not_told<E: Engine>(engine: &E, prefix: &str) {
    let mut container =
        make::scripted(&format!("{prefix}-a"), "echo \"the password is $PW\"; exit 3");
    container.env.insert("PW".into(), Text::secret(SecretName::new("password").unwrap()));
    make::up(engine, prefix, &container).await;
    let seen = look_at(engine, prefix, &container.name).await;
    assert_eq!(seen.fields.get(&Field::Env.key("PW")), Some(&Live::text(PASSWORD)));
    assert!(!format!("{seen:?}").contains(PASSWORD));
    let wait = Op::AwaitReady {
        container: named(&container.name),
        probe: nself::desired::Probe::Exit,
        within: Millis(5000),
    };
    match engine.execute(&wait).await {
        Err(Error::NotReady { evidence, .. }) => {
            assert_eq!(evidence.log, ["the password is (secret)"]);
        }
        other => panic!("{other:?}"),
    }
}

pub async fn nameless_volumes_are_carried_over<E: Engine>(engine: &E, prefix: &str) {
    let image = format!("{prefix}/volume:1");
    let recipe = format!("FROM {IMAGE}\nVOLUME /data\n");
    let build = Build {
        context: BuildContext::Recipe([("Dockerfile".to_owned(), recipe)].into()),
        digest: Digest::of(b"volume"),
        args: BTreeMap::new(),
        effort: String::new(),
    };
    run(engine, Op::Build { image: image.parse().unwrap(), build }).await;
    let mut container = make::sleeper(&format!("{prefix}-a"));
    container.image = image.parse().unwrap();
    make::up(engine, prefix, &container).await;
    let before = look_at(engine, prefix, &container.name).await;
    let volume = before.anonymous["/data"].clone();
    // As a mount it is seen only where the engine says that it was asked for, and then without its name.
    let is_nameless = |seen: &SeenContainer| {
        let mut mounts = seen.fields.0.iter().filter(|(path, _)| path.field == Field::Mount);
        mounts.all(|(_, live)| *live == Live::text(NAMELESS_VOLUME))
    };
    assert!(is_nameless(&before), "{before:?}");

    run(engine, Op::RemoveContainer(named(&container.name))).await;
    let mut op = make::creation(prefix, &container);
    if let Op::CreateContainer { anonymous, .. } = &mut op {
        anonymous.clone_from(&before.anonymous);
    }
    run(engine, op).await;
    let after = look_at(engine, prefix, &container.name).await;
    assert_ne!(after.id, before.id);
    assert_eq!(after.anonymous, before.anonymous);
    assert!(is_nameless(&after), "{after:?}");

    run(engine, Op::RemoveContainer(named(&container.name))).await;
    twice(engine, Op::RemoveVolume { name: volume }).await;
    super::docker::remove_image(&image).await;
}

pub async fn a_foreign_one_is_seen_only_when_named<E: Engine>(engine: &E, prefix: &str) {
    let container = make::sleeper(&format!("{prefix}-a"));
    let op = Op::CreateContainer {
        name: container.name.clone(),
        labels: labels(&other_project(prefix), &ResourceId::Container(container.name.clone())),
        container: Box::new(container.clone()),
        anonymous: BTreeMap::new(),
    };
    run(engine, op).await;
    assert!(look(engine, prefix).await.containers.is_empty());
    let mut request = request(prefix);
    request.names.insert(ResourceId::Container(container.name.clone()));
    // The beginning of a name, or of an id, is not the name.
    request.names.insert(ResourceId::Container(prefix.to_owned()));
    let seen = engine.observe(&request).await.unwrap().containers;
    assert_eq!(seen.len(), 1);
    assert!(!seen[0].owner.is_ours());
}

pub async fn a_missing_container_is_not_found<E: Engine>(engine: &E, prefix: &str) {
    let none = || named(&format!("{prefix}-none"));
    for op in [
        Op::Start(none()),
        Op::Stop { container: none(), grace: None },
        Op::Restart(none()),
        Op::Unpause(none()),
        Op::Signal { container: none(), signal: "SIGHUP".into() },
        Op::Update { container: none(), limits: Limits::default(), restart: Restart::No },
    ] {
        assert_eq!(refused(engine, op).await, Refusal::NotFound);
    }
    // A name that could be the beginning of an id is a name.
    run(engine, make::creation(prefix, &make::sleeper(&format!("{prefix}-a")))).await;
    let id = look_at(engine, prefix, &format!("{prefix}-a")).await.id;
    assert_eq!(refused(engine, Op::Start(named(&id[..8]))).await, Refusal::NotFound);
    run(engine, Op::RemoveContainer(named(&id[..8]))).await;
    assert_eq!(look(engine, prefix).await.containers.len(), 1);
}

pub async fn a_signal_arrives<E: Engine>(engine: &E, prefix: &str) {
    let name = format!("{prefix}-a");
    let script = "trap 'touch /hup' HUP; touch /up; while :; do sleep 0.1; done";
    make::up(engine, prefix, &make::scripted(&name, script)).await;
    let file = |path: &str| Op::AwaitReady {
        container: named(&name),
        probe: nself::desired::Probe::Exec(["test", "-e", path].map(str::to_owned).into()),
        within: Millis(10_000),
    };
    run(engine, file("/up")).await;
    run(engine, Op::Signal { container: named(&name), signal: "SIGHUP".into() }).await;
    run(engine, file("/hup")).await;
    assert_eq!(look_at(engine, prefix, &name).await.state, State::Running);
}

pub async fn a_user_writes_where_memory_is_mounted<E: Engine>(engine: &E, prefix: &str) {
    // The image has this folder, through a link, and everybody may write there.
    let script = "touch /var/run/lock/x && touch /tmp/x; sleep 1000";
    let mut container = make::scripted(&format!("{prefix}-a"), script);
    container.user = Some("1000:1000".into());
    container.read_only = true;
    container.capabilities.drop.insert("ALL".into());
    for path in ["/var/run/lock", "/tmp"] {
        container.tmpfs.insert(path.into(), "mode=1777".into());
    }
    make::up(engine, prefix, &container).await;
    let wait = Op::AwaitReady {
        container: named(&container.name),
        probe: Probe::Exec(["test", "-e", "/tmp/x"].map(str::to_owned).into()),
        within: Millis(10_000),
    };
    run(engine, wait).await;
}
