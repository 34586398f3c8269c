//! Applying part of a project: nothing else is touched, nothing is forgotten, and all parts together are the
//! whole.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    controller::pass::{self, Brief, Goal},
    desired::{Desired, Resource},
    engine::sim::Sim,
    model::{ResourceId, ServiceName},
    plan::{Applied, Plan, Policy},
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::{
    converge::{everything, pass_over, picture, plan_of, run, sim},
    world::{Project, keyring, project},
};

/// Applies what `targets` want, and returns the plans with what came of them, and what is left.
async fn apply(
    sim: &Sim,
    desired: &Desired,
    policy: &Policy,
    targets: &BTreeSet<ServiceName>,
) -> (Vec<(Plan, Applied)>, Plan) {
    let (mut desired, keyring) = (desired.clone(), keyring());
    let brief = Brief { targets, ..Brief::new(&Goal::Converge, &keyring, policy) };
    let (_, plan) = pass::look(sim, &mut desired, &brief).await.unwrap();
    let cancel = CancellationToken::new();
    pass::converge(sim, &mut desired, plan, &brief, &|_, _| {}, &cancel).await.unwrap()
}

fn service(number: usize) -> ServiceName {
    ServiceName::new(&format!("s{number}x")).unwrap()
}

/// Returns the project without ports: whoever has one that is wanted has to let go of it.
fn without_ports(mut project: Project) -> Project {
    for service in project.0.iter_mut().flatten() {
        service.port = None;
    }
    project
}

/// Returns the numbers of the services that `first` needs, itself among them.
fn needed(project: &Project, first: usize) -> BTreeSet<usize> {
    let mut all = BTreeSet::new();
    let mut open = vec![first];
    while let Some(number) = open.pop() {
        let Some(Some(service)) = project.0.get(number) else { continue };
        if all.insert(number) {
            open.extend(service.needs.iter().copied().filter(|need| *need < number));
        }
    }
    all.insert(first);
    all
}

/// What a plan says of the services whose numbers are not in `but`, who moved it included.
fn said_of_others(plan: &Plan, but: &BTreeSet<usize>) -> BTreeMap<ResourceId, String> {
    let is_other = |id: &ResourceId| {
        let name = id.to_string();
        !but.iter().any(|number| {
            name.contains(&format!("s{number}x")) || name.contains(&format!("img{number}:"))
        })
    };
    let changes = plan.changes.changes.iter().filter(|change| is_other(&change.id));
    changes
        .map(|change| {
            let fields: Vec<_> = change
                .fields
                .iter()
                .map(|field| format!("{} {:?} {:?}", field.path, field.before, field.mover))
                .collect();
            let gist =
                format!("{:?} {} {:?} {fields:?}", change.action, change.reason, change.mover);
            (change.id.clone(), gist)
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn all_parts_one_after_another_are_the_whole(before in project(), after in project()) {
        run(async {
            let (whole, parts) = (sim(), sim());
            let desired = after.desired();
            for sim in [&whole, &parts] {
                pass_over(sim, &before.desired(), &Policy::default()).await.unwrap();
            }
            let policy = everything(&desired, &whole.world());
            pass_over(&whole, &desired, &policy).await.unwrap();
            // Those that are gone from the file are asked for by the names they had.
            for number in 0..before.0.len().max(after.0.len()) {
                let targets = BTreeSet::from([service(number)]);
                let (_, rest) = apply(&parts, &desired, &policy, &targets).await;
                prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            }
            let rest = plan_of(&parts, &desired, &policy).await;
            prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            prop_assert_eq!(picture(&parts.world()), picture(&whole.world()));
            Ok(())
        })?;
    }

    #[test]
    fn what_is_only_reported_is_left_as_it_is(
        before in project(),
        after in project(),
        which in 0..5usize,
    ) {
        run(async {
            let (before, after) = (without_ports(before), without_ports(after));
            let sim = sim();
            pass_over(&sim, &before.desired(), &Policy::default()).await.unwrap();
            let (mut desired, keyring) = (after.desired(), keyring());
            let policy = everything(&desired, &sim.world());
            let spared = BTreeSet::from([service(which)]);
            let is_spared = |name: &String| name.contains(&format!("s{which}x"));
            let its = |sim: &Sim| {
                let mut all = picture(&sim.world());
                all.retain(|name, _| is_spared(name));
                all
            };
            let was = its(&sim);
            let due = plan_of(&sim, &desired, &policy).await;
            let brief =
                Brief { spared: &spared, ..Brief::new(&Goal::Converge, &keyring, &policy) };
            let (_, plan) = pass::look(&sim, &mut desired, &brief).await.unwrap();
            // Each difference is either put right or reported.
            let said = plan.changes.changes.len() + plan.changes.left_out.len();
            prop_assert_eq!(said, due.changes.changes.len());
            let cancel = CancellationToken::new();
            let (_, rest) =
                pass::converge(&sim, &mut desired, plan, &brief, &|_, _| {}, &cancel).await.unwrap();
            prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            prop_assert_eq!(its(&sim), was);
            // Nothing is forgotten: the whole is the same as without that detour.
            pass_over(&sim, &desired, &policy).await.unwrap();
            let rest = plan_of(&sim, &desired, &policy).await;
            prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            Ok(())
        })?;
    }

    #[test]
    fn nothing_else_is_touched_or_forgotten(
        before in project(),
        after in project(),
        which in 0..5usize,
    ) {
        run(async {
            let (before, after) = (without_ports(before), without_ports(after));
            let sim = sim();
            pass_over(&sim, &before.desired(), &Policy::default()).await.unwrap();
            let desired = after.desired();
            let policy = everything(&desired, &sim.world());
            let inside = needed(&after, which);
            let is_other = |name: &String| !inside.iter().any(|n| name.contains(&format!("s{n}x")));
            let others = |sim: &Sim| {
                let mut all = picture(&sim.world());
                all.retain(|name, _| is_other(name));
                all
            };
            let (was, said) =
                (others(&sim), said_of_others(&plan_of(&sim, &desired, &policy).await, &inside));
            let (passes, rest) =
                apply(&sim, &desired, &policy, &BTreeSet::from([service(which)])).await;
            prop_assert!(rest.is_empty(), "{:#?}", rest.changes);
            prop_assert_eq!(others(&sim), was);
            for step in passes.iter().flat_map(|(plan, _)| &plan.steps) {
                let container = match desired.resources.get(&step.group) {
                    Some(Resource::Container(container)) => container.service.to_string(),
                    _ => continue,
                };
                prop_assert!(!is_other(&container), "{}", step.group);
            }
            let now = said_of_others(&plan_of(&sim, &desired, &policy).await, &inside);
            prop_assert_eq!(now, said);
            Ok(())
        })?;
    }
}
