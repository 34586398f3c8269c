//! Makes any engine fail on a schedule, before or after the effect took place.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::stream::BoxStream;

use super::{
    Attempt, Cause, Engine, Error, Happening, Held, Holder, Listen, Lock, Observe, Refusal,
};
use crate::{
    model::Keyring,
    observed::{Observed, Request},
    plan::Op,
};

/// An engine whose calls fail as told.
#[derive(Debug)]
pub struct Faulty<E> {
    engine: E,
    faults: Mutex<Vec<Fault>>,
    calls: AtomicUsize,
}

/// One planned failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The call that fails, counting `execute` calls from 0.
    pub call: usize,
    /// Whether the effect takes place all the same.
    pub after_effect: bool,
    /// Whether every later call fails too, as if nself had been killed.
    pub for_good: bool,
}

impl<E> Faulty<E> {
    /// Wraps `engine`.
    pub fn new(engine: E, faults: Vec<Fault>) -> Self {
        Self { engine, faults: Mutex::new(faults), calls: AtomicUsize::new(0) }
    }

    /// Returns how many calls were made.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn fault(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults
            .iter()
            .copied()
            .find(|fault| fault.call == call || (fault.for_good && call > fault.call))
    }
}

impl<E: Observe> Observe for Faulty<E> {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.engine.observe(request).await
    }
}

impl<E: Engine> Engine for Faulty<E> {
    fn unlock(&self, keyring: &Keyring) {
        self.engine.unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        let call = self.calls();
        let Some(fault) = self.fault() else { return self.engine.execute(op).await };
        if fault.after_effect && call == fault.call {
            // Whatever became of it, the caller hears of a failure.
            let _ = self.engine.execute(op).await;
        }
        Err(Error::Refused {
            what: "do as told".to_owned(),
            cause: Cause(format!("planned failure of call {call}")),
            kind: Refusal::Other,
        })
    }
}

impl<E: Lock> Lock for Faulty<E> {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        self.engine.acquire(prefix, holder).await
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        self.engine.release(held).await
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        self.engine.holder(prefix).await
    }

    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        self.engine.take_away(prefix, holder).await
    }

    async fn given_back(&self, prefix: &str) {
        self.engine.given_back(prefix).await;
    }
}

impl<E: Listen> Listen for Faulty<E> {
    fn listen(&self, prefix: &str) -> BoxStream<'static, Result<Happening, Error>> {
        self.engine.listen(prefix)
    }
}
