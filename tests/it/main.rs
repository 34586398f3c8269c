//! The integration tests, one binary.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "these are tests")]

mod case;
mod cli;
mod converge;
mod examples;
mod report;
mod spec;
mod world;
