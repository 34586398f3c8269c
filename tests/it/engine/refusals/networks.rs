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
            let network = make::network(&format!("{p}-net"));
            scene(
                [make::network_creation(&other_project(p), &network).into()],
                make::network_creation(p, &network),
            )
        },
    },
    Case {
        name: "a name of the engine's own",
        answer: Some(NameTaken),
        podman: Same,
        scene: |p| scene([], make::network_creation(p, &make::network("bridge"))),
    },
    Case {
        name: "a name that stands for two",
        answer: Some(Ambiguous),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            scene([op.clone().into(), Act::Theirs(Deed::SecondNetwork(p.to_owned(), net))], op)
        },
    },
    Case {
        name: "no name",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], make::network_creation(p, &make::network(""))),
    },
    Case {
        name: "odd name",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], make::network_creation(p, &make::network(&format!("{p} a/b")))),
    },
    Case {
        name: "subnet none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_subnet(p, "nonsense")),
    },
    Case {
        name: "subnet with host bits",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_subnet(p, "198.19.255.7/28")),
    },
    Case {
        name: "subnet too large",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_subnet(p, "0.0.0.0/0")),
    },
    Case {
        name: "subnet of one",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_subnet(p, "198.19.255.9/32")),
    },
    Case {
        name: "subnet of another kind",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_subnet(p, "2001:db8::/64")),
    },
    Case {
        name: "addresses of another network",
        answer: Some(SubnetTaken),
        podman: Same,
        scene: |p| {
            let (subnet, _) = make::subnet();
            let first = make::network_creation(
                p,
                &Network { subnet: Some(subnet.clone()), ..make::network(&format!("{p}-first")) },
            );
            scene([first.into()], with_subnet(p, &subnet))
        },
    },
    Case {
        name: "addresses that hold those of another network",
        answer: Some(SubnetTaken),
        podman: Same,
        scene: |p| {
            let (subnet, _) = make::subnet();
            let first = make::network_creation(
                p,
                &Network { subnet: Some(subnet.clone()), ..make::network(&format!("{p}-first")) },
            );
            let wide = subnet.replace("/28", "/24");
            let (front, _) = wide.rsplit_once('.').unwrap();
            scene([first.into()], with_subnet(p, &format!("{front}.0/24")))
        },
    },
    Case {
        name: "an option that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_option(p, "nonsense", "x")),
    },
    Case {
        name: "an option whose value is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_option(p, "com.docker.network.bridge.enable_icc", "maybe")),
    },
    Case {
        name: "an mtu none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], with_option(p, "com.docker.network.driver.mtu", "maybe")),
    },
    Case {
        name: "joining one that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| made(p, connect(p, &format!("{p}-none"), make::attached(&[]))),
    },
    Case {
        name: "joining as one who is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            scene([op.into()], connect(p, &net, make::attached(&[])))
        },
    },
    Case {
        name: "joining one of two",
        answer: Some(Ambiguous),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let second = Act::Theirs(Deed::SecondNetwork(p.to_owned(), net.clone()));
            let container = make::creation(p, &a(p, |_| {}));
            scene([op.into(), second, container.into()], connect(p, &net, make::attached(&[])))
        },
    },
    Case {
        name: "joining as one who is to have no network",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let mut scene = made(p, connect(p, &net, make::attached(&[])));
            scene.before.push(op.into());
            scene
        },
    },
    Case {
        name: "joining as one who is to have no network, running",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| {
            let (net, op) = network(p);
            let mut scene = running(p, connect(p, &net, make::attached(&[])));
            scene.before.push(op.into());
            scene
        },
    },
    Case {
        name: "joining host",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| joining(p, "host", make::attached(&[]), true),
    },
    Case {
        name: "joining none",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| joining(p, "none", make::attached(&[]), true),
    },
    Case {
        name: "joining bridge with an alias",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| joining(p, "bridge", make::attached(&["x"]), true),
    },
    Case {
        name: "joining bridge with an address",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| joining(p, "bridge", at("172.17.0.99"), true),
    },
    Case {
        name: "an address where none can be fixed, running",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, op) = network2(p);
            let mut scene = joining(p, &net, at("10.9.8.7"), true);
            scene.before.insert(0, op.into());
            scene
        },
    },
    Case {
        name: "an address that is none, running",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let mut scene = joining(p, &net, at("300.0.0.1"), true);
            scene.before.insert(0, op.into());
            scene
        },
    },
    Case {
        name: "an address outside of the subnet, running",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let mut scene = joining(p, &net, at("10.9.8.7"), true);
            scene.before.insert(0, op.into());
            scene
        },
    },
    Case {
        name: "an address that another has, running",
        answer: Some(AddressTaken),
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), at(&address))].into())
            };
            let mut scene = joining(p, &net, at(&address), true);
            scene.before.splice(0..0, std::iter::once(op.into()).chain(up(p, &b)));
            scene
        },
    },
    Case {
        name: "an address that another has, where one is already, running",
        answer: Some(AddressTaken),
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), at(&address))].into())
            };
            let mut scene = joining(p, &net, at(&address), true);
            scene.before.splice(0..0, std::iter::once(op.into()).chain(up(p, &b)));
            scene.before.push(connect(p, &net, make::attached(&["x"])).into());
            scene
        },
    },
    Case {
        name: "an address where none can be fixed, stopped",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, op) = network2(p);
            let mut scene = joining(p, &net, at("10.9.8.7"), false);
            scene.before.insert(0, op.into());
            scene
        },
    },
    Case {
        name: "an address that is none, stopped",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let mut scene = joining(p, &net, at("300.0.0.1"), false);
            scene.before.insert(0, op.into());
            scene
        },
    },
    Case {
        name: "an address outside of the subnet, stopped",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            let (net, _, op) = subnet(p);
            let mut scene = joining(p, &net, at("10.9.8.7"), false);
            scene.before.insert(0, op.into());
            scene
        },
    },
    Case {
        name: "an address that another has, stopped",
        answer: Some(AddressTaken),
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), at(&address))].into())
            };
            let mut scene = joining(p, &net, at(&address), false);
            scene.before.splice(0..0, std::iter::once(op.into()).chain(up(p, &b)));
            scene
        },
    },
    Case {
        name: "an address that another has, where one is already, stopped",
        answer: Some(AddressTaken),
        podman: Same,
        scene: |p| {
            let (net, address, op) = subnet(p);
            let b = Container {
                name: format!("{p}-b"),
                ..a(p, |c| c.networks = [(net.clone(), at(&address))].into())
            };
            let mut scene = joining(p, &net, at(&address), false);
            scene.before.splice(0..0, std::iter::once(op.into()).chain(up(p, &b)));
            scene.before.push(connect(p, &net, make::attached(&["x"])).into());
            scene
        },
    },
];
