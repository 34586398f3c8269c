//! The integration tests, as one binary.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod engine;
