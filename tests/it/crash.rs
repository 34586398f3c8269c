//! Death at every moment of an apply, on the simulated engine: one ordinary apply afterwards comes to
//! what an undisturbed one comes to.
//!
//! A moment is which calls were made, and which of those that were on their way took effect before
//! nobody was left to hear of it. All of them are tried, for each shape of plan.

mod gate;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::Desired,
    engine::{
        Engine, Error,
        sim::{Sim, World},
    },
    model::ServiceName,
    observed::{Applied, Live, Record, label},
    plan::{Plan, Policy},
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::{
    converge::{everything, run},
    world::{keyring, project},
};

use gate::{First, Gate, moments};
use shape::SHAPES;

/// Something that a person has nself do.
#[derive(Debug, Clone)]
struct Act {
    desired: Desired,
    goal: Goal,
    /// Images that never become ready while it is done.
    broken: Vec<String>,
}

impl Act {
    fn converge(desired: Desired) -> Self {
        Self { desired, goal: Goal::Converge, broken: Vec::new() }
    }

    /// Does it, everything released, and returns what is left to do.
    async fn perform<E: Engine>(&self, engine: &E, policy: &Policy) -> Result<Plan, Error> {
        let (keyring, mut desired) = (keyring(), self.desired.clone());
        let brief = Brief { contents: true, ..Brief::new(&self.goal, &keyring, policy) };
        let (_, plan) = pass::look(engine, &mut desired, &brief).await?;
        let cancel = CancellationToken::new();
        let quiet = |_: &Plan, _| {};
        let done = pass::converge(engine, &mut desired, plan, &brief, &quiet, &cancel).await?;
        Ok(done.1)
    }

    /// Does it on a world without disturbance, and returns what is left to do.
    async fn done(&self, world: World) -> (World, Plan) {
        let sim = on(world);
        sim.world().broken = self.broken.iter().cloned().collect();
        let policy = everything(&self.desired, &sim.world());
        let rest = self.perform(&sim, &policy).await.unwrap();
        let world = sim.world().clone();
        (world, rest)
    }
}

/// Returns an engine that holds a world.
fn on(world: World) -> Sim {
    let sim = Sim::new(keyring());
    *sim.world() = world;
    sim
}

/// Returns all that counts of a world: what is there by name, what it is like, what its labels mean, what
/// is remembered. Ids, times and the count of applies differ from one way to the other.
fn whole(world: &World) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut put = |what: &str, name: &str, how: String| {
        // Two of one name are two things.
        let key = (0..9)
            .map(|number| format!("{what} {name} {number}"))
            .find(|key| !all.contains_key(key))
            .unwrap();
        all.insert(key, how);
    };
    let text = |live: &Live| match live {
        Live::Text(text) | Live::Verifier(text) => text.expose().to_owned(),
    };
    let meaning = |labels: &BTreeMap<String, String>| {
        let mut labels = labels.clone();
        let applied = labels.remove(label::APPLIED).map(|text| Applied::parse(&text).unwrap());
        format!("{labels:?} {applied:?}")
    };
    for container in world.containers.values() {
        let seen = &container.seen;
        let fields = seen.fields.0.iter().map(|(path, live)| format!("{path}={}", text(live)));
        let how = format!(
            "{} {:?} {} {:?} {:?} {:?}",
            seen.state,
            fields.collect::<Vec<_>>(),
            meaning(&container.labels),
            container.loaded,
            seen.anonymous,
            world.inside(&seen.id),
        );
        put("container", &seen.name, how);
    }
    for (network, labels) in world.networks.values() {
        put("network", &network.name, format!("{:?} {}", network.fields, meaning(labels)));
    }
    for (name, volume) in &world.volumes {
        let current = volume.current.as_ref();
        let set = current.and_then(|digest| volume.sets.get(digest));
        let files = set.into_iter().flatten().map(|(path, stat)| {
            let content = stat.content.as_ref().map(|content| content.expose().to_owned());
            format!("{path} {:o} {:?} {content:?}", stat.mode, stat.owner)
        });
        let how = format!(
            "{:?} {} {current:?} {:?}",
            volume.seen.fields,
            meaning(&volume.labels),
            files.collect::<Vec<_>>()
        );
        put("volume", name, how);
    }
    for (reference, image) in &world.images {
        put("image", reference, format!("{image:?}"));
    }
    for (key, text) in &world.records {
        let record = Record { generation: 0, at: 0, ..Record::parse(text).unwrap() };
        put("record", &key.0, record.to_text());
    }
    for (prefix, holder) in &world.locks {
        put("lock", prefix, format!("{holder:?}"));
    }
    all
}

