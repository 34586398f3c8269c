//! The door to an engine: look, and do one thing.
//!
//! Engines decide nothing. `docker` is the real one and the only place that names bollard; `sim` keeps a
//! world in memory with Docker's refusals; `faulty` makes any engine fail on a schedule.

mod console;
pub mod docker;
mod error;
pub mod faulty;
mod listen;
mod lock;
pub mod sim;

pub use console::{Console, LogLine, LogSelection, Session, Usage};
pub use error::{Cause, Error, Evidence, Refusal};
pub use listen::{Happening, Listen};
pub use lock::{Attempt, Held, Holder, Life, Lock};

use std::{collections::BTreeMap, future::Future};

use crate::{
    model::Keyring,
    observed::{Checkup, Observed, Request},
    plan::Op,
};

/// Something that can be looked at. `plan` and `drift` hold nothing more than this, so they cannot
/// write: there is no method for it.
pub trait Observe: Sync {
    /// Takes one look. Changes nothing.
    fn observe(&self, request: &Request) -> impl Future<Output = Result<Observed, Error>> + Send;
}

/// Something that can also be changed.
///
/// # Guarantees
/// Doing what is already done succeeds and changes nothing. An error says nothing about whether the
/// effect took place; only another look does.
pub trait Engine: Observe {
    /// Hands over the secrets that effects put in. Until then those that need one fail.
    fn unlock(&self, keyring: &Keyring);

    /// Does one thing.
    fn execute(&self, op: &Op) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Something that says how it is.
pub trait Examine: Observe {
    /// Asks. Changes nothing.
    fn examine(&self) -> impl Future<Output = Result<Checkup, Error>> + Send;

    /// Returns how many bytes each volume holds, by name, as far as the engine knows. It has to count,
    /// which takes its time.
    fn volume_sizes(&self) -> impl Future<Output = Result<BTreeMap<String, u64>, Error>> + Send;
}

/// A line that an engine printed during a long operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The image that is pulled or built.
    pub subject: String,
    /// The line, secrets struck out.
    pub line: String,
}

/// An engine with the writing half taken away.
#[derive(Debug)]
pub struct ReadOnly<E>(E);

impl<E> ReadOnly<E> {
    /// Takes the writing half away for good.
    pub fn new(engine: E) -> Self {
        Self(engine)
    }
}

impl<E: Observe> Observe for ReadOnly<E> {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        self.0.observe(request).await
    }
}

impl<E: Observe> Observe for &E {
    async fn observe(&self, request: &Request) -> Result<Observed, Error> {
        (**self).observe(request).await
    }
}

impl<E: Engine> Engine for &E {
    fn unlock(&self, keyring: &Keyring) {
        (**self).unlock(keyring);
    }

    async fn execute(&self, op: &Op) -> Result<(), Error> {
        (**self).execute(op).await
    }
}

impl<E: Lock> Lock for &E {
    async fn acquire(&self, prefix: &str, holder: &Holder) -> Result<Attempt, Error> {
        (**self).acquire(prefix, holder).await
    }

    async fn release(&self, held: Held) -> Result<(), Error> {
        (**self).release(held).await
    }

    async fn holder(&self, prefix: &str) -> Result<Option<Holder>, Error> {
        (**self).holder(prefix).await
    }

    async fn take_away(&self, prefix: &str, holder: &Holder) -> Result<bool, Error> {
        (**self).take_away(prefix, holder).await
    }

    async fn given_back(&self, prefix: &str) {
        (**self).given_back(prefix).await;
    }
}
