//! The shapes of plans that are cut off.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    controller::pass::Goal,
    desired::{Build, BuildContext, ImageOrigin, Resource},
    model::{Digest, ServiceName},
};

use super::Act;
use crate::world::{Project, Svc};

/// A plan to be cut off: what was done before it, and it.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) acts: fn() -> (Vec<Act>, Act),
}

pub(super) const SHAPES: &[Shape] = &[
    Shape { name: "create", acts: || (Vec::new(), full(|_| {})) },
    Shape {
        name: "replace a chain",
        acts: || change(full(|_| {}), full(|all| each(all, replace))),
    },
    Shape {
        name: "replace one of a chain",
        acts: || change(full(|_| {}), full(|all| replace(at(all, 0)))),
    },
    Shape {
        name: "in place",
        acts: || change(full(|_| {}), full(|all| each(all, |one| one.memory = Some(2)))),
    },
    Shape {
        name: "a limit taken away",
        acts: || change(full(|_| {}), full(|all| each(all, |one| one.memory = None))),
    },
    Shape { name: "reload", acts: || change(two_with_files(0), two_with_files(1)) },
    Shape { name: "reload and replace", acts: || change(two_with_files(0), two_with_files(2)) },
    Shape {
        name: "inner resources",
        acts: || change(inner(&[Some(0), Some(0)]), inner(&[Some(1), Some(1)])),
    },
    Shape {
        name: "inner resources come and go",
        acts: || change(inner(&[Some(0), None]), inner(&[None, Some(1)])),
    },
    Shape { name: "mixed", acts: mixed },
    Shape { name: "a job, new", acts: || (Vec::new(), job(0)) },
    Shape { name: "a job, again", acts: || change(job(0), job(1)) },
    Shape {
        name: "removal",
        acts: || {
            change(full(|_| {}), Act::converge(Project(vec![None, Some(service())]).desired()))
        },
    },
    Shape {
        name: "destroy",
        acts: || change(full(|_| {}), Act::converge(full(|_| {}).desired.emptied())),
    },
    Shape {
        name: "stop",
        acts: || (vec![full(|_| {})], full_towards(Goal::Suspend(BTreeSet::new()))),
    },
    Shape { name: "stop one", acts: || (vec![full(|_| {})], full_towards(Goal::Suspend(some()))) },
    Shape {
        name: "resume",
        acts: || {
            let stopped = full_towards(Goal::Suspend(BTreeSet::new()));
            (vec![full(|_| {}), stopped], full_towards(Goal::Resume(BTreeSet::new())))
        },
    },
    Shape {
        name: "resume one, changed meanwhile",
        acts: || {
            let stopped = full_towards(Goal::Suspend(some()));
            let changed = full(|all| each(all, replace));
            (vec![full(|_| {}), stopped], Act { goal: Goal::Resume(some()), ..changed })
        },
    },
    Shape {
        name: "changed while stopped",
        acts: || {
            let stopped = full_towards(Goal::Suspend(some()));
            (vec![full(|_| {}), stopped], full(|all| each(all, replace)))
        },
    },
    Shape {
        name: "restart",
        acts: || (vec![full(|_| {})], full_towards(Goal::Restart(BTreeSet::new()))),
    },
    Shape { name: "build", acts: || change(built(0), built(1)) },
    Shape { name: "network made anew", acts: || change(full(|_| {}), internal()) },
    Shape { name: "volume made anew", acts: || change(full(|_| {}), other_volume()) },
    Shape {
        name: "ports change hands",
        acts: || change(ports([Some(0), Some(1)]), ports([Some(1), Some(0)])),
    },
    Shape {
        name: "a replacement that comes back",
        acts: || {
            let next = full(|all| at(all, 1).version = 1);
            change(full(|_| {}), Act { broken: vec!["img1:1".into()], ..next })
        },
    },
    Shape {
        name: "the first of a chain comes back",
        acts: || {
            let next = full(|all| each(all, |one| one.version = 1));
            change(full(|_| {}), Act { broken: vec!["img0:1".into()], ..next })
        },
    },
    Shape {
        name: "another after one that failed",
        acts: || {
            let failed = full(|all| at(all, 1).version = 1);
            let failed = Act { broken: vec!["img1:1".into()], ..failed };
            (vec![full(|_| {}), failed], full(|all| at(all, 1).version = 2))
        },
    },
];

fn change(before: Act, act: Act) -> (Vec<Act>, Act) {
    (vec![before], act)
}

