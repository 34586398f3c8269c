//! How others speak with the loop: they read what it published last, and leave requests that it comes to in its
//! own time.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::sync::{Cause, Status};

/// One end of the line to a loop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    status: watch::Receiver<Arc<Status>>,
    requests: mpsc::Sender<Request>,
}

/// What the loop is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// To look soon. Many such requests are one.
    Look(Cause),
    /// To change nothing until it is told to go on.
    Pause {
        /// Who asks.
        who: String,
        /// Why.
        why: String,
    },
    /// To go on.
    Resume {
        /// Who asks.
        who: String,
    },
    /// To try a quarantined revision again.
    Retry {
        /// Who asks.
        who: String,
    },
    /// To do what is held.
    Approve {
        /// Who asks.
        who: String,
        /// What, as `plan::Release` writes it.
        release: String,
    },
}

/// The loop has ended, or is so busy that it cannot even take a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the loop does not take requests now: it is ending, or far behind")]
pub struct Closed;

impl Handle {
    /// Makes a line to a loop that publishes on the other end of `status` and takes `requests`.
    pub fn new(status: watch::Receiver<Arc<Status>>, requests: mpsc::Sender<Request>) -> Self {
        Self { status, requests }
    }

    /// Returns how things are. Never waits.
    pub fn status(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }

    /// Returns what follows each change of how things are. One that reads slowly misses some, never the last.
    pub fn follow(&self) -> watch::Receiver<Arc<Status>> {
        self.status.clone()
    }

    /// Leaves a request. Never waits.
    ///
    /// # Errors
    /// [`Closed`] when it cannot be left.
    pub fn ask(&self, request: Request) -> Result<(), Closed> {
        match (self.requests.try_send(request.clone()), request) {
            (Ok(()), _) => Ok(()),
            // Something is to be looked at anyway.
            (Err(mpsc::error::TrySendError::Full(_)), Request::Look(_)) => Ok(()),
            (Err(_), _) => Err(Closed),
        }
    }
}
