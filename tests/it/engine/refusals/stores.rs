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
        name: "a volume whose name is somebody else's",
        answer: Some(NameTaken),
        podman: Same,
        scene: |p| {
            let volume = make::volume(&format!("{p}-v"));
            scene(
                [make::volume_creation(&other_project(p), &volume).into()],
                make::volume_creation(p, &volume),
            )
        },
    },
    Case {
        name: "a volume that is there with other options",
        answer: Some(NameTaken),
        podman: Same,
        scene: |p| {
            let volume = make::volume(&format!("{p}-v"));
            scene(
                [make::volume_creation(p, &volume).into()],
                make::volume_creation(p, &tmpfs(volume)),
            )
        },
    },
    Case {
        name: "a volume whose name is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], make::volume_creation(p, &make::volume(&format!("{p} v")))),
    },
    Case {
        name: "a volume with a name of one letter",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], make::volume_creation(p, &make::volume("v"))),
    },
    Case {
        name: "a volume of a driver that is not there",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| {
            scene(
                [],
                make::volume_creation(
                    p,
                    &Volume { driver: format!("{p}none"), ..make::volume(&format!("{p}-v")) },
                ),
            )
        },
    },
    Case {
        name: "a volume with an option that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            scene(
                [],
                make::volume_creation(
                    p,
                    &Volume {
                        options: [("nonsense".to_owned(), "1".to_owned())].into(),
                        ..make::volume(&format!("{p}-v"))
                    },
                ),
            )
        },
    },
    Case {
        name: "a volume with half of its options",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            scene(
                [],
                make::volume_creation(
                    p,
                    &Volume {
                        options: [("type".to_owned(), "tmpfs".to_owned())].into(),
                        ..make::volume(&format!("{p}-v"))
                    },
                ),
            )
        },
    },
    Case {
        name: "removing a volume that a stopped container has",
        answer: Some(InUse),
        podman: Same,
        scene: |p| {
            let volume = make::volume(&format!("{p}-v"));
            let ours = a(p, |c| mount(c, "/data", MountSource::Volume(volume.name.clone())));
            scene(
                [make::volume_creation(p, &volume).into(), make::creation(p, &ours).into()],
                Op::RemoveVolume { name: volume.name },
            )
        },
    },
    Case {
        name: "removing a volume that a running container has",
        answer: Some(InUse),
        podman: Same,
        scene: |p| {
            let volume = make::volume(&format!("{p}-v"));
            let ours = a(p, |c| mount(c, "/data", MountSource::Volume(volume.name.clone())));
            let [made, up] = up(p, &ours);
            scene(
                [make::volume_creation(p, &volume).into(), made, up],
                Op::RemoveVolume { name: volume.name },
            )
        },
    },
    Case {
        name: "removing an image that a stopped container has",
        answer: Some(InUse),
        podman: Same,
        scene: |p| {
            let image = image(p);
            let ours = a(p, |c| c.image = image.parse().unwrap());
            scene(
                [build(&image).into(), make::creation(p, &ours).into()],
                Op::RemoveImage { image },
            )
        },
    },
    Case {
        name: "removing an image that a running container has",
        answer: Some(InUse),
        podman: Same,
        scene: |p| {
            let image = image(p);
            let ours = a(p, |c| c.image = image.parse().unwrap());
            let [made, up] = up(p, &ours);
            scene([build(&image).into(), made, up], Op::RemoveImage { image })
        },
    },
    Case {
        name: "removing an image by a bad name",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| scene([], Op::RemoveImage { image: "A B".into() }),
    },
    Case {
        name: "pulling where no registry answers",
        answer: Some(NoRegistry),
        podman: Same,
        scene: |p| {
            let image: ImageRef = "127.0.0.1:1/none:1".parse().unwrap();
            scene([], Op::Pull { image: image.clone(), from: image })
        },
    },
    Case {
        name: "pulling what the registry does not have",
        answer: Some(ImageMissing),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let image: ImageRef = format!("127.0.0.1:{port}/none:1").parse().unwrap();
            scene(
                [Act::Theirs(Deed::EmptyRegistry(port))],
                Op::Pull { image: image.clone(), from: image },
            )
        },
    },
    Case {
        name: "pulling a digest the registry does not have",
        answer: Some(ImageMissing),
        podman: Same,
        scene: |p| {
            let port = crate::port::free();
            let image: ImageRef =
                format!("127.0.0.1:{port}/none@sha256:{}", "0".repeat(64)).parse().unwrap();
            scene(
                [Act::Theirs(Deed::EmptyRegistry(port))],
                Op::Pull { image: image.clone(), from: image },
            )
        },
    },
    Case {
        name: "writing files to a volume that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::WriteFiles { files: files(p), digest: Digest::of(b"x") }),
    },
    Case {
        name: "switching in a volume that is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| {
            scene(
                [],
                Op::SwitchFiles {
                    volume: format!("{p}-files"),
                    digest: Digest::of(b"x").to_string(),
                },
            )
        },
    },
    Case {
        name: "switching to files that were never written",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| {
            let volume = make::volume(&format!("{p}-files"));
            scene(
                [make::volume_creation(p, &volume).into()],
                Op::SwitchFiles { volume: volume.name, digest: Digest::of(b"x").to_string() },
            )
        },
    },
    Case {
        name: "writing files to a volume that cannot be mounted",
        answer: Some(HostPathMissing),
        podman: Same,
        scene: |p| {
            let mut volume = make::volume(&format!("{p}-files"));
            volume.options = [("type", "none"), ("o", "bind"), ("device", NOWHERE)]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
            scene(
                [make::volume_creation(p, &volume).into()],
                Op::WriteFiles { files: files(p), digest: Digest::of(b"x") },
            )
        },
    },
];