/// Three services, each of which needs the one before it.
fn full(with: impl Fn(&mut Project)) -> Act {
    let first = Svc { memory: Some(1), inner: Some(0), data: true, ..service() };
    let second =
        Svc { memory: Some(1), files: Some((0, false)), secret: true, needs: vec![0], ..service() };
    let third = Svc { memory: Some(1), port: Some(1), needs: vec![1], ..service() };
    let mut project = Project(vec![Some(first), Some(second), Some(third)]);
    with(&mut project);
    Act::converge(project.desired())
}

fn full_towards(goal: Goal) -> Act {
    Act { goal, ..full(|_| {}) }
}

fn some() -> BTreeSet<ServiceName> {
    BTreeSet::from([ServiceName::new("s1x").unwrap()])
}

fn service() -> Svc {
    Svc {
        version: 0,
        env: 0,
        memory: None,
        needs: Vec::new(),
        port: None,
        data: false,
        files: None,
        inner: None,
        job: false,
        secret: false,
    }
}

fn at(project: &mut Project, number: usize) -> &mut Svc {
    project.0[number].as_mut().unwrap()
}

fn each(project: &mut Project, mut with: impl FnMut(&mut Svc)) {
    project.0.iter_mut().flatten().for_each(&mut with);
}

fn replace(service: &mut Svc) {
    service.env += 1;
}

/// One service that takes new files by a signal, one that is restarted for them.
fn two_with_files(version: u8) -> Act {
    let signalled = Svc { files: Some((version, false)), env: version / 2, ..service() };
    let restarted = Svc { files: Some((version, true)), needs: vec![0], ..service() };
    Act::converge(Project(vec![Some(signalled), Some(restarted)]).desired())
}

fn inner(owners: &[Option<u8>]) -> Act {
    let one = |owner: &Option<u8>| Some(Svc { inner: *owner, data: true, ..service() });
    Act::converge(Project(owners.iter().map(one).collect()).desired())
}

fn job(version: u8) -> Act {
    let database = Svc { data: true, ..service() };
    let job = Svc { job: true, version, needs: vec![0], ..service() };
    let after = Svc { env: version, needs: vec![1], ..service() };
    Act::converge(Project(vec![Some(database), Some(job), Some(after)]).desired())
}

fn mixed() -> (Vec<Act>, Act) {
    let files = |content| Svc { files: Some((content, false)), ..service() };
    let database =
        |owner, memory| Svc { inner: Some(owner), memory: Some(memory), data: true, ..service() };
    let api = |env, port| Svc { env, port: Some(port), needs: vec![0, 1], ..service() };
    let before = vec![
        Some(database(0, 1)),
        Some(files(0)),
        Some(api(0, 1)),
        Some(Svc { port: Some(2), ..service() }),
    ];
    let after = vec![
        Some(database(1, 2)),
        Some(files(1)),
        Some(api(1, 2)),
        None,
        Some(Svc { data: true, ..service() }),
    ];
    change(Act::converge(Project(before).desired()), Act::converge(Project(after).desired()))
}

/// The same, with the images built from something, which their tags tell.
fn built(version: u8) -> Act {
    let mut act = full(|all| each(all, |one| one.version = version));
    for resource in act.desired.resources.values_mut() {
        if let Resource::Image(image) = resource {
            let files = BTreeMap::from([("Dockerfile".to_owned(), format!("FROM base:{version}"))]);
            image.origin = ImageOrigin::Build(Build {
                context: BuildContext::Recipe(files),
                digest: Digest::of(image.reference.to_string().as_bytes()),
                args: BTreeMap::new(),
                effort: String::new(),
            });
        }
    }
    act
}

fn internal() -> Act {
    let mut act = full(|all| at(all, 1).env = 1);
    for resource in act.desired.resources.values_mut() {
        if let Resource::Network(network) = resource {
            network.internal = true;
        }
    }
    act
}

fn other_volume() -> Act {
    let mut act = full(|_| {});
    for resource in act.desired.resources.values_mut() {
        if let Resource::Volume(volume) = resource {
            volume.options.insert("type".into(), "tmpfs".into());
            volume.options.insert("device".into(), "tmpfs".into());
        }
    }
    act
}

fn ports(ports: [Option<u8>; 2]) -> Act {
    let one = |port| Some(Svc { port, ..service() });
    Act::converge(Project(ports.map(one).to_vec()).desired())
}
