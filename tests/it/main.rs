//! The integration tests, one binary.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "these are tests")]

mod case;
mod cli;
mod compile;
mod converge;
mod docker;
mod engine;
mod examples;
mod explain;
mod report;
mod spec;
mod tidy;
mod world;
