//! The machine on an engine in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use nself::{
    controller::{self, Goal, Options, Place, Project},
    desired::{Field, Path},
    engine::{
        Attempt, Cause, Engine, Error, Held, Holder, Lock, Observe,
        sim::{Sim, SimContainer, World},
    },
    model::{ImageRef, Keyring, ServiceName},
    observed::{
        Live, LiveFields, Observed, Record, Request, SeenContainer, SeenImage, State, label,
    },
    plan::Op,
};
use tokio_util::sync::CancellationToken;

use super::{
    file::{File, Name, Naming, Tag},
    ground::{Doing, Ground, Kept, Look, Pictures, Seen, Whose, project},
    hand::happen,
    story::Act,
};
use crate::converge::picture;

pub(super) struct OnSim {
    sim: Sim,
    naming: Naming,
    down: bool,
    /// What each incarnation of a volume holds.
    words: BTreeMap<u64, String>,
    runtime: tokio::runtime::Runtime,
}

/// The simulated engine, at an address at which nobody may answer.
pub(super) struct Answering {
    sim: Sim,
    down: bool,
}

impl Ground for OnSim {
    type Engine = Answering;

    fn new() -> Self {
        let naming = Naming { project: "shop".into(), ports: [8000, 8001] };
        let sim = Sim::new(Keyring::default());
        prepare(&mut sim.world(), &naming);
        // Those who wait for the lock wait no longer than it takes.
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        Self { sim, naming, down: false, words: BTreeMap::new(), runtime: runtime.unwrap() }
    }

    fn naming(&self) -> &Naming {
        &self.naming
    }

    fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn read(&self, file: &File) -> Project {
        // Where no history can be written; an apply says so and goes on.
        let folder = PathBuf::from("/proc/nowhere");
        let (variables, environment) = (BTreeMap::new(), None);
        let file_path = folder.join("nself.toml");
        let place = Place { file: file_path, environment, variables, authority: folder };
        project(&file.text(&self.naming), place)
    }

    fn connect(&self, _: &Project) -> Result<Answering, Error> {
        Ok(Answering { sim: self.sim.clone(), down: self.down })
    }

    fn set_down(&mut self, down: bool) {
        self.down = down;
    }

    fn act(&mut self, act: &Act) {
        let mut world = self.sim.world();
        if let Act::Write(name, word) = act {
            let running = world.find(&self.naming.container(*name));
            let running = running.filter(|one| one.seen.state == State::Running);
            let volume = running.and_then(|one| data(&one.seen.fields));
            let volume = volume.and_then(|volume| world.volumes.get(&volume));
            if let Some(volume) = volume {
                self.words.insert(volume.incarnation, word.to_string());
            }
            return;
        }
        happen(&mut world, &self.naming, act);
    }

    fn look(&self) -> Look {
        let world = self.sim.world();
        let record = world.records.values().next().and_then(|text| Record::parse(text).ok());
        let whose = |labels: &BTreeMap<String, String>| {
            let ours = labels.get(label::PROJECT) == Some(&self.naming.project);
            if ours { Whose::Ours } else { Whose::Theirs }
        };
        let adopted = adopted(&world);
        let containers = world.containers.values();
        Look {
            containers: containers.map(|one| seen(one, whose(&one.labels), &record)).collect(),
            networks: world
                .networks
                .values()
                .map(|(network, labels)| {
                    let whose =
                        if adopted.contains(&network.id) { Whose::Ours } else { whose(labels) };
                    (network.name.clone(), network.id.clone(), whose)
                })
                .collect(),
            volumes: world
                .volumes
                .iter()
                .map(|(name, volume)| {
                    let word = self.words.get(&volume.incarnation).cloned();
                    let id = volume.incarnation.to_string();
                    let is_adopted = adopted.contains(name);
                    let whose = if is_adopted { Whose::Ours } else { whose(&volume.labels) };
                    (name.clone(), Kept { whose, id, word })
                })
                .collect(),
            is_locked: !world.locks.is_empty(),
            record,
        }
    }

    fn everything(&self) -> BTreeMap<String, String> {
        let world = self.sim.world();
        let mut all = BTreeMap::new();
        for (id, container) in &world.containers {
            let values = container.seen.fields.0.keys();
            let values = values.map(|path| (path.to_string(), text(&container.seen.fields, path)));
            let values: BTreeMap<_, _> = values.collect();
            // Values do not show by themselves: they may be secrets.
            all.insert(format!("container {id}"), format!("{container:?} {values:?}"));
        }
        for (id, network) in &world.networks {
            all.insert(format!("network {id}"), format!("{network:?}"));
        }
        for (name, volume) in &world.volumes {
            all.insert(format!("volume {name}"), format!("{volume:?}"));
        }
        all.insert("images".into(), format!("{:?}", world.images));
        all.insert("records".into(), format!("{:?}", world.records));
        all.insert("locks".into(), format!("{:?}", world.locks));
        all
    }

    fn fresh(&self, file: &File, suspended: &BTreeSet<Name>) -> Option<Pictures> {
        let other = Self::new();
        {
            let (here, mut there) = (self.sim.world(), other.sim.world());
            there.images.clone_from(&here.images);
            there.image_defaults.clone_from(&here.image_defaults);
        }
        let services: BTreeSet<ServiceName> =
            suspended.iter().map(|name| ServiceName::new(name.text()).unwrap()).collect();
        let mut goals = vec![Goal::Converge];
        goals.extend((!services.is_empty()).then_some(Goal::Suspend(services)));
        for goal in goals {
            let mut project = other.read(file);
            let engine = other.connect(&project).unwrap();
            let options = Options { goal, ..Options::default() };
            let never = CancellationToken::new();
            let quiet = |_: &_, _| {};
            let yes = async |_: &_| true;
            let done = controller::apply(&engine, &mut project, &options, yes, &quiet, &never);
            let report = other.run(done).unwrap().unwrap();
            assert!(report.rest.is_empty(), "not even on an empty engine: {:?}", report.rest);
        }
        Some(other.everything_named())
    }

