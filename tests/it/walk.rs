//! Walking a plan: what begins when, what a failure keeps from beginning, and what a person's Ctrl-C does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use nself::{
    apply,
    controller::pass::{self, Brief, Goal},
    desired::Probe,
    engine::{Cause, Engine, Error, Observe, Refusal, sim::Sim},
    model::{Keyring, Millis, ResourceId},
    observed::{Observed, Request},
    plan::{Applied, Event, Op, Outcome, Plan, Policy, Step, Target},
};
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use crate::{
    converge::{everything, pass_over, run},
    world::{Project, keyring, project},
};

/// An engine on which some calls fail, and every call takes a turn.
struct Stubborn {
    fails: BTreeSet<String>,
    running: Mutex<(usize, usize)>,
}

impl Observe for Stubborn {
    async fn observe(&self, _: &Request) -> Result<Observed, Error> {
        Ok(Observed::default())
    }
}

impl Engine for Stubborn {
    fn unlock(&self, _: &Keyring) {}

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        let Op::Start(container) = op else { panic!("{op:?}") };
        {
            let mut running = self.running.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        tokio::task::yield_now().await;
        self.running.lock().unwrap().0 -= 1;
        if !self.fails.contains(container.name()) {
            return Ok(());
        }
        let (what, kind) = ("do as told".to_owned(), Refusal::Other);
        Err(Error::Refused { what, cause: Cause("told not to".into()), kind })
    }
}

async fn plan_with(steps: Vec<Step>) -> Plan {
    let sim = Sim::new(keyring());
    let mut desired = Project(Vec::new()).desired();
    let (keyring, policy) = (keyring(), Policy::default());
    let brief = Brief::new(&Goal::Converge, &keyring, &policy);
    let (_, plan) = pass::look(&sim, &mut desired, &brief).await.unwrap();
    Plan { steps, ..plan }
}

fn step(number: usize, op: Op, after: impl IntoIterator<Item = usize>) -> Step {
    Step {
        group: ResourceId::Container(number.to_string()),
        op,
        why: String::new(),
        after: after.into_iter().collect(),
        on_failure: Vec::new(),
    }
}

