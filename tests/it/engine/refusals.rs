//! What engines refuse, and what they take that one would not think: one table for all of them, so that a
//! simulated engine is as strict as a real one and no stricter.
//!
//! A refusal tells the kind that a person is told of, and changes nothing that can be seen.

pub mod behind;
mod changing;
mod making;
mod networks;
mod starting;
mod stores;
mod taken;

use futures_util::{StreamExt as _, stream};
use nself::{
    catalog::{InnerDriver, InnerSpec},
    desired::{
        Attachment, Build, BuildContext, Check, Container, File, Files, HostBinding, InnerResource,
        Limits, Mount, MountSource, Network, PortKey, Reload, Restart, Volume,
    },
    engine::{Error, Refusal},
    model::{Digest, Inner, InnerKind, ServiceName, Text},
    observed::Observed,
    plan::{Op, Target},
};

use super::{Tested, look, make, named, run, with_prefix};
use behind::Deed;

/// Something an engine is asked for, and what comes of it.
pub struct Case {
    pub name: &'static str,
    /// What it is refused as; `None` where it is taken.
    pub answer: Option<Refusal>,
    /// Returns what is done before, and what is asked, under names that begin with the text given.
    pub scene: fn(&str) -> Scene,
    /// Where Podman answers otherwise.
    pub podman: Podman,
}

/// What Podman makes of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Podman {
    /// The same.
    Same,
    /// It answers otherwise.
    Says(Option<Refusal>),
    /// It cannot be brought there.
    NotThere,
}

pub struct Scene {
    before: Vec<Act>,
    op: Op,
}

pub enum Act {
    Ours(Op),
    Theirs(Deed),
}

impl From<Op> for Act {
    fn from(op: Op) -> Self {
        Self::Ours(op)
    }
}

/// Scenes under way at once.
const AT_ONCE: usize = 3;

pub async fn of_making<E: Tested>(engine: &E, _: &str) {
    all_hold(engine, making::CASES).await;
}

pub async fn of_starting<E: Tested>(engine: &E, _: &str) {
    all_hold(engine, starting::CASES).await;
}

pub async fn of_changing<E: Tested>(engine: &E, _: &str) {
    all_hold(engine, changing::CASES).await;
}

pub async fn of_networks<E: Tested>(engine: &E, _: &str) {
    all_hold(engine, networks::CASES).await;
}

pub async fn of_stores<E: Tested>(engine: &E, _: &str) {
    all_hold(engine, stores::CASES).await;
}

pub async fn none_of_what_is_taken<E: Tested>(engine: &E, _: &str) {
    all_hold(engine, taken::CASES).await;
}

/// Plays every case, and tells all that came out otherwise at once.
async fn all_hold<E: Tested>(engine: &E, cases: &'static [Case]) {
    // Collected, since a closure that borrows cannot be held across the waiting.
    let played: Vec<_> = cases.iter().map(|case| alone(engine.clone(), case)).collect();
    let played = stream::iter(played).buffer_unordered(AT_ONCE);
    let wrong: Vec<String> = played.filter_map(std::future::ready).collect().await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Plays a case under names of its own.
async fn alone<E: Tested>(engine: E, case: &'static Case) -> Option<String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    with_prefix(engine, |engine, prefix| async move {
        let _ = tell.send(play(&engine, &prefix, case).await);
    })
    .await;
    told.await.unwrap().map(|what| format!("{}: {what}", case.name))
}

