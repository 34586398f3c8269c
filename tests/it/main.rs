//! The integration tests, as one binary.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "tests fail by panicking, and may use the machine they run on"
)]

mod engine;
