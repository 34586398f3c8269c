//! One pass: from the file to the engine and back. `plan` stops before applying; `apply` goes on.

mod error;
pub mod pass;

pub use error::Error;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::{
    desired::Desired,
    model::{Diagnostic, Keyring},
    observed::Observed,
    plan::{Applied, Plan, Policy},
    spec::Spec,
};

/// Where a project is, and what it may know of the shell it was called from.
#[derive(Debug, Clone)]
pub struct Place {
    /// The main file.
    pub file: PathBuf,
    /// The environment chosen with `-e` or `NSELF_ENVIRONMENT`.
    pub environment: Option<String>,
    /// The process environment, of which only declared variables are read.
    pub variables: BTreeMap<String, String>,
    /// The folder of the user's certificate authority.
    pub authority: PathBuf,
}

/// A project whose file was read and is good.
#[derive(Debug, Clone)]
pub struct Project {
    /// Where it is.
    pub place: Place,
    /// What the person wrote.
    pub spec: Spec,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// The texts behind all spans, by file name.
    pub sources: Vec<(Arc<str>, String)>,
    /// The project's secrets as far as they exist.
    pub keyring: Keyring,
}

/// One pass up to the plan.
#[derive(Debug, Clone)]
pub struct Pass {
    /// What should be.
    pub desired: Desired,
    /// What is.
    pub observed: Observed,
    /// What would be done.
    pub plan: Plan,
    /// How long looking took, in milliseconds.
    pub looked_ms: u64,
}

/// What came of an apply.
#[derive(Debug, Clone)]
pub struct Report {
    /// Each pass with what came of its plan; mostly one.
    pub passes: Vec<(Plan, Applied)>,
    /// What is left to do or held after the last pass.
    pub rest: Plan,
    /// What should be, for URLs.
    pub desired: Desired,
}

/// What a person wants of an apply.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What may be destroyed or replaced.
    pub policy: Policy,
}
