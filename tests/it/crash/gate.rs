//! An engine that does nothing until it is told to: what is on its way waits at the gate.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    task::Poll,
};

use nself::{
    engine::{
        Engine, Error, Observe,
        sim::{Sim, World},
    },
    model::Keyring,
    observed::{Observed, Request},
    plan::Op,
};
use tokio::sync::oneshot;

use super::Act;
use crate::converge::everything;

/// Which of the calls on their way is answered first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// The one that was made first.
    Oldest,
    /// The one that was made last.
    Youngest,
}

pub(super) struct Gate {
    sim: Sim,
    waiting: Mutex<BTreeMap<usize, Call>>,
}

struct Call {
    op: Op,
    answer: oneshot::Sender<Result<(), Error>>,
}

impl Gate {
    pub(super) fn new(sim: Sim) -> Self {
        Self { sim, waiting: Mutex::default() }
    }

    /// Plays an act until so many calls were answered, or to its end. What is on its way then stays
    /// there.
    pub(super) async fn play(&self, act: &Act, first: First, rounds: usize) {
        let mut left = rounds;
        self.each_round(act, first, || {
            left = left.saturating_sub(1);
            left > 0
        })
        .await;
    }

    /// Lets those of the calls on their way take effect whose bits are set.
    pub(super) fn finish_some(&self, which: u32) {
        for (place, call) in self.waiting().values().enumerate() {
            if which >> (place % 32) & 1 == 1 {
                let _ = execute(&self.sim, &call.op);
            }
        }
    }

    pub(super) fn into_world(self) -> World {
        self.sim.world().clone()
    }

    /// Plays an act, one answer at a time, and asks `goes_on` before each.
    async fn each_round(&self, act: &Act, first: First, mut goes_on: impl FnMut() -> bool) {
        self.sim.world().broken = act.broken.iter().cloned().collect();
        let policy = everything(&act.desired, &self.sim.world());
        let mut pass = Box::pin(act.perform(self, &policy));
        loop {
            if let Poll::Ready(done) = futures_util::poll!(pass.as_mut()) {
                done.unwrap();
                return;
            }
            if !goes_on() {
                return;
            }
            let next = match first {
                First::Oldest => self.waiting().pop_first(),
                First::Youngest => self.waiting().pop_last(),
            };
            let Some((_, Call { op, answer })) = next else { continue };
            let _ = answer.send(execute(&self.sim, &op));
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<usize, Call>> {
        self.waiting.lock().unwrap()
    }
}

/// Returns every moment at which an act can be cut off, and the world as it then is.
pub(super) async fn moments(world: &World, act: &Act, first: First) -> Vec<(String, World)> {
    let gate = Gate::new(super::on(world.clone()));
    let mut all = Vec::new();
    let mut round = 0;
    gate.each_round(act, first, || {
        let ops: Vec<Op> = gate.waiting().values().map(|call| call.op.clone()).collect();
        assert!(ops.len() < 9, "too many at once to try them all: {}", ops.len());
        for which in 0..1_u32 << ops.len() {
            let fork = super::on(gate.sim.world().clone());
            let mut took_effect = Vec::new();
            for (place, op) in ops.iter().enumerate() {
                if which >> place & 1 == 1 {
                    let _ = execute(&fork, op);
                    took_effect.push(short(op));
                }
            }
            let on_their_way: Vec<String> = ops.iter().map(short).collect();
            let name = format!("round {round}, {took_effect:?} of {on_their_way:?}");
            let cut = fork.world().clone();
            all.push((name, cut));
        }
        round += 1;
        true
    })
    .await;
    all
}

/// The simulated engine never waits.
fn execute(sim: &Sim, op: &Op) -> Result<(), Error> {
    use futures_util::FutureExt as _;
    sim.execute(op).now_or_never().expect("a simulated engine answers at once")
}

fn short(op: &Op) -> String {
    match op {
        Op::CreateContainer { name, .. } => format!("create {name}"),
        Op::WriteRecord { record, .. } => format!("remember, complete: {}", record.complete),
        other => format!("{other:?}").chars().take(90).collect(),
    }
}

impl Observe for Gate {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.sim.observe(request).await
    }
}

impl Engine for Gate {
    fn unlock(&self, keyring: &Keyring) {
        self.sim.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.waiting();
            let number = waiting.last_key_value().map_or(0, |(number, _)| number + 1);
            waiting.insert(number, Call { op: op.clone(), answer });
        }
        answered.await.expect("the gate outlives the act")
    }
}
