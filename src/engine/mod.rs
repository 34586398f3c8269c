//! The door to an engine: look, and do one thing.
//!
//! Engines decide nothing. `docker` is the real one and the only place that names bollard; `sim` keeps a
//! world in memory with Docker's refusals; `faulty` makes any engine fail on a schedule.

mod error;
mod console;
mod lock;
pub mod docker;

pub use console::{Console, LogLine, LogSelection, Session, Usage};
pub use error::{Cause, Error, Evidence, Refusal};
pub use lock::{Attempt, Held, Holder, Lock};

use std::future::Future;

use crate::{
    observed::{Observed, Request},
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
    /// Does one thing.
    fn execute(&self, op: &Op) -> impl Future<Output = Result<(), Error>> + Send;
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
    async fn execute(&self, op: &Op) -> Result<(), Error> {
        (**self).execute(op).await
    }
}