fn start(number: usize) -> Op {
    Op::Start(Target::Name(number.to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_step_begins_when_all_before_it_are_done_and_only_then(
        edges in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..60),
        fails in prop::collection::btree_set(0..60usize, 0..4),
    ) {
        run(async {
            let steps = edges.iter().enumerate().map(|(number, edges)| {
                let after = edges.iter().filter(|_| number > 0).map(|edge| edge.index(number));
                step(number, start(number), after)
            });
            let plan = plan_with(steps.collect()).await;
            let fails_by_name = fails.iter().map(ToString::to_string).collect();
            let engine = Stubborn { fails: fails_by_name, running: Mutex::default() };
            let told = Mutex::new(Vec::new());
            let tell = |event| told.lock().unwrap().push(event);
            let cancel = CancellationToken::new();
            let applied = apply::apply(&engine, &plan, &keyring(), &tell, &cancel).await;

            let mut done = BTreeSet::new();
            for event in told.lock().unwrap().iter() {
                match event {
                    Event::Started { step } => {
                        prop_assert!(plan.steps[*step].after.is_subset(&done), "{step} was early");
                    }
                    Event::Finished { step, .. } => {
                        done.insert(*step);
                    }
                    _ => {}
                }
            }
            for (number, one) in plan.steps.iter().enumerate() {
                let may_begin = one.after.is_subset(&done);
                match &applied.outcomes[&number] {
                    Outcome::Done => prop_assert!(may_begin && !fails.contains(&number)),
                    Outcome::Failed(_) => prop_assert!(may_begin && fails.contains(&number)),
                    Outcome::Skipped(because) => {
                        let failed = because.is_some_and(|because| fails.contains(&because));
                        prop_assert!(!may_begin && failed, "{number}: {because:?}");
                    }
                }
            }
            prop_assert!(engine.running.lock().unwrap().1 <= 16);
            Ok(())
        })?;
    }

    #[test]
    fn an_apply_that_was_stopped_while_waiting_is_gone_on_with(
        before in project(),
        after in project(),
        calls in 0..40usize,
    ) {
        run(async {
            let quiet = |_: &Plan, _: Event| {};
            let never = CancellationToken::new();
            let sim = Sim::new(keyring());
            pass_over(&sim, &before.desired(), &Policy::default()).await.unwrap();
            let (keyring, policy) = (keyring(), everything(&after.desired(), &sim.world()));
            let brief =
                Brief::new(&Goal::Converge, &keyring, &policy);

            // Everything that is waited for takes for ever.
            let slow = Slow { sim: sim.clone(), left: Mutex::new(calls), stop: CancellationToken::new() };
            let mut desired = after.desired();
            let (_, plan) = pass::look(&slow, &mut desired, &brief).await.unwrap();
            let stopped =
                pass::converge(&slow, &mut desired, plan, &brief, &quiet, &slow.stop).await.unwrap();
            for applied in stopped.0.iter().map(|(_, applied)| applied) {
                let failed = applied.counts().1;
                prop_assert_eq!((failed, applied.returned.len()), (0, 0), "{:?}", applied);
            }

            let mut desired = after.desired();
            let (_, plan) = pass::look(&sim, &mut desired, &brief).await.unwrap();
            let (passes, rest) =
                pass::converge(&sim, &mut desired, plan, &brief, &quiet, &never).await.unwrap();
            for (plan, applied) in &passes {
                prop_assert_eq!(applied.counts().1, 0, "{:?}\n{:?}", plan.steps, applied);
            }
            prop_assert!(rest.steps.is_empty(), "{:?}", rest.steps);
            Ok(())
        })?;
    }
}

/// An engine on which nothing becomes ready, and whose user loses patience: after so many calls, or when
/// there is nothing but waiting.
struct Slow {
    sim: Sim,
    left: Mutex<usize>,
    stop: CancellationToken,
}

impl Observe for Slow {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.sim.observe(request).await
    }
}

impl Engine for Slow {
    fn unlock(&self, keyring: &Keyring) {
        self.sim.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        if matches!(op, Op::AwaitReady { .. }) {
            // Whatever else goes on does so first.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            self.stop.cancel();
            std::future::pending::<()>().await;
        }
        let is_last = {
            let mut left = self.left.lock().unwrap();
            *left = left.saturating_sub(1);
            *left == 0
        };
        if is_last {
            self.stop.cancel();
        }
        self.sim.execute(op).await
    }
}

#[test]
fn only_waiting_is_given_up() {
    run(async {
        let wait = |name: &str| Op::AwaitReady {
            container: Target::Name(name.into()),
            probe: Probe::Image,
            within: Millis(1000),
        };
        let mut waits = step(0, wait("a"), []);
        waits.on_failure = vec![Op::RemoveContainer(Target::Name("a".into()))];
        let steps = vec![waits, step(1, start(1), [0]), step(2, start(2), [])];
        let plan = plan_with(steps).await;
        let cancel = CancellationToken::new();
        let engine = Slow { sim: Sim::new(keyring()), left: Mutex::new(0), stop: cancel.clone() };
        let told = Mutex::new(BTreeMap::new());
        let tell = |event| {
            if let Event::Skipped { step, because } = event {
                told.lock().unwrap().insert(step, because);
            }
        };
        let applied = apply::apply(&engine, &plan, &keyring(), &tell, &cancel).await;
        let Applied { outcomes, returned, interrupted, spans: _ } = applied;
        assert!(interrupted && returned.is_empty());
        assert_eq!(outcomes[&0], Outcome::Skipped(None));
        assert_eq!(outcomes[&1], Outcome::Skipped(None));
        // It ran, and came to its own end.
        assert!(matches!(outcomes[&2], Outcome::Failed(_)), "{outcomes:?}");
        assert_eq!(*told.lock().unwrap(), BTreeMap::from([(0, None), (1, None)]));
    });
}