/// Returns the volumes whose data was kept from one world to the other.
fn kept(before: &World, after: &World) -> Vec<String> {
    let same = |name: &&String| {
        after.volumes.get(*name).map(|volume| volume.incarnation)
            == before.volumes.get(*name).map(|volume| volume.incarnation)
    };
    before.volumes.keys().filter(same).cloned().collect()
}

/// Returns how two pictures differ, a line for each thing, from where it differs.
pub(crate) fn difference(
    is: &BTreeMap<String, String>,
    should: &BTreeMap<String, String>,
) -> Vec<String> {
    let keys = is.keys().chain(should.keys().filter(|key| !is.contains_key(*key)));
    let differ = keys.filter(|key| is.get(*key) != should.get(*key));
    let line = |key: &String| {
        let [is, should] = [is, should].map(|all| all.get(key).map_or("absent", String::as_str));
        let same = is.chars().zip(should.chars()).take_while(|(a, b)| a == b).count();
        let from = |text: &str| -> String {
            text.chars().skip(same.saturating_sub(40)).take(200).collect()
        };
        format!("{key}: is …{}… instead of …{}…", from(is), from(should))
    };
    differ.map(line).collect()
}

/// Takes an act up again in a world in which it was cut off, and returns what is wrong with the end.
async fn taken_up(act: &Act, before: &World, cut: World, good: &(World, Plan)) -> Vec<String> {
    let (end, rest) = act.done(cut).await;
    let mut wrong = difference(&whole(&end), &whole(&good.0));
    if good.1.is_empty() && !rest.is_empty() {
        wrong.push(format!("left to do: {:?}", rest.changes.changes));
    }
    if kept(before, &end) != kept(before, &good.0) {
        wrong.push(format!("data was lost: only {:?} was kept", kept(before, &end)));
    }
    wrong
}

fn suspended(world: &World) -> BTreeSet<ServiceName> {
    let records = world.records.values().filter_map(|text| Record::parse(text).ok());
    records.flat_map(|record| record.suspended).collect()
}

#[test]
fn whenever_it_dies_the_next_apply_ends_as_if_it_had_not() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for shape in SHAPES {
        let (before, act) = (shape.acts)();
        run(async {
            let mut world = World::default();
            for act in &before {
                world = act.done(world).await.0;
            }
            let good = act.done(world.clone()).await;
            assert!(
                good.1.is_empty() || !act.broken.is_empty(),
                "{}: {:?}",
                shape.name,
                good.1.changes
            );
            // What a person stopped or started is what an apply finds, once it is remembered.
            let ordinary = Act { goal: Goal::Converge, ..act.clone() };
            let is_about_state = matches!(act.goal, Goal::Suspend(_) | Goal::Resume(_));
            let not_begun = ordinary.done(world.clone()).await;
            for first in [First::Oldest, First::Youngest] {
                for (moment, cut) in moments(&world, &act, first).await {
                    tried += 1;
                    let mut faults = taken_up(&act, &world, cut.clone(), &good).await;
                    if is_about_state {
                        let begun = suspended(&cut) == suspended(&good.0);
                        let end = if begun { &good } else { &not_begun };
                        faults.extend(taken_up(&ordinary, &world, cut, end).await);
                    }
                    if !faults.is_empty() {
                        wrong.push(format!("{}, {moment}:\n  {}", shape.name, faults.join("\n  ")));
                    }
                }
            }
        });
    }
    assert!(tried > 1000, "only {tried} moments");
    let first: Vec<&String> = wrong.iter().take(5).collect();
    assert!(wrong.is_empty(), "{} of {tried}: {first:#?}", wrong.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn dying_twice_in_a_row_costs_no_more(
        before in project(),
        after in project(),
        deaths in prop::collection::vec((0..60usize, any::<u32>(), any::<bool>()), 1..3),
    ) {
        run(async {
            let (world, _) = Act::converge(before.desired()).done(World::default()).await;
            let act = Act::converge(after.desired());
            let good = act.done(world.clone()).await;
            let mut cut = world.clone();
            for (round, took_effect, oldest) in deaths {
                let gate = Gate::new(on(cut));
                let first = if oldest { First::Oldest } else { First::Youngest };
                gate.play(&act, first, round).await;
                gate.finish_some(took_effect);
                cut = gate.into_world();
            }
            let wrong = taken_up(&act, &world, cut, &good).await;
            prop_assert!(wrong.is_empty(), "{}", wrong.join("\n"));
            Ok(())
        })?;
    }
}
