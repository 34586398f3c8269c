//! Waiting for somebody else's apply to end.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{Error, now};
use crate::engine::{Holder, Lock};

/// How long to wait for the lock.
#[derive(Debug, Clone)]
pub struct Wait {
    /// At most.
    pub longest: Duration,
    /// Is told of each holder that is waited for, once.
    pub tell: UnboundedSender<Holder>,
}

/// A holder that dies gives nothing back; whether it lives is seen without the engine.
const GLANCE: Duration = Duration::from_millis(200);
/// An event may be missed, so the engine is asked again after this many glances.
const GLANCES: u32 = 10;

/// One apply's place in the queue for the lock.
pub(super) struct Queue<'a> {
    prefix: String,
    wait: Option<&'a Wait>,
    until: Option<Instant>,
    told: Option<Holder>,
}

impl<'a> Queue<'a> {
    /// The time to wait begins here, however often it is waited.
    pub(super) fn new(prefix: String, wait: Option<&'a Wait>) -> Self {
        let until = wait.and_then(|wait| now().checked_add(wait.longest));
        Self { prefix, wait, until, told: None }
    }

    /// Waits until nobody has the lock, if it is to be waited at all. Returns whether to go on: not when
    /// `cancel` fired meanwhile.
    pub(super) async fn is_free<E: Lock>(
        &mut self,
        engine: &E,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        if self.wait.is_none() {
            return Ok(true);
        }
        match engine.holder(&self.prefix).await? {
            Some(holder) => self.outlasts(engine, holder, cancel).await,
            None => Ok(true),
        }
    }

    /// Waits until `holder` does not have the lock, and nobody after it. Returns whether to go on.
    pub(super) async fn outlasts<E: Lock>(
        &mut self,
        engine: &E,
        mut holder: Holder,
        cancel: &CancellationToken,
    ) -> Result<bool, Error> {
        let here = Holder::this_process()?;
        loop {
            if holder.is_dead(&here) {
                return Ok(true);
            }
            let Some(wait) = self.wait.filter(|_| !self.is_over()) else {
                let project = self.prefix.clone();
                return Err(Error::Locked { project, holder: Box::new(holder) });
            };
            if self.told.as_ref() != Some(&holder) {
                // Nobody has to listen.
                let _ = wait.tell.send(holder.clone());
                self.told = Some(holder.clone());
            }
            if !self.something_happens(engine, &holder, &here, cancel).await {
                return Ok(false);
            }
            match engine.holder(&self.prefix).await? {
                Some(next) => holder = next,
                None => return Ok(true),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| now() >= until)
    }

    /// Waits until it is worth asking the engine again. Returns whether to go on.
    #[expect(clippy::disallowed_methods, reason = "the lock wait is what sleeping is for")]
    async fn something_happens<E: Lock>(
        &self,
        engine: &E,
        holder: &Holder,
        here: &Holder,
        cancel: &CancellationToken,
    ) -> bool {
        let mut given_back = std::pin::pin!(engine.given_back(&self.prefix));
        for _ in 0..GLANCES {
            tokio::select! {
                () = &mut given_back => return true,
                () = cancel.cancelled() => return false,
                () = tokio::time::sleep(GLANCE) => {}
            }
            if holder.is_dead(here) || self.is_over() {
                break;
            }
        }
        true
    }
}
