//! What engines refuse, and what they take that one would not think: one table that is played on a real
//! engine and on a simulated one, so that the second is as strict as the first and no stricter.
//!
//! A refusal is of the kind that a person is told of, and changes nothing that can be seen.

pub mod behind;
mod table;

use futures_util::{StreamExt as _, stream};
use nself::{
    catalog::{InnerDriver, InnerSpec},
    desired::{
        Attachment, Build, BuildContext, Container, InnerResource, Mount, MountSource, Network,
    },
    engine::{Error, Refusal},
    model::{Digest, Inner, InnerKind, ServiceName},
    observed::Observed,
    plan::{Op, Target},
};

use super::{Tested, docker_engine, look, make, named, run, sim_engine, with_prefix};
use behind::{Deed, Open};

/// Something an engine is asked for, and what comes of it.
struct Case {
    name: &'static str,
    /// What it is refused as; `None` where it is done.
    answer: Option<Refusal>,
    scene: fn(Stage) -> Scene,
}

const fn refused(name: &'static str, kind: Refusal, scene: fn(Stage) -> Scene) -> Case {
    Case { name, answer: Some(kind), scene }
}

const fn done(name: &'static str, scene: fn(Stage) -> Scene) -> Case {
    Case { name, answer: None, scene }
}

/// Scenes under way at once.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sim() {
    let sim = sim_engine().await;
    {
        let mut world = sim.world();
        world.absent =
            [NOWHERE, NOBODY, NO_ADDRESS, NO_PLUGIN, NO_REGISTRY].map(str::to_owned).into();
        world.processors = Some(2);
    }
    all_hold(&sim).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_docker() {
    all_hold(&docker_engine().await).await;
}

/// Plays every case, and tells all that came out otherwise at once.
async fn all_hold<E: Tested + Open>(engine: &E) {
    // Collected, since a closure that borrows cannot be held across the waiting.
    let played: Vec<_> = table::CASES.iter().map(|case| alone(engine.clone(), case)).collect();
    let played = stream::iter(played).buffer_unordered(AT_ONCE);
    let wrong: Vec<String> = played.filter_map(std::future::ready).collect().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays a case under names of its own.
async fn alone<E: Tested + Open>(engine: E, case: &'static Case) -> Option<String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    with_prefix(engine.clone(), |engine, prefix| async move {
        let wrong = play(&engine, &prefix, case).await;
        let _ = tell.send((wrong, prefix));
    })
    .await;
    let (wrong, prefix) = told.await.unwrap();
    // These have no labels to be found by.
    run(&engine, Op::RemoveVolume { name: format!("{prefix}-volume") }).await;
    run(&engine, Op::RemoveImage { image: format!("{prefix}/made:1") }).await;
    wrong.map(|what| format!("{}: {what}", case.name))
}

/// Returns what came out otherwise.
async fn play<E: Tested + Open>(engine: &E, prefix: &str, case: &Case) -> Option<String> {
    let Scene { before, op } = (case.scene)(Stage::new(prefix));
    let mut kept = Vec::new();
    for act in before {
        match act {
            Act::Ours(op) => run(engine, *op).await,
            Act::Theirs(deed) => kept.extend(engine.behind_the_back(deed).await),
        }
    }
    let then = state(look(engine, prefix).await);
    match (engine.execute(&op).await, case.answer) {
        (Ok(()), None) => return None,
        (Err(Error::Refused { kind, .. }), Some(wanted)) if kind == wanted => {}
        (came, wanted) => return Some(format!("{came:?}, and not {wanted:?}")),
    }
    let now = state(look(engine, prefix).await);
    (then != now).then(|| format!("refused, and changed\n{then}\nto\n{now}"))
}

/// Returns what must be as it was after a refusal.
fn state(seen: Observed) -> String {
    let Observed { containers, networks, volumes, images, record, .. } = seen;
    format!("{containers:#?}\n{networks:#?}\n{volumes:#?}\n{images:#?}\n{record:#?}")
}

/// A path that neither a machine nor an image has.
const NOWHERE: &str = "/nowhere";
/// A user, and a group, that no image has.
const NOBODY: &str = "nowhere";
/// An address that no machine has.
const NO_ADDRESS: &str = "192.0.2.77";
/// A driver of volumes, or of logs, that no engine has.
const NO_PLUGIN: &str = "nonsense";
/// Where no registry is.
const NO_REGISTRY: &str = "127.0.0.1:1";