/// Returns what came out otherwise.
async fn play<E: Tested>(engine: &E, prefix: &str, case: &Case) -> Option<String> {
    let is_podman = look(engine, prefix).await.engine.name.starts_with("podman");
    let answer = match case.podman {
        Podman::NotThere if is_podman => return None,
        Podman::Says(answer) if is_podman => answer,
        Podman::Same | Podman::Says(_) | Podman::NotThere => case.answer,
    };
    let Scene { before, op } = (case.scene)(prefix);
    let mut kept = Vec::new();
    for act in before {
        match act {
            Act::Ours(op) => run(engine, op).await,
            Act::Theirs(deed) => kept.extend(engine.behind_the_back(deed).await),
        }
    }
    let then = state(look(engine, prefix).await);
    let came = engine.execute(&op).await;
    if std::env::var("EXPLORE").is_ok() {
        match &came {
            Err(Error::Refused { kind, cause, what }) => {
                eprintln!("EXP {} | {kind:?} | {what} | {cause}", case.name)
            }
            other => eprintln!("EXP {} | {other:?}", case.name),
        }
    }
    match (came, answer) {
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

/// The container `a`, after it was changed.
fn a(prefix: &str, change: impl FnOnce(&mut Container)) -> Container {
    let mut container = make::sleeper(&format!("{prefix}-a"));
    change(&mut container);
    container
}

fn target(prefix: &str) -> Target {
    named(&format!("{prefix}-a"))
}

fn scene<const N: usize>(before: [Act; N], op: Op) -> Scene {
    Scene { before: before.into(), op }
}

/// Asks for the container `a`.
fn making(prefix: &str, change: impl FnOnce(&mut Container)) -> Scene {
    scene([], make::creation(prefix, &a(prefix, change)))
}

/// Makes the container `a` and asks for its start.
fn starting(prefix: &str, change: impl FnOnce(&mut Container)) -> Scene {
    let made = make::creation(prefix, &a(prefix, change));
    scene([made.into()], Op::Start(target(prefix)))
}

/// Asks something of the container `a`, which runs.
fn running(prefix: &str, op: Op) -> Scene {
    let made = make::creation(prefix, &a(prefix, |_| {}));
    scene([made.into(), Op::Start(target(prefix)).into()], op)
}

/// Asks something of the container `a`, which was made and never started.
fn made(prefix: &str, op: Op) -> Scene {
    scene([make::creation(prefix, &a(prefix, |_| {})).into()], op)
}

/// Asks something of the container `a`, which is frozen.
fn paused(prefix: &str, op: Op) -> Scene {
    let mut scene = running(prefix, op);
    scene.before.push(Act::Theirs(Deed::Pause(format!("{prefix}-a"))));
    scene
}

/// A path that no machine has, nor any image; likewise the name of a program.
pub const NOWHERE: &str = "/nowhere";

fn up(prefix: &str, container: &Container) -> [Act; 2] {
    [make::creation(prefix, container).into(), Op::Start(named(&container.name)).into()]
}

fn mount(container: &mut Container, path: &str, source: MountSource) {
    container.mounts.insert(path.to_owned(), Mount { source, read_only: false });
}

fn publish(
    container: &mut Container,
    inside: u16,
    protocol: &'static str,
    address: &str,
    port: u16,
) {
    let binding = HostBinding { address: address.to_owned(), port };
    container.ports.entry(PortKey { port: inside, protocol }).or_default().insert(binding);
    // One on no network publishes nothing.
    container.networks.insert("bridge".to_owned(), make::attached(&[]));
}

fn at(address: &str) -> Attachment {
    Attachment { ipv4: Some(address.to_owned()), ..make::attached(&[]) }
}

fn network(prefix: &str) -> (String, Op) {
    let network = make::network(&format!("{prefix}-net"));
    let op = make::network_creation(prefix, &network);
    (network.name, op)
}

fn network2(prefix: &str) -> (String, Op) {
    let network = make::network(&format!("{prefix}-net2"));
    let op = make::network_creation(prefix, &network);
    (network.name, op)
}

fn subnet(prefix: &str) -> (String, String, Op) {
    let (subnet, address) = make::subnet();
    let name = format!("{prefix}-fixed");
    let network = Network { subnet: Some(subnet), ..make::network(&name) };
    (name, address, make::network_creation(prefix, &network))
}

fn with_subnet(prefix: &str, subnet: &str) -> Op {
    let network =
        Network { subnet: Some(subnet.to_owned()), ..make::network(&format!("{prefix}-net")) };
    make::network_creation(prefix, &network)
}

fn with_option(prefix: &str, key: &str, value: &str) -> Op {
    let mut network = make::network(&format!("{prefix}-net"));
    network.options.insert(key.to_owned(), value.to_owned());
    make::network_creation(prefix, &network)
}

fn connect(prefix: &str, network: &str, attachment: Attachment) -> Op {
    Op::Connect { container: target(prefix), network: network.to_owned(), attachment }
}

fn joining(prefix: &str, net: &str, attachment: Attachment, runs: bool) -> Scene {
    let (own, op) = network(prefix);
    let container = a(prefix, |c| c.networks = [(own, make::attached(&[]))].into());
    let mut scene = scene(
        [op.into(), make::creation(prefix, &container).into()],
        connect(prefix, net, attachment),
    );
    if runs {
        scene.before.push(Op::Start(target(prefix)).into());
    }
    scene
}

fn signal(prefix: &str, signal: &str) -> Op {
    Op::Signal { container: target(prefix), signal: signal.to_owned() }
}

fn limits(prefix: &str, limits: Limits) -> Op {
    Op::Update { container: target(prefix), limits, restart: Restart::No }
}

fn check(prefix: &str, program: &str) -> Op {
    Op::CheckFiles {
        container: target(prefix),
        check: Check(vec![program.to_owned()]),
        dir: "/".into(),
    }
}

fn tmpfs(volume: Volume) -> Volume {
    let options = [("type", "tmpfs"), ("device", "tmpfs")];
    Volume { options: options.map(|(k, v)| (k.to_owned(), v.to_owned())).into(), ..volume }
}

fn image(prefix: &str) -> String {
    format!("{prefix}/made:1")
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

fn files(prefix: &str) -> Files {
    Files {
        volume: format!("{prefix}-files"),
        container: format!("{prefix}-a"),
        mount: "/etc/nself".into(),
        files: [("a".to_owned(), File { content: Text::plain("x"), mode: 0o644 })].into(),
        owner: (0, 0),
        check: None,
        reload: Reload::Restart,
    }
}

fn inner(prefix: &str) -> InnerResource {
    let id = Inner {
        service: ServiceName::new("service").unwrap(),
        kind: InnerKind::Database,
        database: None,
        name: "app".into(),
    };
    let spec =
        InnerSpec { kind: id.kind, database: None, name: id.name.clone(), attributes: [].into() };
    let driver = InnerDriver::Postgres { role: "postgres".into(), database: "postgres".into() };
    InnerResource { id, container: format!("{prefix}-a"), driver, spec }
}
