//! How engines fail.

use crate::model::Millis;

/// Why an engine did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Nobody answers.
    #[error("no engine answers at {address}")]
    Unreachable {
        /// Where.
        address: String,
        /// What was tried and heard.
        #[source]
        cause: Cause,
    },
    /// The socket is there, and this user may not use it.
    #[error("this user may not use the engine at {address}")]
    NotPermitted {
        /// Where.
        address: String,
        /// What the system said.
        #[source]
        cause: Cause,
    },
    /// The engine refused a call.
    #[error("the engine refused to {what}")]
    Refused {
        /// What was attempted, as a verb phrase.
        what: String,
        /// What it said.
        #[source]
        cause: Cause,
        /// What can be told of the refusal.
        kind: Refusal,
    },
    /// A container did not become ready, or a job failed.
    #[error("{container} did not become ready in {within}")]
    NotReady {
        /// The container.
        container: String,
        /// How long was waited.
        within: Millis,
        /// What was seen meanwhile.
        evidence: Box<Evidence>,
    },
    /// A check of new files, a build or a statement inside a service failed.
    #[error("{what} failed")]
    Failed {
        /// What was run.
        what: String,
        /// What it printed last, secrets struck out.
        output: String,
    },
    /// A newer nself wrote the project's memory.
    #[error(
        "the project's memory was written by a newer nself: {volume} has form {found}, and this nself knows \
         forms up to {known}"
    )]
    Newer {
        /// The volume that has it in its label.
        volume: String,
        /// Its form.
        found: u64,
        /// The latest form known here.
        known: u32,
    },
    /// A secret is needed that the vault does not have.
    #[error("the secret `{0}` is not known here")]
    SecretMissing(String),
}

/// What is known of a refusal, where something better than the engine's words can be said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The name is taken.
    NameTaken,
    /// There is no such thing.
    NotFound,
    /// A port of the host is taken.
    PortTaken,
    /// There is no such image.
    ImageMissing,
    /// The registry that would have the image does not answer.
    NoRegistry,
    /// What the container was to run is not there or cannot be run, or whom it was to run as is not
    /// there.
    NotExecutable,
    /// The disk is full.
    DiskFull,
    /// The thing is in use.
    InUse,
    /// A name stands for two networks.
    Ambiguous,
    /// A setting has a value that the engine, or its machine, cannot take.
    Invalid,
    /// An address on a network is another container's, or the engine's own.
    AddressTaken,
    /// The addresses of a network are another network's too, or there are none left.
    SubnetTaken,
    /// A file, folder or device of the engine's machine is not there.
    HostPathMissing,
    /// The container does not run, or is frozen.
    NotRunning,
    /// The engine cannot do this at all.
    Unsupported,
    /// Anything else.
    Other,
}

/// The words of a lower layer, as a link of the error chain.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub String);

/// What was seen of a container that did not become ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The probe and its last answer, such as `GET :8000/healthz → connection refused`.
    pub probe: String,
    /// How often it was asked.
    pub tries: u32,
    /// What became of the process, such as `exit 1 after 3 restarts, not out of memory`.
    pub process: String,
    /// What the engine's health check printed last.
    pub health: String,
    /// The last lines of its log, secrets struck out.
    pub log: Vec<String>,
}
