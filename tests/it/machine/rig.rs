//! An engine between nself and the engine: it counts calls, lets others go first, and breaks off.

use std::{
    future::pending,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use nself::{
    engine::{Attempt, Cause, Engine, Error, Held, Holder, Lock, Observe},
    model::Keyring,
    observed::{Observed, Request},
    plan::Op,
};
use tokio_util::sync::CancellationToken;

use super::story::Fate;

pub(super) struct Rig<'a, E> {
    engine: &'a E,
    fate: Fate,
    /// Before which calls others go first, a bit for each.
    turns: u64,
    calls: AtomicUsize,
    on_their_way: AtomicUsize,
    broken_off: AtomicBool,
    /// Fires when nobody is left to hear of anything, and nothing is on its way.
    pub(super) over: CancellationToken,
}

impl<'a, E> Rig<'a, E> {
    pub(super) fn new(engine: &'a E, fate: Fate, turns: u64) -> Self {
        Self {
            engine,
            fate,
            turns,
            calls: AtomicUsize::new(0),
            on_their_way: AtomicUsize::new(0),
            broken_off: AtomicBool::new(false),
            over: CancellationToken::new(),
        }
    }

    /// Returns whether it broke off.
    pub(super) fn broke_off(&self) -> bool {
        self.broken_off.load(SeqCst)
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let number = self.calls.fetch_add(1, SeqCst);
        if self.turns >> (number % 64) & 1 == 1 {
            tokio::task::yield_now().await;
        }
        let (at, takes_effect) = match self.fate {
            Fate::Lives => return call.await,
            Fate::Dies { call, done } | Fate::LosesEngine { call, done } => (call, done),
        };
        if number >= at {
            self.broken_off.store(true, SeqCst);
        }
        if number < at || (number == at && takes_effect) {
            self.on_their_way.fetch_add(1, SeqCst);
            let came_of_it = call.await;
            self.on_their_way.fetch_sub(1, SeqCst);
            // Of those that were on their way when it broke off, nobody hears.
            if !self.broke_off() {
                return came_of_it;
            }
        }
        if matches!(self.fate, Fate::LosesEngine { .. }) {
            let (address, cause) = ("the rig".to_owned(), Cause("the engine is gone".to_owned()));
            return Err(Error::Unreachable { address, cause });
        }
        if self.on_their_way.load(SeqCst) == 0 {
            self.over.cancel();
        }
        pending().await
    }

    /// Returns who is at work: one that does not come to its end is dead by the time somebody looks.
    fn holder(&self, holder: &Holder) -> Holder {
        let ends = u64::from(self.fate != Fate::Lives);
        Holder { started: holder.started + ends, ..holder.clone() }
    }
}

impl<E: Observe> Observe for Rig<'_, E> {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.call(self.engine.observe(request)).await
    }
}

impl<E: Engine> Engine for Rig<'_, E> {
    fn unlock(&self, keyring: &Keyring) {
        self.engine.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        self.call(self.engine.execute(op)).await
    }
}

impl<E: Lock> Lock for Rig<'_, E> {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        self.call(self.engine.acquire(prefix, &self.holder(holder))).await
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        self.call(self.engine.release(held)).await
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        self.call(self.engine.holder(prefix)).await
    }

    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        self.call(self.engine.take_away(prefix, holder)).await
    }

    async fn given_back(&self, prefix: &str) {
        self.engine.given_back(prefix).await;
    }
}
