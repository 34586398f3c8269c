//! Scenarios on a real engine. They look at real state: what the engine says, what a service answers.
//!
//! Each has a project of its own and removes what it made, whatever became of it. Tampering is done with
//! the engine's own command line, as a person would.

mod canary;
mod care;
mod changes;
mod contend;
mod failing;
mod files;
mod gitops;
mod harmless;
mod inside;
mod killed;
mod reading;
mod removal;
mod secrets;
mod services;
pub(crate) mod stage;
mod takeover;
mod tamper;
mod trap;
mod watch;
