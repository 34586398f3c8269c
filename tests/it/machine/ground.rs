//! What the machine runs on: an engine, what a person may do to it, and what is there.

use std::collections::{BTreeMap, BTreeSet};

use nself::{
    controller::{Place, Project},
    engine::{Engine, Error, Lock},
    model::ResourceId,
    observed::Record,
    plan::Release,
};

use super::{
    file::{File, Naming},
    story::Act,
};

/// An engine with the means of a person who sits at it.
pub(super) trait Ground {
    type Engine: Engine + Lock;

    fn new() -> Self;

    fn naming(&self) -> &Naming;

    fn run<T>(&self, future: impl Future<Output = T>) -> T;

    /// Reads a file as `nself` would.
    fn read(&self, file: &File) -> Project;

    /// Connects; what answers is one engine for all.
    fn connect(&self, project: &Project) -> Result<Self::Engine, Error>;

    fn set_down(&mut self, down: bool);

    /// Does it if it can be done as things are.
    fn act(&mut self, act: &Act);

    fn look(&self) -> Look;

    /// Returns all there is to know of all that is there.
    fn everything(&self) -> BTreeMap<String, String>;

    /// Returns what a whole apply of the file to an engine with nothing on it would come to, told as
    /// [`everything_named`](Self::everything_named) tells it; `None` where there is no other engine.
    fn fresh(&self, file: &File, suspended: &BTreeSet<super::file::Name>) -> Option<Pictures>;

    /// Returns what counts of what is ours, by name.
    fn everything_named(&self) -> Pictures;
}

/// What counts of each thing, by its name.
pub(super) type Pictures = BTreeMap<String, String>;

/// What is there.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub(super) containers: Vec<Seen>,
    /// The networks' names and ids.
    pub(super) networks: Vec<(String, String, Whose)>,
    /// The volumes that hold data, by name.
    pub(super) volumes: BTreeMap<String, Kept>,
    pub(super) record: Option<Record>,
    pub(super) is_locked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    Theirs,
}

/// A volume.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) whose: Whose,
    /// Tells it from another one of its name.
    pub(super) id: String,
    /// What was written down in it last, as far as that can be read now.
    pub(super) word: Option<String>,
}

/// A container.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) whose: Whose,
    /// The resource that its labels or the record say it is.
    pub(super) resource: Option<ResourceId>,
    pub(super) doing: Doing,
    /// Tells one run of it from another.
    pub(super) started: String,
    pub(super) image: String,
    pub(super) level: Option<String>,
    pub(super) memory: Option<u64>,
    pub(super) restart: String,
    /// Its aliases by network, without those that the engine adds.
    pub(super) networks: BTreeMap<String, BTreeSet<String>>,
    /// The volume at `/data`.
    pub(super) data: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Runs,
    Paused,
    Ended(i64),
    /// Created, dead, or between two starts.
    Other,
}

impl Look {
    pub(super) fn at(&self, name: &str) -> Option<&Seen> {
        self.containers.iter().find(|seen| seen.name == name)
    }

    /// Returns those that claim to be a resource.
    pub(super) fn claimants(&self, id: &ResourceId) -> Vec<&Seen> {
        let ours = self.containers.iter().filter(|seen| seen.whose == Whose::Ours);
        ours.filter(|seen| seen.resource.as_ref() == Some(id)).collect()
    }
}

/// Returns whether a release allows a change to a resource.
pub(super) fn allows(releases: &BTreeSet<Release>, id: &ResourceId) -> bool {
    releases
        .iter()
        .any(|release| matches!(release, Release::Change { id: released, .. } if released == id))
}

/// Returns a project that is read from a text, without secrets.
pub(super) fn project(text: &str, place: Place) -> Project {
    use nself::{
        model::{Keyring, Sensitive},
        plan::Past,
        spec::{self, Input, Source},
    };
    let main = Source::new("nself.toml", text.as_bytes().to_vec());
    let input = Input { main, overlay: None, environment: None, process: BTreeMap::new() };
    let parsed = spec::parse(&input).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    Project {
        place,
        spec: parsed.spec,
        warnings: parsed.warnings,
        sources: vec![input.main],
        keyring: Keyring::new(Some(Sensitive::new("a key")), BTreeMap::new()),
        locked: None,
        past: Past::default(),
        recalled: None,
    }
}
