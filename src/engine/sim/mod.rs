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

use futures_util::{StreamExt as _, stream, stream::BoxStream};
use tokio::sync::mpsc;

use super::{Attempt, Engine, Error, Happening, Held, Holder, Listen, Lock, Observe};
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
    listeners: Arc<Mutex<Vec<Listener>>>,
}

/// Somebody who listens: what the names begin with, and where it is told.
type Listener = (String, mpsc::UnboundedSender<Result<Happening, Error>>);

impl Sim {
    /// Returns an engine with nothing on it.
    pub fn new(keyring: Keyring) -> Self {
        Self { keyring: Arc::new(Mutex::new(keyring)), ..Self::default() }
    }

    /// Hands the world out, to look at it or to change it behind nself's back.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells whoever listens that something happened, as a real engine does when its world is changed.
    pub fn tell(&self, name: &str, what: &str) {
        let happening = || Happening { name: name.to_owned(), what: what.to_owned() };
        let is_told = |(prefix, listener): &mut Listener| {
            !name.starts_with(prefix.as_str()) || listener.send(Ok(happening())).is_ok()
        };
        self.listeners
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .retain_mut(is_told);
    }

    /// Breaks the line to whoever listens, as an engine does that goes away.
    pub fn hang_up(&self) {
        self.listeners.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
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
        execute::execute(&mut self.world(), op, &keyring)?;
        if let Some((name, what)) = audible(op) {
            self.tell(name, what);
        }
        Ok(())
    }
}

impl Listen for Sim {
    fn listen(&self, prefix: &str) -> BoxStream<'static, Result<Happening, Error>> {
        let (tell, told) = mpsc::unbounded_channel();
        let mut all = self.listeners.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.push((prefix.to_owned(), tell));
        let next = async |mut told: mpsc::UnboundedReceiver<_>| Some((told.recv().await?, told));
        stream::unfold(told, next).boxed()
    }
}

/// Returns what an engine tells of when it does something, as far as [`Listen`] passes it on.
fn audible(op: &Op) -> Option<(&str, &'static str)> {
    Some(match op {
        Op::CreateContainer { name, .. } => (name, "create"),
        Op::Start(target) => (target.name(), "start"),
        Op::Stop { container, .. } => (container.name(), "die"),
        Op::Restart(target) => (target.name(), "start"),
        Op::Unpause(target) => (target.name(), "unpause"),
        Op::RemoveContainer(target) => (target.name(), "destroy"),
        _ => return None,
    })
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
