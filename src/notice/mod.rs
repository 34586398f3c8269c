//! Telling people and repositories: notifications, and the status of commits.
//!
//! What is told, and that it is told once, is decided in [`crate::sync`]. What cannot be delivered is tried again a
//! few times, and holds nothing up.
//!
//! **Invariant:** no address, token or password is in an error or a log: of an address only the host is shown, and
//! what others answer is scrubbed. Proxies are not used, and redirects are not followed: both would hand secrets to
//! somebody who was not named.

mod error;
pub mod forge;
mod http;
mod mail;
mod outbox;
mod receiver;
mod slack;
mod trust;
mod webhook;

pub use error::{Error, Invalid};
pub use outbox::{Figures, Outbox};
pub use receiver::{Receiver, Receivers};
pub use trust::Trust;

use std::time::Duration;

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long one try may take. Mail servers, which make strangers wait, get three times that.
    pub patience: Duration,
    /// How long what is left is tried when the end has come.
    pub farewell: Duration,
    /// How long a second of waiting between two tries is. It is one; tests wait less.
    pub second: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            farewell: Duration::from_secs(5),
            second: Duration::from_secs(1),
        }
    }
}
