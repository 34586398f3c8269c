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
        name: "stopping what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::Stop { container: target(p), grace: None }),
    },
    Case {
        name: "unfreezing what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::Unpause(target(p))),
    },
    Case {
        name: "a signal to what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], signal(p, "SIGHUP")),
    },
    Case {
        name: "a signal to what was never started",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| made(p, signal(p, "SIGHUP")),
    },
    Case {
        name: "a signal to what ended",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| {
            let mut scene = running(p, signal(p, "SIGHUP"));
            scene.before.push(Op::Stop { container: target(p), grace: None }.into());
            scene
        },
    },
    Case {
        name: "a signal to what is frozen",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, signal(p, "SIGHUP")),
    },
    Case {
        name: "a kill of what is frozen",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, signal(p, "SIGKILL")),
    },
    Case {
        name: "a signal that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| running(p, signal(p, "SIGNONSENSE")),
    },
    Case {
        name: "renaming what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::Rename { container: target(p), to: format!("{p}-b") }),
    },
    Case {
        name: "renaming to a used name",
        answer: Some(NameTaken),
        podman: Same,
        scene: |p| {
            let b = Container { name: format!("{p}-b"), ..a(p, |_| {}) };
            let mut scene = made(p, Op::Rename { container: target(p), to: b.name.clone() });
            scene.before.push(make::creation(p, &b).into());
            scene
        },
    },
    Case {
        name: "renaming to a name that is none",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| made(p, Op::Rename { container: target(p), to: "a b".into() }),
    },
    Case {
        name: "renaming to nothing",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| made(p, Op::Rename { container: target(p), to: String::new() }),
    },
    Case {
        name: "limits of what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], limits(p, Limits::default())),
    },
    Case {
        name: "less memory than any container needs",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            made(p, limits(p, Limits { memory: Some(ByteSize(5 << 20)), ..Limits::default() }))
        },
    },
    Case {
        name: "more memory kept than may be used",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            made(
                p,
                limits(
                    p,
                    Limits {
                        memory: Some(ByteSize(16 << 20)),
                        reservation: Some(ByteSize(32 << 20)),
                        ..Limits::default()
                    },
                ),
            )
        },
    },
    Case {
        name: "less memory kept than any container needs",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            made(p, limits(p, Limits { reservation: Some(ByteSize(5 << 20)), ..Limits::default() }))
        },
    },
    Case {
        name: "more processors than there are",
        answer: Some(TooMuch),
        podman: Same,
        scene: |p| {
            made(p, limits(p, Limits { cpus: Some(Cpus(9_999_000_000_000)), ..Limits::default() }))
        },
    },
    Case {
        name: "a processor that is not there",
        answer: Some(TooMuch),
        podman: Same,
        scene: |p| made(p, limits(p, Limits { cpuset: Some("9999".into()), ..Limits::default() })),
    },
    Case {
        name: "processors that are no list",
        answer: Some(Invalid),
        podman: Same,
        scene: |p| {
            made(p, limits(p, Limits { cpuset: Some("nonsense".into()), ..Limits::default() }))
        },
    },
    Case {
        name: "a limit that is to go",
        answer: Some(Unsupported),
        podman: Same,
        scene: |p| {
            let container = a(p, |c| c.limits.memory = Some(ByteSize(16 << 20)));
            scene([make::creation(p, &container).into()], limits(p, Limits::default()))
        },
    },
    Case {
        name: "less memory than it takes",
        answer: Some(InUse),
        podman: Same,
        scene: |p| {
            running(p, limits(p, Limits { memory: Some(ByteSize(6 << 20)), ..Limits::default() }))
        },
    },
    Case {
        name: "limits of what is frozen",
        answer: None,
        podman: Same,
        scene: |p| {
            paused(p, limits(p, Limits { memory: Some(ByteSize(64 << 20)), ..Limits::default() }))
        },
    },
    Case {
        name: "waiting for what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| {
            scene(
                [],
                Op::AwaitReady { container: target(p), probe: Probe::Image, within: Millis(1000) },
            )
        },
    },
    Case {
        name: "a check in what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], check(p, "/bin/true")),
    },
    Case {
        name: "a check in what does not run",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| made(p, check(p, "/bin/true")),
    },
    Case {
        name: "a check in what is frozen",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, check(p, "/bin/true")),
    },
    Case {
        name: "a check that the image does not have",
        answer: Some(NotExecutable),
        podman: Same,
        scene: |p| running(p, check(p, NOWHERE)),
    },
    Case {
        name: "making something inside what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::Ensure { inner: inner(p), container: target(p) }),
    },
    Case {
        name: "making something inside what does not run",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| made(p, Op::Ensure { inner: inner(p), container: target(p) }),
    },
    Case {
        name: "making something inside what is frozen",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, Op::Ensure { inner: inner(p), container: target(p) }),
    },
    Case {
        name: "removing something inside what is not there",
        answer: Some(NotFound),
        podman: Same,
        scene: |p| scene([], Op::DropInner { inner: inner(p), container: target(p) }),
    },
    Case {
        name: "removing something inside what does not run",
        answer: Some(NotRunning),
        podman: Same,
        scene: |p| made(p, Op::DropInner { inner: inner(p), container: target(p) }),
    },
    Case {
        name: "removing something inside what is frozen",
        answer: Some(Paused),
        podman: Same,
        scene: |p| paused(p, Op::DropInner { inner: inner(p), container: target(p) }),
    },
];
