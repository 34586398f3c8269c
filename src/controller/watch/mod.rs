//! The pass in a loop: woken by the repository, a webhook, a file, the engine, a timer or a person, and by
//! whichever doing the same. Level-triggered: what woke it is written down, and decides nothing.
//!
//! What is decided is decided in [`crate::sync`]; here it is fetched, looked at, applied and written down. One
//! pass at a time. A death at any moment loses nothing: what should be is in the source, what is is on the engine,
//! and what was tried is in the ledger before it is tried.

mod git;
mod handle;
mod origin;
mod picture;
mod run;
mod turn;

pub use git::{Git, Shell};
pub use handle::{Closed, Handle, Request};
pub use origin::{Folder, Origin, Trouble};
pub use run::{Brief, Settings, Told, run};
