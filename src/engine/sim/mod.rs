//! An engine in memory, with the refusals of a real one. For tests, and for trying out what a plan does.
//!
//! The contract suite holds it to what the real engine does.

mod containers;
mod execute;
mod networks;
mod values;
mod world;

pub use world::{SimContainer, SimVolume, World};

use std::sync::{Arc, Mutex, MutexGuard};

use super::{Attempt, Engine, Error, Held, Holder, Lock, Observe};
use crate::{
    model::Keyring,
    observed::{Observed, Request},
    plan::Op,
};

/// A simulated engine. Cheap to make; what it holds is in [`World`]. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Sim {
    world: Arc<Mutex<World>>,
    keyring: Arc<Mutex<Keyring>>,
}

impl Sim {
    /// Returns an engine with nothing on it.
    pub fn new(keyring: Keyring) -> Self {
        Self { world: Arc::default(), keyring: Arc::new(Mutex::new(keyring)) }
    }

    /// Hands the world out, to look at it or to change it behind nself's back.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn keyring(&self) -> Keyring {
        self.keyring.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl Observe for Sim {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        Ok(self.world().observe(request))
    }
}

impl Engine for Sim {
    fn unlock(&self, keyring: &Keyring) {
        *self.keyring.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = keyring.clone();
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        let keyring = self.keyring();
        execute::execute(&mut self.world(), op, &keyring)
    }
}

impl Lock for Sim {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        let mut world = self.world();
        if let Some((_, there)) = world.locks.get(prefix)
            && !there.is_dead(holder)
        {
            return Ok(Attempt::Busy(Box::new(there.clone())));
        }
        let id = format!("l{:08}", world.number());
        world.locks.insert(prefix.to_owned(), (id.clone(), holder.clone()));
        Ok(Attempt::Held(Held { id }))
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        self.world().locks.retain(|_, (id, _)| *id != held.id);
        Ok(())
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        Ok(self.world().locks.get(prefix).map(|(_, holder)| holder.clone()))
    }
    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        let mut world = self.world();
        let is_theirs = world.locks.get(prefix).is_some_and(|(_, there)| there == holder);
        if is_theirs {
            world.locks.remove(prefix);
        }
        Ok(is_theirs)
    }

    async fn given_back(&self, _: &str) {
        std::future::pending::<()>().await;
    }
}