struct Scene {
    before: Vec<Act>,
    op: Op,
}

enum Act {
    Ours(Box<Op>),
    Theirs(Deed),
}

/// What is done before something is asked, under names of one test.
struct Stage {
    prefix: String,
    /// The subnet of the network `fixed`, and a free address there.
    subnet: (String, String),
    port: u16,
    before: Vec<Act>,
}

impl Stage {
    fn new(prefix: &str) -> Self {
        let (subnet, port) = (make::subnet(), crate::port::free());
        Self { prefix: prefix.to_owned(), subnet, port, before: Vec::new() }
    }

    fn name(&self, last: &str) -> String {
        format!("{}-{last}", self.prefix)
    }

    /// The container `a`, which most is about.
    fn a(&self) -> Target {
        named(&self.name("a"))
    }

    fn ours(mut self, op: Op) -> Self {
        self.before.push(Act::Ours(Box::new(op)));
        self
    }

    fn theirs(mut self, deed: Deed) -> Self {
        self.before.push(Act::Theirs(deed));
        self
    }

    fn asks(self, op: Op) -> Scene {
        Scene { before: self.before, op }
    }

    fn container(&self, last: &str, change: impl FnOnce(&mut Container)) -> Op {
        let mut container = make::sleeper(&self.name(last));
        change(&mut container);
        make::creation(&self.prefix, &container)
    }

    fn has(self, last: &str, change: impl FnOnce(&mut Container)) -> Self {
        let made = self.container(last, change);
        self.ours(made)
    }

    fn runs(self, last: &str, change: impl FnOnce(&mut Container)) -> Self {
        let start = Op::Start(named(&self.name(last)));
        self.has(last, change).ours(start)
    }

    /// The container `a` runs, and is frozen.
    fn frozen(self) -> Self {
        let pause = Deed::Pause(self.name("a"));
        self.runs("a", |_| {}).theirs(pause)
    }

    fn net(self) -> Self {
        let made = make::network_creation(&self.prefix, &make::network(&self.name("net")));
        self.ours(made)
    }

    fn second_net(self) -> Self {
        let second = Deed::SecondNetwork(self.name("net"));
        self.net().theirs(second)
    }

    /// The network `fixed`, which has a subnet of its own.
    fn fixed(self) -> Self {
        let made = self.network("fixed", |network, subnet| network.subnet = Some(subnet));
        self.ours(made)
    }

    fn network(&self, last: &str, change: impl FnOnce(&mut Network, String)) -> Op {
        let mut network = make::network(&self.name(last));
        change(&mut network, self.subnet.0.clone());
        make::network_creation(&self.prefix, &network)
    }

    /// Asks for the container `a`.
    fn making(self, change: impl FnOnce(&mut Container)) -> Scene {
        let op = self.container("a", change);
        self.asks(op)
    }

    /// Makes the container `a`, and asks for its start.
    fn starting(self, change: impl FnOnce(&mut Container)) -> Scene {
        let start = Op::Start(self.a());
        self.has("a", change).asks(start)
    }

    /// Starts the container `a` at an address of the network `fixed`.
    fn starting_at(self, address: &str) -> Scene {
        let (network, place) = (self.name("fixed"), at(address));
        self.fixed().starting(|c| _ = c.networks.insert(network, place))
    }
}

fn mount(container: &mut Container, path: &str, source: MountSource) {
    container.mounts.insert(path.to_owned(), Mount { source, read_only: false });
}

fn at(address: &str) -> Attachment {
    Attachment { ipv4: Some(address.to_owned()), ..make::attached(&[]) }
}

fn build(image: &str) -> Op {
    let recipe = format!("FROM {}\nLABEL x={image}\n", super::IMAGE);
    let build = Build {
        context: BuildContext::Recipe([("Dockerfile".to_owned(), recipe)].into()),
        digest: Digest::of(image.as_bytes()),
        args: std::collections::BTreeMap::new(),
        effort: String::new(),
    };
    Op::Build { image: image.parse().unwrap(), build }
}

fn inner(stage: &Stage) -> InnerResource {
    let id = Inner {
        service: ServiceName::new("service").unwrap(),
        kind: InnerKind::Database,
        database: None,
        name: "app".into(),
    };
    let spec =
        InnerSpec { kind: id.kind, database: None, name: id.name.clone(), attributes: [].into() };
    let driver = InnerDriver::Postgres { role: "postgres".into(), database: "postgres".into() };
    InnerResource { id, container: stage.name("a"), driver, spec }
}
