//! The decisions of the loop around the pass: what to bring about, whether to touch anything now, when to look
//! again, and what to tell whom.
//!
//! The loop itself is in `controller`; it fetches, passes, and writes down what these functions say. Nothing here
//! knows a clock, a repository or an engine: times and what was seen come in as values.
//!
//! The vocabulary: a *revision* is a commit of the source. It is *applied* once a pass over it ended well. It is
//! *quarantined* when it failed and was undone: it is not tried again until the head moves, or a person says so.

mod backoff;
mod cause;
mod decide;
mod ledger;
mod notice;
mod revision;
mod status;
mod told;
mod window;
#[cfg(test)]
mod tests;

pub use crate::model::WatchMode as Mode;
pub use backoff::Backoff;
pub use cause::{Cause, Pending};
pub use decide::{Aim, Leave, aim, leave};
pub use ledger::{Approval, FORM, Ledger, Pause, Quarantine, Trial, Unreadable};
pub use notice::{CommitState, Notice, Subject, Turn, commit_state, due, notices};
pub use revision::{CommitId, InvalidCommit, Revision};
pub use status::{Difference, Held, LastPass, Phase, Result, ServiceState, Status, Sync};
pub use told::{Belief, Told};
pub use window::open;
