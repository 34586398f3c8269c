//! How long containers were away in an apply that is over.

use std::collections::BTreeMap;

use nself::{
    controller::pass::{self, Brief, Goal},
    engine::sim::Sim,
    model::{Millis, ResourceId},
    plan::{Absence, Applied, Away, Failure, Op, Outcome, Plan, Policy, Span, absences},
};
use tokio_util::sync::CancellationToken;

use crate::{
    converge::{pass_over, run, sim},
    world::{Project, Svc, keyring},
};

fn project(version: u8, files: u8) -> Project {
    Project(vec![Some(Svc {
        version,
        env: 0,
        memory: None,
        needs: Vec::new(),
        port: None,
        data: false,
        files: Some((files, true)),
        inner: None,
        job: false,
        secret: false,
    })])
}

async fn plan(sim: &Sim, project: &Project) -> Plan {
    let (mut desired, keyring, policy) = (project.desired(), keyring(), Policy::default());
    let brief = Brief::new(&Goal::Converge, &keyring, &policy);
    pass::look(sim, &mut desired, &brief).await.unwrap().1
}

/// An apply whose steps ran one after another, a tenth of a second each, up to the first for which `fails`.
fn applied(plan: &Plan, fails: fn(&Op) -> bool) -> Applied {
    let mut applied = Applied::default();
    for (number, step) in plan.steps.iter().enumerate() {
        let begin = Millis(number as u64 * 100);
        applied.spans.insert(number, Span { begin, end: Millis(begin.0 + 100) });
        if fails(&step.op) {
            applied.outcomes.insert(number, Outcome::Failed(Failure::default()));
            return applied;
        }
        applied.outcomes.insert(number, Outcome::Done);
    }
    applied
}

fn place(plan: &Plan, is_meant: fn(&Op) -> bool) -> u64 {
    plan.steps.iter().position(|step| is_meant(&step.op)).unwrap() as u64
}

#[test]
fn a_container_is_away_from_its_stop_until_it_is_ready() {
    run(async {
        let sim = sim();
        pass_over(&sim, &project(1, 1).desired(), &Policy::default()).await.unwrap();
        let id = ResourceId::Container("shop-s0x".into());
        let ready = |op: &Op| matches!(op, Op::AwaitReady { .. });
        let never = |_: &Op| false;

        let replaced = plan(&sim, &project(2, 1)).await;
        assert_eq!(replaced.away, BTreeMap::from([(id.clone(), Away::Unknown)]));
        let stop = place(&replaced, |op| matches!(op, Op::Stop { .. }));
        let away = Millis((place(&replaced, ready) + 1 - stop) * 100);
        let whole = absences(&replaced, &applied(&replaced, never));
        assert_eq!(whole, BTreeMap::from([(id.clone(), Absence::Over(away))]));

        // Its successor did not get ready, and the old one is back or is not.
        let mut failed = applied(&replaced, ready);
        assert_eq!(absences(&replaced, &failed), BTreeMap::new());
        failed.returned.insert(id.clone(), None);
        let undone = BTreeMap::from([(id.clone(), Absence::Undone(away))]);
        assert_eq!(absences(&replaced, &failed), undone);
        failed.returned.insert(id.clone(), Some(Failure::default()));
        assert_eq!(absences(&replaced, &failed), BTreeMap::new());

        // A restart for the sake of files keeps the container of the same name away.
        let reloaded = plan(&sim, &project(1, 2)).await;
        let files = ResourceId::Files("shop-s0x".into());
        assert_eq!(reloaded.away, BTreeMap::from([(files, Away::Unknown)]));
        let restart = place(&reloaded, |op| matches!(op, Op::Restart(_)));
        let away = Millis((place(&reloaded, ready) + 1 - restart) * 100);
        let whole = absences(&reloaded, &applied(&reloaded, never));
        assert_eq!(whole, BTreeMap::from([(id, Absence::Over(away))]));
    });
}

#[test]
fn every_step_that_was_begun_has_its_times() {
    run(async {
        let sim = sim();
        let mut desired = project(1, 1).desired();
        let (keyring, policy) = (keyring(), Policy::default());
        let brief = Brief::new(&Goal::Converge, &keyring, &policy);
        let (_, plan) = pass::look(&sim, &mut desired, &brief).await.unwrap();
        let cancel = CancellationToken::new();
        let converged = pass::converge(&sim, &mut desired, plan, &brief, &|_, _| {}, &cancel);
        let (passes, _) = converged.await.unwrap();
        for (plan, Applied { spans, .. }) in &passes {
            assert_eq!(spans.len(), plan.steps.len());
            for (number, step) in plan.steps.iter().enumerate() {
                assert!(spans[&number].begin <= spans[&number].end);
                assert!(
                    step.after.iter().all(|earlier| spans[earlier].end <= spans[&number].begin)
                );
            }
        }
    });
}
