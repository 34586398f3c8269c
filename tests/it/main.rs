//! The integration tests, one binary.
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    clippy::unnecessary_wraps,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::ref_option,
    clippy::unused_self,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "tests fail by panicking, and may use the machine they run on"
)]

mod away;
mod bench;
mod case;
mod ci;
mod cli;
mod compile;
mod converge;
mod crash;
mod docker;
mod doctor;
mod engine;
mod examples;
mod explain;
mod git;
mod hostile;
mod import;
mod leftovers;
mod machine;
mod notice;
mod plan;
mod port;
mod readable;
mod replay;
mod report;
mod spec;
mod takeover;
mod targets;
mod tidy;
mod unit;
mod upgrade;
mod walk;
mod watch;
mod web;
mod world;