    fn everything_named(&self) -> Pictures {
        let mut world = self.sim.world().clone();
        for container in world.containers.values_mut() {
            // Of two tags of one image, it does not matter by which one it was made.
            let content = container.seen.image_id.clone();
            container.seen.fields.insert(Field::Image.path(), content);
        }
        let mut all = picture(&world);
        let look = self.look();
        for seen in look.containers.iter().filter(|seen| seen.whose == Whose::Theirs) {
            if seen.resource.is_none() {
                all.remove(&format!("container {}", seen.name));
            }
        }
        all.retain(|name, _| !name.contains("mart"));
        all
    }
}

/// Puts the images there, each with a content of its own.
fn prepare(world: &mut World, naming: &Naming) {
    for (number, tag) in [Tag::One, Tag::Two, Tag::Bad].into_iter().enumerate() {
        let reference = reference(naming, tag);
        let id = content(number);
        world.image_defaults.entry(id.clone()).or_default();
        world.images.insert(reference.clone(), SeenImage { id, built_from: None, size: 1 });
        if tag == Tag::Bad {
            world.broken.insert(reference);
        }
    }
}

pub(super) fn reference(naming: &Naming, tag: Tag) -> String {
    naming.image(tag).parse::<ImageRef>().unwrap().to_string()
}

pub(super) fn content(number: usize) -> String {
    format!("sha256:{number:064}")
}

fn text(fields: &LiveFields, path: &Path) -> Option<String> {
    match fields.get(path)? {
        Live::Text(text) | Live::Verifier(text) => Some(text.expose().to_owned()),
    }
}

pub(super) fn data(fields: &LiveFields) -> Option<String> {
    let mount = text(fields, &Field::Mount.key("/data"))?;
    Some(mount.strip_prefix("volume:")?.rsplit_once(':')?.0.to_owned())
}

fn seen(container: &SimContainer, whose: Whose, record: &Option<Record>) -> Seen {
    let SeenContainer { id, name, image_id, fields, state, started, .. } = &container.seen;
    let adopted = record.iter().flat_map(|record| &record.adopted);
    let adopted = adopted.filter(|(_, adopted)| *adopted == id).map(|(id, _)| id.clone()).next();
    let claimed = container.labels.get(label::RESOURCE).and_then(|text| text.parse().ok());
    let claimed = claimed.filter(|_| whose == Whose::Ours);
    let networks = fields.0.keys().filter(|path| path.field == Field::Network);
    let aliases = |network: &str| {
        let list = text(fields, &Field::Alias.key(network));
        list.map(|list| serde_json::from_str(&list).unwrap()).unwrap_or_default()
    };
    Seen {
        id: id.clone(),
        name: name.clone(),
        whose: if adopted.is_some() { Whose::Ours } else { whose },
        resource: adopted.or(claimed),
        doing: match state {
            State::Running => Doing::Runs,
            State::Paused => Doing::Paused,
            State::Exited { code, .. } => Doing::Ended(*code),
            State::Created | State::Restarting { .. } | State::Dead => Doing::Other,
        },
        started: started.clone(),
        image: image_id.clone(),
        level: text(fields, &Field::Env.key("LEVEL")),
        memory: text(fields, &Field::Memory.path()).and_then(|text| text.parse().ok()),
        restart: text(fields, &Field::Restart.path()).unwrap_or_default(),
        networks: networks.map(|path| (path.key.clone(), aliases(&path.key))).collect(),
        data: data(fields),
    }
}

impl Answering {
    fn answers(&self) -> Result<&Sim, Error> {
        let (address, cause) = ("sim:".to_owned(), Cause("connection refused".to_owned()));
        if self.down { Err(Error::Unreachable { address, cause }) } else { Ok(&self.sim) }
    }
}

impl Observe for Answering {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.answers()?.observe(request).await
    }
}

impl Engine for Answering {
    fn unlock(&self, keyring: &Keyring) {
        self.sim.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        self.answers()?.execute(op).await
    }
}

impl Lock for Answering {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        self.answers()?.acquire(prefix, holder).await
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        self.answers()?.release(held).await
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        self.answers()?.holder(prefix).await
    }

    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        self.answers()?.take_away(prefix, holder).await
    }

    async fn given_back(&self, prefix: &str) {
        self.sim.given_back(prefix).await;
    }
}

/// Returns the ids, or for volumes the names, of what was adopted.
pub(super) fn adopted(world: &World) -> BTreeSet<String> {
    let records = world.records.values().filter_map(|text| Record::parse(text).ok());
    records.flat_map(|record| record.adopted.into_values()).collect()
}

/// Returns the addresses and ports that a container has when it runs.
pub(super) fn ports(container: &SimContainer) -> BTreeSet<String> {
    let all = container.seen.fields.0.iter().filter(|(path, _)| path.field == Field::Port);
    all.filter_map(|(path, _)| text(&container.seen.fields, path))
        .flat_map(|list| serde_json::from_str::<Vec<String>>(&list).unwrap())
        .collect()
}
