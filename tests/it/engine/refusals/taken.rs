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
        name: "removing a container that runs",
        answer: None,
        podman: Same,
        scene: |p| running(p, Op::RemoveContainer(target(p))),
    },
    Case {
        name: "removing a container that is frozen",
        answer: None,
        podman: Same,
        scene: |p| paused(p, Op::RemoveContainer(target(p))),
    },
    Case {
        name: "removing a container that is not there",
        answer: None,
        podman: Same,
        scene: |p| scene([], Op::RemoveContainer(target(p))),
    },
    Case {
        name: "stopping a frozen container",
        answer: None,
        podman: Same,
        scene: |p| paused(p, Op::Stop { container: target(p), grace: None }),
    },
    Case {
        name: "stopping a container that never ran",
        answer: None,
        podman: Same,
        scene: |p| made(p, Op::Stop { container: target(p), grace: None }),
    },
    Case {
        name: "unfreezing a container that is not frozen",
        answer: None,
        podman: Same,
        scene: |p| running(p, Op::Unpause(target(p))),
    },
    Case {
        name: "unfreezing a container that never ran",
        answer: None,
        podman: Same,
        scene: |p| made(p, Op::Unpause(target(p))),
    },
    Case {
        name: "starting twice",
        answer: None,
        podman: Same,
        scene: |p| running(p, Op::Start(target(p))),
    },
    Case {
        name: "a mounted volume that nobody made",
        answer: None,
        podman: Same,
        scene: |p| making(p, |c| mount(c, "/data", MountSource::Volume(format!("{p}-implied")))),
    },
    Case {
        name: "a container whose device is missing, until its start",
        answer: None,
        podman: Same,
        scene: |p| making(p, |c| _ = c.devices.insert(format!("{NOWHERE}:/dev/x:rwm"))),
    },
    Case {
        name: "a container whose command is missing, until its start",
        answer: None,
        podman: Same,
        scene: |p| making(p, |c| c.command = Some(vec![NOWHERE.into()])),
    },
    Case {
        name: "one port for two protocols",
        answer: None,
        podman: Same,
        scene: |p| {
            starting(p, |c| {
                let port = crate::port::free();
                publish(c, 80, "tcp", "127.0.0.1", port);
                publish(c, 80, "udp", "127.0.0.1", port);
            })
        },
    },
    Case {
        name: "one port at two addresses",
        answer: None,
        podman: Same,
        scene: |p| {
            starting(p, |c| {
                let port = crate::port::free();
                publish(c, 80, "tcp", "127.0.0.1", port);
                publish(c, 81, "tcp", "127.0.0.2", port);
            })
        },
    },
    Case {
        name: "one port of two stopped containers",
        answer: None,
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let theirs = Container {
                name: format!("{p}-b"),
                ..a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port))
            };
            scene(
                [make::creation(p, &theirs).into()],
                make::creation(p, &a(p, |c| publish(c, 80, "tcp", "127.0.0.1", port))),
            )
        },
    },
    Case {
        name: "all addresses and one in one container",
        answer: None,
        podman: Same,
        scene: |p| {
            starting(p, |c| {
                let port = crate::port::free();
                publish(c, 80, "tcp", "127.0.0.1", port);
                publish(c, 80, "tcp", "0.0.0.0", port);
            })
        },
    },
    Case {
        name: "few cpu shares",
        answer: None,
        podman: Same,
        scene: |p| starting(p, |c| c.limits.cpu_shares = Some(1)),
    },
    Case {
        name: "a working directory that the image does not have",
        answer: None,
        podman: Same,
        scene: |p| starting(p, |c| c.workdir = Some("/not/there".into())),
    },
    Case {
        name: "a user by number that the image does not have",
        answer: None,
        podman: Same,
        scene: |p| starting(p, |c| c.user = Some("12345:12345".into())),
    },
    Case {
        name: "volume subdir options",
        answer: None,
        podman: Same,
        scene: |p| {
            let volume = tmpfs(make::volume(&format!("{p}-v")));
            let ours = a(p, |c| mount(c, "/data", MountSource::Volume(volume.name.clone())));
            scene(
                [make::volume_creation(p, &volume).into(), make::creation(p, &ours).into()],
                Op::Start(target(p)),
            )
        },
    },
    Case {
        name: "a network option nobody knows",
        answer: None,
        podman: Same,
        scene: |p| scene([], with_option(p, "nonsense", "x")),
    },
    Case {
        name: "leaving a network that is not there",
        answer: None,
        podman: Same,
        scene: |p| made(p, Op::Disconnect { container: target(p), network: format!("{p}-none") }),
    },
    Case {
        name: "leaving as one who is not there",
        answer: None,
        podman: Same,
        scene: |p| scene([], Op::Disconnect { container: target(p), network: format!("{p}-none") }),
    },
    Case {
        name: "removing a network with containers",
        answer: None,
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let _ = net;
            scene([], op)
        },
    },
    Case {
        name: "removing a volume that is not there",
        answer: None,
        podman: Same,
        scene: |p| scene([], Op::RemoveVolume { name: format!("{p}-none") }),
    },
    Case {
        name: "removing an image that is not there",
        answer: None,
        podman: Same,
        scene: |p| scene([], Op::RemoveImage { image: format!("{p}/none:1") }),
    },
    Case {
        name: "making a network that is there with another subnet",
        answer: None,
        podman: Same,
        scene: |p| {
            let (_, op) = network(p);
            let (subnet, _) = make::subnet();
            scene([op.into()], with_subnet(p, &subnet))
        },
    },
    Case {
        name: "making a container that is there and runs",
        answer: None,
        podman: Same,
        scene: |p| running(p, make::creation(p, &a(p, |_| {}))),
    },
    Case {
        name: "another container that looks the same but for its command",
        answer: None,
        podman: Same,
        scene: |p| {
            made(p, make::creation(p, &a(p, |c| c.command = Some(vec!["/bin/true".into()]))))
        },
    },
    Case {
        name: "two containers that ask for one address",
        answer: None,
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), at(&address))].into())
            };
            let ours = a(p, |c| c.networks = [(net.clone(), at(&address))].into());
            scene([op.into(), make::creation(p, &b).into()], make::creation(p, &ours))
        },
    },
    Case {
        name: "two containers of one alias",
        answer: None,
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), make::attached(&["x"]))].into())
            };
            let ours = a(p, |c| c.networks = [(net.clone(), make::attached(&["x"]))].into());
            let [made, up] = up(p, &b);
            scene([op.into(), made, up, make::creation(p, &ours).into()], Op::Start(target(p)))
        },
    },
    Case {
        name: "a restart policy for a job that ended",
        answer: None,
        podman: Same,
        scene: |p| made(p, limits(p, Limits::default())),
    },
];
