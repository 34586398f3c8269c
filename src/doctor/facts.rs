//! What rules are asked about: all of it values, gathered elsewhere.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf};

use crate::{
    desired::Desired,
    observed::{Checkup, Disk, Observed},
    plan::Plan,
};

/// Everything that was found out.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When, in milliseconds since 1970, by the clock of this machine.
    pub now: u64,
    /// The engine.
    pub engine: EngineFact,
    /// The project.
    pub project: ProjectFact,
    /// The disk that the project's folder is on.
    pub folder_disk: Option<Disk>,
    /// Files and folders that hold secrets or may.
    pub paths: Vec<PathFact>,
    /// The repository that the project is in; `None` when it is in none.
    pub git: Option<Git>,
    /// The host names of the project.
    pub names: Vec<NameFact>,
    /// The certificates of the project.
    pub certificates: Vec<CertificateFact>,
}

/// Whether an engine answers.
#[derive(Debug, Clone)]
pub enum EngineFact {
    /// It does.
    Answers {
        /// Where.
        address: String,
        /// What it says of itself.
        checkup: Checkup,
    },
    /// It does not.
    Silent {
        /// What was attempted, then each cause.
        chain: Vec<String>,
        /// What to do about it.
        remedy: String,
    },
}

/// Whether there is a project.
#[derive(Debug, Clone)]
pub enum ProjectFact {
    /// There is no file here or above.
    None,
    /// There is one, and it has mistakes.
    Broken {
        /// The file.
        file: PathBuf,
        /// How the mistakes are summed up.
        what: String,
    },
    /// It is good.
    Read(Box<ProjectState>),
}

/// A project whose file is good.
#[derive(Debug, Clone)]
pub struct ProjectState {
    /// The file.
    pub file: PathBuf,
    /// What should be.
    pub desired: Desired,
    /// Whether its vault is here.
    pub has_vault: bool,
    /// What is, and what would be done; `None` when the engine could not be looked at.
    pub seen: Option<(Observed, Plan)>,
    /// Why it could not.
    pub unseen: String,
}

/// A file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFact {
    /// Where.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Its permission bits.
    pub mode: u32,
    /// When it was changed, in milliseconds since 1970.
    pub changed: u64,
}

/// What a path is, as far as secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A folder for its owner alone.
    PrivateFolder,
    /// A file for its owner alone.
    PrivateFile,
    /// The project's file, which others may read as long as no secret stands in it.
    Configuration,
}

/// A repository around the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Git {
    /// The folder of the secrets.
    pub secrets: PathBuf,
    /// Whether git leaves it alone.
    pub ignored: bool,
    /// Whether something of it is committed, or about to be.
    pub tracked: bool,
}

/// A host name of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFact {
    /// The name.
    pub host: String,
    /// What this machine's resolver says of it.
    pub lookup: Lookup,
}

/// What a resolver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// It leads to these addresses.
    Leads {
        /// All of them.
        to: BTreeSet<IpAddr>,
        /// Whether one of them is the engine's machine.
        here: bool,
    },
    /// There is no such name.
    Unknown,
    /// Nobody could be asked.
    Offline(String),
}

/// A certificate that the project needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFact {
    /// The hosts it has to be good for.
    pub wanted: Vec<String>,
    /// Those it is good for; `None` when there is no certificate yet.
    pub hosts: Option<BTreeSet<String>>,
    /// When it expires, in milliseconds since 1970; `None` when it cannot be read.
    pub expires: Option<u64>,
    /// Whether the user's own authority issued it.
    pub trust: Trust,
}

/// How far a certificate is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// This system trusts whoever issued it.
    Trusted,
    /// The user's own authority issued it, which this system does not trust.
    Untrusted,
    /// Somebody else than the user's authority issued it.
    Stranger,
    /// Not known.
    Unknown,
}

impl Facts {
    /// Returns what the engine says of itself, if it answers.
    pub(super) fn checkup(&self) -> Option<&Checkup> {
        match &self.engine {
            EngineFact::Answers { checkup, .. } => Some(checkup),
            EngineFact::Silent { .. } => None,
        }
    }

    /// Returns the project, if its file is good.
    pub(super) fn state(&self) -> Option<&ProjectState> {
        match &self.project {
            ProjectFact::Read(state) => Some(state),
            ProjectFact::None | ProjectFact::Broken { .. } => None,
        }
    }

    /// Returns the project together with what is there of it, or why that is not known.
    pub(super) fn seen(&self) -> Result<(&ProjectState, &Observed, &Plan), super::Verdict> {
        let Some(state) = self.state() else {
            return Err(super::Verdict::not_checked("no project"));
        };
        match &state.seen {
            Some((observed, plan)) => Ok((state, observed, plan)),
            None => Err(super::Verdict::not_checked(&state.unseen)),
        }
    }
}
