//! Properties of the whole pass over drawn projects, worlds and faults, on the simulated engine.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::{Desired, Field, Resource},
    engine::{
        Engine, Error, Observe,
        faulty::{Fault, Faulty},
        sim::{Sim, World},
    },
    model::{Keyring, ResourceId},
    observed::{Observed, Request, State},
    plan::{Applied, Op, Plan, Policy},
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::world::{Project, keyring, project};

/// Applies once and returns the plan that is left.
pub(crate) async fn pass_over<E: Engine>(
    engine: &E,
    desired: &Desired,
    policy: &Policy,
) -> Result<Plan, Error> {
    let keyring = keyring();
    let mut desired = desired.clone();
    let brief = Brief::new(&Goal::Converge, &keyring, policy);
    let (_, plan) = pass::look(engine, &mut desired, &brief).await?;
    let cancel = CancellationToken::new();
    let (_, rest) = pass::converge(engine, &mut desired, plan, &brief, &|_, _| {}, &cancel).await?;
    Ok(rest)
}

pub(crate) async fn plan_of<E: Observe>(engine: &E, desired: &Desired, policy: &Policy) -> Plan {
    let mut desired = desired.clone();
    let keyring = keyring();
    let brief = Brief::new(&Goal::Converge, &keyring, policy);
    pass::look(engine, &mut desired, &brief).await.unwrap().1
}

pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// What may be released of a project, all of it.
pub(crate) fn everything(desired: &Desired, world: &World) -> Policy {
    use nself::plan::{Release, Verb};
    let mut allow = BTreeSet::new();
    let volumes = world.volumes.keys().map(|name| ResourceId::Volume(name.clone()));
    let inner = world.records.values().filter_map(|text| nself::observed::Record::parse(text).ok());
    let inner = inner.flat_map(|record| record.resources);
    for id in volumes.chain(inner).chain(desired.resources.keys().cloned()) {
        for verb in [Verb::Remove, Verb::Replace, Verb::Adopt] {
            allow.insert(Release::Change { verb, id: id.clone() });
        }
    }
    Policy { allow }
}

/// What counts of a world in the end: not ids and times, but what runs where with what.
pub(crate) fn picture(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for container in world.containers.values() {
        let seen = &container.seen;
        let fields: Vec<String> = seen
            .fields
            .0
            .iter()
            .filter(|(path, _)| path.field != Field::State && path.field != Field::Name)
            .map(|(path, live)| match live {
                nself::observed::Live::Text(text) | nself::observed::Live::Verifier(text) => {
                    format!("{path}={}", text.expose())
                }
            })
            .collect();
        all.insert(
            format!("container {}", seen.name),
            format!(
                "{} {fields:?} {:?} {:?}",
                seen.state,
                world.inside(&seen.id),
                container.loaded
            ),
        );
    }
    for (network, _) in world.networks.values() {
        all.insert(format!("network {}", network.name), String::new());
    }
    for (name, volume) in &world.volumes {
        all.insert(format!("volume {name}"), format!("{:?}", volume.current));
    }
    all
}

/// Something that happens behind nself's back.
#[derive(Debug, Clone)]
enum Tamper {
    State(usize, u8),
    Field(usize, Field, Option<u8>),
    Remove(usize),
    Rename(usize),
    RemoveNetwork,
    SecondNetwork,
    Files(usize),
    DropInner(usize),
    ForgetRecord,
    Impostor(usize),
}

fn tamper() -> impl Strategy<Value = Tamper> {
    let number = 0..5usize;
    let fields = prop::sample::select(
        Field::ALL
            .iter()
            .copied()
            .filter(|field| {
                !matches!(
                    field,
                    // Not values of a container, or not values that can be set apart from others.
                    Field::Name
                        | Field::State
                        | Field::Image
                        | Field::Driver
                        | Field::DriverOption
                        | Field::Internal
                        | Field::Subnet
                        | Field::BuiltFrom
                        | Field::Content
                        | Field::FileMode
                        | Field::FileOwner
                        | Field::Loaded
                        | Field::Attribute
                        | Field::Network
                        | Field::Alias
                        | Field::Address
                        | Field::Port
                        | Field::Mount
                )
            })
            .collect::<Vec<_>>(),
    );
    prop_oneof![
        (number.clone(), 0..5u8).prop_map(|(n, s)| Tamper::State(n, s)),
        (number.clone(), fields, prop::option::of(0..3u8))
            .prop_map(|(n, f, v)| Tamper::Field(n, f, v)),
        number.clone().prop_map(Tamper::Remove),
        number.clone().prop_map(Tamper::Rename),
        Just(Tamper::RemoveNetwork),
        Just(Tamper::SecondNetwork),
        number.clone().prop_map(Tamper::Files),
        number.clone().prop_map(Tamper::DropInner),
        Just(Tamper::ForgetRecord),
        number.prop_map(Tamper::Impostor),
    ]
}

