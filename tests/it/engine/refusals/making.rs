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
        name: "a name that is somebody else's",
        answer: Some(NameTaken),
        podman: Same,
        scene: |p| {
            let other = make::creation(&other_project(p), &a(p, |_| {}));
            scene([other.into()], make::creation(p, &a(p, |_| {})))
        },
    },
    Case {
        name: "a name with a blank",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.name.push_str(" b")),
    },
    Case {
        name: "a name that is a path",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.name.push_str("/b")),
    },
    Case {
        name: "an image that is not there",
        answer: Some(ImageMissing),
        podman: Same,
        scene: |p| making(p, |c| c.image = format!("{p}/none:1").parse().unwrap()),
    },
    Case {
        name: "a network that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| making(p, |c| c.networks = [(format!("{p}-none"), make::attached(&[]))].into()),
    },
    Case {
        name: "two networks of the name",
        answer: Some(Ambiguous),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let second = Act::Theirs(Deed::SecondNetwork(p.to_owned(), net.clone()));
            let container = a(p, |c| c.networks = [(net, make::attached(&[]))].into());
            scene([op.into(), second], make::creation(p, &container))
        },
    },
    Case {
        name: "a volume whose name is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| mount(c, "/data", MountSource::Volume("a b".into()))),
    },
    Case {
        name: "a folder of the machine that is not there",
        answer: Some(HostPathMissing),
        podman: Same,
        scene: |p| making(p, |c| mount(c, "/data", MountSource::Bind(NOWHERE.into()))),
    },
    Case {
        name: "a folder of the machine that is no whole path",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| mount(c, "/data", MountSource::Bind("data".into()))),
    },
    Case {
        name: "a mount at no whole path",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| mount(c, "data", MountSource::Bind("/tmp".into()))),
    },
    Case {
        name: "a mount over everything",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| mount(c, "/", MountSource::Bind("/tmp".into()))),
    },
    Case {
        name: "two things mounted at one place",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| {
                mount(c, "/data", MountSource::Bind("/tmp".into()));
                c.tmpfs.insert("/data".into(), String::new());
            })
        },
    },
    Case {
        name: "memory mounted at no whole path",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.tmpfs.insert("data".into(), String::new())),
    },
    Case {
        name: "memory mounted with options that are none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.tmpfs.insert("/data".into(), "nonsense=1".into())),
    },
    Case {
        name: "less memory than any container needs",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.limits.memory = Some(ByteSize(5 << 20))),
    },
    Case {
        name: "less memory kept than any container needs",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.limits.reservation = Some(ByteSize(5 << 20))),
    },
    Case {
        name: "more memory kept than may be used",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| {
                c.limits.memory = Some(ByteSize(16 << 20));
                c.limits.reservation = Some(ByteSize(32 << 20));
            })
        },
    },
    Case {
        name: "more processors than there are",
        answer: Some(TooMuch),
        podman: Same,
        scene: |p| making(p, |c| c.limits.cpus = Some(Cpus(9_999_000_000_000))),
    },
    Case {
        name: "a processor that is not there",
        answer: Some(TooMuch),
        podman: Same,
        scene: |p| making(p, |c| c.limits.cpuset = Some("9999".into())),
    },
    Case {
        name: "processors that are no list",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.limits.cpuset = Some("nonsense".into())),
    },
    Case {
        name: "a capability that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.capabilities.add.insert("NONSENSE".into())),
    },
    Case {
        name: "a capability to drop that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.capabilities.drop.insert("NONSENSE".into())),
    },
    Case {
        name: "an address of the machine that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| {
                let binding =
                    HostBinding { address: "300.0.0.1".into(), port: crate::port::free() };
                c.ports.insert(PortKey { port: 80, protocol: "tcp" }, [binding].into());
            })
        },
    },
    Case {
        name: "a log driver that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.log.driver = Some("nonsense".into())),
    },
    Case {
        name: "a log option that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| {
                c.log.driver = Some("json-file".into());
                c.log.options.insert("nonsense".into(), "1".into());
            })
        },
    },
    Case {
        name: "a working directory that is no whole path",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.workdir = Some("srv".into())),
    },
    Case {
        name: "an entry for the hosts file that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.extra_hosts.insert("nonsense".into())),
    },
    Case {
        name: "a security option that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.security.insert("nonsense".into())),
    },
    Case {
        name: "a namespace that is none: ipc",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.ipc = Some("nonsense".into())),
    },
    Case {
        name: "a namespace that is none: pid",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.pid = Some("nonsense".into())),
    },
    Case {
        name: "a namespace that is none: uts",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.uts = Some("nonsense".into())),
    },
    Case {
        name: "a namespace that is none: users",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.users = Some("nonsense".into())),
    },
    Case {
        name: "a namespace that is none: cgroup",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.cgroup = Some("nonsense".into())),
    },
    Case {
        name: "a signal that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.stop.signal = Some("SIGNONSENSE".into())),
    },
    Case {
        name: "a variable without a name",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.env.insert(String::new(), Text::plain("x"))),
    },
    Case {
        name: "a ulimit that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| _ = c.ulimits.insert("nonsense".into(), Ulimit { soft: 1, hard: 1 }))
        },
    },
    Case {
        name: "a ulimit above its own bound",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| _ = c.ulimits.insert("nofile".into(), Ulimit { soft: 2, hard: 1 }))
        },
    },
    Case {
        name: "a host name that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.hostname = Some("a b".into())),
    },
    Case {
        name: "a name server that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.dns.servers = vec!["nonsense".into()]),
    },
    Case {
        name: "a kernel parameter that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.sysctls.insert("nonsense".into(), "1".into())),
    },
    Case {
        name: "a user that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.user = Some("a b:c:d".into())),
    },
    Case {
        name: "an address on a network without a subnet",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let container = a(p, |c| c.networks = [(net, at("10.9.8.7"))].into());
            scene([op.into()], make::creation(p, &container))
        },
    },
    Case {
        name: "an address that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let container = a(p, |c| c.networks = [(net, at("300.0.0.1"))].into());
            scene([op.into()], make::creation(p, &container))
        },
    },
    Case {
        name: "an address outside of the subnet",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let container = a(p, |c| c.networks = [(net, at("10.9.8.7"))].into());
            scene([op.into()], make::creation(p, &container))
        },
    },
    Case {
        name: "an address outside of the second subnet",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let (first, first_op) = network(p);
            let container =
                a(p, |c| c.networks = [(first, make::attached(&[])), (net, at("10.9.8.7"))].into());
            scene([op.into(), first_op.into()], make::creation(p, &container))
        },
    },
    Case {
        name: "a check of nothing",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| {
                c.health = Some(HealthCheck {
                    test: vec![],
                    interval: Millis(1000),
                    timeout: Millis(1000),
                    retries: 1,
                    start_period: Millis(0),
                })
            })
        },
    },
    Case {
        name: "a device whose permissions are none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.devices.insert("/dev/null:/dev/null:xyz".into())),
    },
    Case {
        name: "ipc of a container that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.ipc = Some(format!("container:{p}-none"))),
    },
    Case {
        name: "pid of a container that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| making(p, |c| c.namespaces.pid = Some(format!("container:{p}-none"))),
    },
    Case {
        name: "restart over and over and removal",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.restart = Restart::OnFailure(u32::MAX)),
    },
    Case {
        name: "shm nothing",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.shm = Some(ByteSize(0))),
    },
    Case {
        name: "port 0 of the machine",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            making(p, |c| {
                let binding = HostBinding { address: "127.0.0.1".into(), port: 0 };
                c.ports.insert(PortKey { port: 80, protocol: "tcp" }, [binding].into());
            })
        },
    },
    Case {
        name: "group that is none at create",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| _ = c.groups.insert("nonsense".into())),
    },
    Case {
        name: "network host",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.networks = [("host".into(), make::attached(&[]))].into()),
    },
    Case {
        name: "network bridge with alias",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| making(p, |c| c.networks = [("bridge".into(), make::attached(&["x"]))].into()),
    },
    Case {
        name: "image by a digest that is not there",
        answer: Some(ImageMissing),
        podman: Same,
        scene: |p| {
            making(p, |c| c.image = format!("{p}/none@sha256:{}", "0".repeat(64)).parse().unwrap())
        },
    },
];
