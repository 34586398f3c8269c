//! From compose files to the text of an `nself.toml`, and to whatever could not be carried over.
//!
//! No I/O: files come in as values, and [`import`] says which others it wants. What it writes runs as it
//! ran: names, defaults and restart rules are Compose's, so that what runs already can be adopted as it
//! is. Nothing is dropped without being said.

mod guess;
mod host;
mod image;
mod interpolate;
mod load;
mod merge;
mod network;
mod running;
mod secret;
mod service;
mod sheet;
mod volume;
mod words;
mod write;
mod yaml;

pub use guess::looks_secret;
pub use secret::Secrets;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use crate::model::{Diagnostic, ProjectName, SecretName, Sensitive};

/// What a project is imported from.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The compose files, the later over the earlier.
    pub files: Vec<PathBuf>,
    /// The project's folder: what paths in the files are relative to, and where `.env` is. Absolute.
    pub folder: PathBuf,
    /// The files that were read so far: their bytes, or why there are none.
    pub texts: BTreeMap<PathBuf, Result<Vec<u8>, String>>,
    /// The process environment, which compose files may refer to.
    pub process: BTreeMap<String, String>,
    /// The project's name, where the person says one.
    pub project: Option<String>,
    /// The profiles that are switched on.
    pub profiles: BTreeSet<String>,
    /// The person's home, for `~`.
    pub home: Option<String>,
    /// What marks the project's objects on the engine.
    pub id: String,
}

/// What came of an import.
#[derive(Debug)]
pub enum Outcome {
    /// It cannot go on without these files.
    Wants(BTreeSet<PathBuf>),
    /// It is done.
    Done(Box<Imported>),
}

/// A project in the words of nself.
#[derive(Debug)]
pub struct Imported {
    /// The text of `nself.toml`.
    pub text: String,
    /// The project's name.
    pub name: ProjectName,
    /// What could not be carried over, and what a person should know.
    pub findings: Vec<Diagnostic>,
    /// The values that the text refers to as secrets.
    pub secrets: BTreeMap<SecretName, Sensitive>,
    /// How many services came out.
    pub services: usize,
    /// The texts behind the places of the findings.
    pub sources: Vec<(Arc<str>, String)>,
}

/// Why nothing came of an import.
#[derive(Debug)]
pub struct Refused {
    /// All that is wrong.
    pub problems: Vec<Diagnostic>,
    /// The texts behind their places.
    pub sources: Vec<(Arc<str>, String)>,
}

/// Turns compose files into an `nself.toml`.
///
/// # Errors
/// Files that cannot be read as compose files.
pub fn import(input: &Input) -> Result<Outcome, Refused> {
    write::import(input)
}