fn happen(world: &mut World, tamper: &Tamper) {
    let name = |number: &usize| format!("shop-s{number}x");
    match tamper {
        Tamper::State(number, state) => {
            let state = match state {
                0 => State::Paused,
                1 => State::Exited { code: 137, oom: false },
                2 => State::Exited { code: 1, oom: true },
                3 => State::Restarting { code: 1 },
                _ => State::Dead,
            };
            world.set_state(&name(number), state);
        }
        Tamper::Field(number, field, value) => {
            let key = if matches!(field, Field::Env) { "LEVEL" } else { "" };
            let value = value.map(|value| format!("tampered {value}"));
            world.tamper(&name(number), field.key(key), value.as_deref());
        }
        Tamper::Remove(number) => {
            // A job that is done need not be there any more, whatever became of its container since.
            let id = ResourceId::Container(name(number));
            let mut records =
                world.records.values().filter_map(|text| nself::observed::Record::parse(text).ok());
            let is_done = records.any(|record| record.jobs.contains_key(&id));
            if let Some(container) = world.find(&name(number))
                && !is_done
            {
                let id = container.seen.id.clone();
                world.containers.remove(&id);
            }
        }
        Tamper::Rename(number) => {
            if let Some(container) = world.find_mut(&name(number)) {
                container.seen.name = "elsewhere".into();
            }
        }
        Tamper::RemoveNetwork => {
            world.networks.clear();
            for container in world.containers.values_mut() {
                container.seen.fields.0.retain(|path, _| {
                    !matches!(path.field, Field::Network | Field::Alias | Field::Address)
                });
            }
        }
        Tamper::SecondNetwork => {
            if let Some((network, labels)) = world.networks.values().next().cloned() {
                let number = world.number();
                let mut copy = network;
                copy.id = format!("n{number:08}");
                copy.created = format!("{number:08}");
                world.networks.insert(copy.id.clone(), (copy, labels));
            }
        }
        Tamper::Files(number) => {
            if let Some(volume) = world.volumes.get_mut(&format!("{}-config", name(number))) {
                for stat in volume.sets.values_mut().flat_map(BTreeMap::values_mut) {
                    stat.untouched = false;
                    stat.size += 1;
                    stat.content = Some(nself::model::Sensitive::new("edited by hand"));
                }
            }
        }
        Tamper::DropInner(number) => {
            if let Some(inside) = world.inner.get_mut(&format!("{}-data", name(number))) {
                inside.clear();
            }
        }
        Tamper::ForgetRecord => world.records.clear(),
        Tamper::Impostor(number) => {
            if let Some(container) = world.find(&name(number)).cloned() {
                let made = world.number();
                let mut copy = container;
                copy.seen.id = format!("c{made:08}");
                copy.seen.created = format!("{made:08}");
                copy.seen.name = format!("impostor-{made}");
                copy.seen.state = State::Created;
                world.containers.insert(copy.seen.id.clone(), copy);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn after_an_apply_there_is_nothing_to_do(before in project(), after in project()) {
        run(async {
            let sim = sim();
            for project in [&before, &after] {
                let desired = project.desired();
                let policy = everything(&desired, &sim.world());
                pass_over(&sim, &desired, &policy).await.unwrap();
                let rest = plan_of(&sim, &desired, &policy).await;
                prop_assert!(rest.is_empty(), "{:#?}\n{:#?}", rest.changes, rest.held);
            }
            Ok(())
        })?;
    }

    #[test]
    fn whatever_somebody_moved_is_found_and_put_right(
        project in project(),
        tampers in prop::collection::vec(tamper(), 1..4),
    ) {
        run(async {
            let sim = sim();
            let desired = project.desired();
            pass_over(&sim, &desired, &Policy::default()).await.unwrap();
            let good = picture(&sim.world());
            for tamper in &tampers {
                happen(&mut sim.world(), tamper);
            }
            let moved = picture(&sim.world()) != good;
            let policy = everything(&desired, &sim.world());
            let plan = plan_of(&sim, &desired, &policy).await;
            prop_assert!(!moved || !plan.is_empty(), "not found: {tampers:?}");
            // A second network of one name may hide where a container was attached until it is gone.
            for _ in 0..2 {
                pass_over(&sim, &desired, &policy).await.unwrap();
            }
            let rest = plan_of(&sim, &desired, &policy).await;
            prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            prop_assert_eq!(picture(&sim.world()), good);
            Ok(())
        })?;
    }

    #[test]
    fn faults_only_cost_passes(
        before in project(),
        after in project(),
        faults in prop::collection::vec((0..40usize, any::<bool>(), any::<bool>()), 0..4),
    ) {
        run(async {
            let sim = sim();
            let undisturbed = self::sim();
            for project in [&before, &after] {
                let desired = project.desired();
                let policy = everything(&desired, &undisturbed.world());
                pass_over(&undisturbed, &desired, &policy).await.unwrap();
            }
            let mut desired = before.desired();
            pass_over(&sim, &desired, &Policy::default()).await.unwrap();
            desired = after.desired();
            let policy = everything(&desired, &sim.world());
            for (call, after_effect, for_good) in &faults {
                let fault = Fault { call: *call, after_effect: *after_effect, for_good: *for_good };
                let faulty = Faulty::new(&sim, vec![fault]);
                // A failure while remembering ends the pass, as a kill would.
                let _ = pass_over(&faulty, &desired, &policy).await;
            }
            for _ in 0..2 {
                pass_over(&sim, &desired, &policy).await.unwrap();
            }
            let rest = plan_of(&sim, &desired, &policy).await;
            prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            prop_assert_eq!(picture(&sim.world()), picture(&undisturbed.world()));
            Ok(())
        })?;
    }

    #[test]
    fn a_change_to_one_service_touches_no_other(project in project(), which in 0..5usize) {
        run(async {
            let mut project = project;
            let sim = sim();
            pass_over(&sim, &project.desired(), &Policy::default()).await.unwrap();
            let Some(Some(service)) = project.0.get_mut(which) else { return Ok(()) };
            service.env += 1;
            let name = format!("shop-s{which}x");
            let plan = plan_of(&sim, &project.desired(), &Policy::default()).await;
            prop_assert!(!plan.steps.is_empty());
            for step in &plan.steps {
                prop_assert_eq!(&step.group, &ResourceId::Container(name.clone()));
            }
            let fields: Vec<String> = plan
                .changes
                .changes
                .iter()
                .flat_map(|change| &change.fields)
                .map(|field| field.path.to_string())
                .collect();
            prop_assert_eq!(fields, ["env.LEVEL"]);
            Ok(())
        })?;
    }

    #[test]
    fn nothing_is_lost_and_nothing_foreign_touched_unless_named(
        before in project(),
        after in project(),
        tampers in prop::collection::vec(tamper(), 0..3),
    ) {
        run(async {
            let sim = sim();
            pass_over(&sim, &before.desired(), &Policy::default()).await.unwrap();
            let strangers = add_strangers(&sim);
            for tamper in &tampers {
                happen(&mut sim.world(), tamper);
            }
            let data = |world: &World| -> BTreeMap<String, u64> {
                world
                    .volumes
                    .iter()
                    .filter(|(_, volume)| !volume.seen.disposable)
                    .map(|(name, volume)| (name.clone(), volume.incarnation))
                    .collect()
            };
            let had = data(&sim.world());
            let _ = pass_over(&sim, &after.desired(), &Policy::default()).await.unwrap();
            let has = data(&sim.world());
            for (name, incarnation) in had {
                prop_assert_eq!(has.get(&name), Some(&incarnation));
            }
            let world = sim.world();
            for (id, state) in strangers {
                let container = world.containers.get(&id);
                prop_assert_eq!(container.map(|container| container.seen.state), Some(state));
            }
            Ok(())
        })?;
    }

    #[test]
    fn nothing_starts_before_what_it_needs_and_names_and_ports_never_collide(
        before in project(),
        after in project(),
    ) {
        run(async {
            let watched = Watched::new(sim());
            for project in [&before, &after] {
                let desired = project.desired();
                *watched.desired.lock().unwrap() = Some(desired.clone());
                let policy = everything(&desired, &watched.sim.world());
                pass_over(&watched, &desired, &policy).await.unwrap();
                let complaints = watched.complaints.lock().unwrap();
                prop_assert!(complaints.is_empty(), "{complaints:?}");
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_same_input_gives_the_same_plan(before in project(), after in project()) {
        run(async {
            let sim = sim();
            pass_over(&sim, &before.desired(), &Policy::default()).await.unwrap();
            let first = plan_of(&sim, &after.desired(), &Policy::default()).await;
            let second = plan_of(&sim, &after.desired(), &Policy::default()).await;
            prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
            for (number, step) in first.steps.iter().enumerate() {
                prop_assert!(step.after.iter().all(|earlier| *earlier < number));
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_replacement_that_never_gets_ready_brings_the_old_one_back(
        project in project(),
        which in 0..5usize,
    ) {
        run(async {
            let mut project = project;
            let sim = sim();
            pass_over(&sim, &project.desired(), &Policy::default()).await.unwrap();
            let good = picture(&sim.world());
            let Some(Some(service)) = project.0.get_mut(which) else { return Ok(()) };
            if service.job {
                return Ok(());
            }
            service.version += 1;
            let image = format!("img{which}:{}", service.version);
            sim.world().broken.insert(image);
            let rest = pass_over(&sim, &project.desired(), &Policy::default()).await.unwrap();
            prop_assert!(!rest.is_empty());
            prop_assert_eq!(picture(&sim.world()), good);
            Ok(())
        })?;
    }
}

pub(crate) fn sim() -> Sim {
    let sim = Sim::default();
    sim.unlock(&keyring());
    sim
}

/// Puts containers of others on the engine, one of them at a name that looks like ours.
fn add_strangers(sim: &Sim) -> Vec<(String, State)> {
    let mut world = sim.world();
    let Some(template) = world.containers.values().next().cloned() else { return Vec::new() };
    ["other-web", "shop-s9x"]
        .into_iter()
        .map(|name| {
            let made = world.number();
            let mut stranger = template.clone();
            stranger.seen.id = format!("c{made:08}");
            stranger.seen.name = name.into();
            stranger.seen.fields.0.retain(|path, _| path.field != Field::Port);
            stranger.labels.clear();
            let kept = (stranger.seen.id.clone(), stranger.seen.state);
            world.containers.insert(kept.0.clone(), stranger);
            kept
        })
        .collect()
}

/// An engine that complains when a container is started before what it needs, or when it is refused
/// something that a good plan would not have asked for.
struct Watched {
    sim: Sim,
    desired: Mutex<Option<Desired>>,
    complaints: Mutex<Vec<String>>,
}

impl Watched {
    fn new(sim: Sim) -> Self {
        Self { sim, desired: Mutex::default(), complaints: Mutex::default() }
    }

    fn complain(&self, text: String) {
        self.complaints.lock().unwrap().push(text);
    }
}

impl Observe for Watched {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.sim.observe(request).await
    }
}

impl Engine for Watched {
    fn unlock(&self, keyring: &Keyring) {
        self.sim.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        if let Op::Start(target) = op {
            let desired = self.desired.lock().unwrap().clone().unwrap();
            let world = self.sim.world();
            let name = target.name().trim_end_matches(".next").to_owned();
            let needs = desired.after.get(&ResourceId::Container(name.clone()));
            for need in needs.into_iter().flatten().map(|(id, _)| id) {
                let Some(Resource::Container(needed)) = desired.resources.get(need) else {
                    continue;
                };
                let ready = world.containers.values().any(|container| {
                    container.seen.name.trim_end_matches(".next") == needed.name
                        && matches!(
                            container.seen.state,
                            State::Running | State::Exited { code: 0, .. }
                        )
                });
                if !ready {
                    self.complain(format!("{name} starts before {}", needed.name));
                }
            }
        }
        let result = self.sim.execute(op).await;
        if let Err(error) = &result {
            self.complain(format!("{op:?}: {error:?}"));
        }
        result
    }
}

#[test]
fn every_outcome_of_an_undisturbed_apply_is_done() {
    run(async {
        let sim = sim();
        let desired = Project(vec![None]).desired();
        let rest = pass_over(&sim, &desired, &Policy::default()).await.unwrap();
        assert!(rest.is_empty());
        let none = Applied::default();
        assert_eq!(none.counts(), (0, 0, 0));
    });
}
