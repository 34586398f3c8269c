//! A task that runs to its end: exit code 0 is done, and it runs again when its inputs change.

use super::{Blueprint, Context, Kind, Probe};
use crate::{
    model::{Diagnostic, Text},
    table,
};

/// The kind.
pub const KIND: Kind = Kind {
    name: "job",
    summary: "A task that runs once, such as a migration; again when its inputs change.",
    image: None,
    releases: &[],
    recipe: None,
    port: None,
    offers: &[],
    route: None,
    is_job: true,
};

table! {
    /// A job has no options beyond those of every service.
    pub struct Options {}
}

/// Draws up the job.
pub fn blueprint(_: &Options, _: &Context<'_>) -> Blueprint {
    Blueprint { probe: Some(Probe::Exit), ..Blueprint::default() }
}

/// Offers nothing: it is gone by the time somebody could ask.
pub fn offers(_: &Options, _: &Context<'_>) -> Vec<(&'static str, Text)> {
    Vec::new()
}

/// Finds nothing wrong.
pub fn check(_: &Options, _: &Context<'_>) -> Vec<Diagnostic> {
    Vec::new()
}
