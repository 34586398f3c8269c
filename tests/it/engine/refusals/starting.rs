#![allow(unused_imports, clippy::all, clippy::pedantic)]
//! x

use nself::{
    desired::{
        Container, HealthCheck, HostBinding, Limits, MountSource, Network, PortKey, Probe, Restart,
        Ulimit, Volume,
    },
    engine::Refusal::*,
    model::{ByteSize, Cpus, Digest, ImageRef, Millis, Text},
    plan::Op,
};

use super::{
    super::{make, other_project},
    Podman::Same,
    *,
};

pub const CASES: &[Case] = &[
    Case {
        name: "a container that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::Start(target(p))),
    },
    Case {
        name: "a frozen container",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, Op::Start(target(p))),
    },
    Case {
        name: "a port that another container has",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let theirs = Container {
                name: format!("{p}-b"),
                ..a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port))
            };
            let ours = a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port));
            let [made, up] = up(p, &theirs);
            scene([made, up, make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "a port that another container has at all addresses",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let theirs = Container {
                name: format!("{p}-b"),
                ..a(p, |c| publish(c, 80, "tcp", "0.0.0.0", port))
            };
            let ours = a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port));
            let [made, up] = up(p, &theirs);
            scene([made, up, make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "all addresses where a container has one",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let theirs = Container {
                name: format!("{p}-b"),
                ..a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port))
            };
            let ours = a(p, |c| publish(c, 80, "tcp", "0.0.0.0", port));
            let [made, up] = up(p, &theirs);
            scene([made, up, make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "a port that a frozen container has",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let theirs = Container {
                name: format!("{p}-b"),
                ..a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port))
            };
            let ours = a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port));
            let [made, up] = up(p, &theirs);
            let pause = Act::Theirs(Deed::Pause(theirs.name));
            scene([made, up, pause, make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "a port that a program has",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let ours = a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port));
            scene(
                [Act::Theirs(Deed::Listen(port)), make::creation(p, &ours).into()],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "one port published twice",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            starting(p, |c| {
                let port = crate::port::free();
                publish(c, 80, "tcp", "127.0.0.1", port);
                publish(c, 81, "tcp", "127.0.0.1", port);
            })
        },
    },
    Case {
        name: "an address that the machine does not have",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| publish(c, 80, "tcp", "192.0.2.77", crate::port::free())),
    },
    Case {
        name: "a network that went",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let container = a(p, |c| c.networks = [(net.clone(), make::attached(&[]))].into());
            scene(
                [
                    op.into(),
                    make::creation(p, &container).into(),
                    Act::Theirs(Deed::RemoveNetwork(net)),
                ],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "a network that another joined in name",
        answer: Some(Ambiguous),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let container = a(p, |c| c.networks = [(net.clone(), make::attached(&[]))].into());
            scene(
                [
                    op.into(),
                    make::creation(p, &container).into(),
                    Act::Theirs(Deed::SecondNetwork(p.to_owned(), net)),
                ],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "a command that the image does not have",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.command = Some(vec![NOWHERE.into()])),
    },
    Case {
        name: "an entrypoint that the image does not have",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.entrypoint = Some(vec![NOWHERE.into()])),
    },
    Case {
        name: "a command that is a folder",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.command = Some(vec!["/etc".into()])),
    },
    Case {
        name: "a command that may not be run",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.command = Some(vec!["/etc/passwd".into()])),
    },
    Case {
        name: "a user that the image does not have",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.user = Some("nowhere".into())),
    },
    Case {
        name: "a group that the image does not have",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.groups.insert("nowhere".into())),
    },
    Case {
        name: "a device that the machine does not have",
        answer: Some(HostPathMissing),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.devices.insert(format!("{NOWHERE}:/dev/x:rwm"))),
    },
    Case {
        name: "a kernel parameter that is not the container's own",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.sysctls.insert("kernel.panic".into(), "1".into())),
    },
    Case {
        name: "a kernel parameter that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.sysctls.insert("nonsense".into(), "1".into())),
    },
    Case {
        name: "a ulimit that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            starting(p, |c| _ = c.ulimits.insert("nonsense".into(), Ulimit { soft: 1, hard: 1 }))
        },
    },
    Case {
        name: "a name server that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| c.dns.servers = vec!["nonsense".into()]),
    },
    Case {
        name: "a host name that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| c.hostname = Some("a b".into())),
    },
    Case {
        name: "a memory mount with unknown options",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.tmpfs.insert("/data".into(), "nonsense=1".into())),
    },
    Case {
        name: "memory mounted with options that are no mount options",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.tmpfs.insert("/data".into(), "size=nonsense".into())),
    },
    Case {
        name: "pid of a container that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| starting(p, |c| c.namespaces.pid = Some(format!("container:{p}-none"))),
    },
    Case {
        name: "ipc of a container that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| starting(p, |c| c.namespaces.ipc = Some(format!("container:{p}-none"))),
    },
    Case {
        name: "pid of a container that does not run",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| {
            let b = Container { name: format!("{p}-b"), ..a(p, |_| {}) };
            let ours = a(p, |c| c.namespaces.pid = Some(format!("container:{p}-b")));
            scene(
                [make::creation(p, &b).into(), make::creation(p, &ours).into()],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "ipc of a container that does not run",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| {
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.namespaces.ipc = Some("shareable".into()))
            };
            let ours = a(p, |c| c.namespaces.ipc = Some(format!("container:{p}-b")));
            scene(
                [make::creation(p, &b).into(), make::creation(p, &ours).into()],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "an address that another has",
        answer: Some(AddressTaken),
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), at(&address))].into())
            };
            let ours = a(p, |c| c.networks = [(net.clone(), at(&address))].into());
            let [made, up] = up(p, &b);
            scene([op.into(), made, up, make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "an address outside of the subnet",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let ours = a(p, |c| c.networks = [(net, at("10.9.8.7"))].into());
            scene([op.into(), make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "an address of the gateway",
        answer: Some(AddressTaken),
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let (first, last) = address.rsplit_once('.').unwrap();
            let gateway = format!("{first}.{}", last.parse::<u8>().unwrap() - 8);
            let ours = a(p, |c| c.networks = [(net, at(&gateway))].into());
            scene([op.into(), make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "an address of a network without a subnet",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let ours = a(p, |c| c.networks = [(net, at("10.9.8.7"))].into());
            scene([op.into(), make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "a volume whose device is not there",
        answer: Some(HostPathMissing),
        podman: Same,
        scene: |p| {
            let mut volume = make::volume(&format!("{p}-v"));
            volume.options = [("type", "none"), ("o", "bind"), ("device", NOWHERE)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
            let ours = a(p, |c| mount(c, "/data", MountSource::Volume(volume.name.clone())));
            scene(
                [make::volume_creation(p, &volume).into(), make::creation(p, &ours).into()],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "one that runs again with its port taken (restart)",
        answer: Some(PortTaken),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let theirs = Container {
                name: format!("{p}-b"),
                ..a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port))
            };
            let ours = a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port));
            let [made, up] = up(p, &theirs);
            scene([made, up, make::creation(p, &ours).into()], Op::Restart(target(p)))
        },
    },
    Case {
        name: "restart of one that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::Restart(target(p))),
    },
    Case {
        name: "restart frozen",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, Op::Restart(target(p))),
    },
    Case {
        name: "an uid far away",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.user = Some("99999999999".into())),
    },
    Case {
        name: "security nonsense seccomp",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| starting(p, |c| _ = c.security.insert("seccomp=/nowhere".into())),
    },
    Case {
        name: "workdir is a file",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| c.workdir = Some("/etc/passwd".into())),
    },
    Case {
        name: "mount onto a file",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| mount(c, "/etc/passwd", MountSource::Bind("/tmp".into()))),
    },
    Case {
        name: "mount of a file onto a folder",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| starting(p, |c| mount(c, "/etc", MountSource::Bind("/etc/passwd".into()))),
    },
    Case {
        name: "mount at missing place below read-only bind",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| {
            starting(p, |c| {
                c.read_only = true;
                mount(c, "/not/there", MountSource::Bind("/tmp".into()));
            })
        },
    },
    Case {
        name: "ulimit above the machine's",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            starting(p, |c| {
                _ = c.ulimits.insert("nofile".into(), Ulimit { soft: 1 << 40, hard: 1 << 40 })
            })
        },
    },
];
