//! The vault: a project's secrets, in a folder beside `nself.toml` that only its owner can read.
//!
//! **Invariant:** nothing that was readable is ever lost here. A file that cannot be read is an error and
//! stays as it is; a new one takes the place of the old in one step, or not at all.

mod content;
mod file;
mod seal;
mod vault;

pub(crate) use file::read;
pub use file::{Lock, Mode, replace};
pub use seal::Seal;
pub use vault::{Entry, Pair, Restored, Vault};

use std::{io, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Origin, SecretName};

/// How a value came into the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// An older nself did not write it down.
    #[default]
    Unknown,
    /// Made when it was needed first.
    Generated,
    /// A person gave it.
    Given,
    /// Made to take the place of another.
    Rotated,
    /// A certificate and its key, from the user's own authority.
    Issued,
    /// It is a value from before.
    Restored,
    /// Read back from where it had been delivered.
    Recovered,
}

/// Why the vault could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk said no.
    #[error("cannot {attempt} {path}")]
    Io {
        /// What was attempted, such as `read`.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what nself wrote. What it says stays unsaid.
    #[error("the vault {path} is damaged in line {line}; it is left as it is")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first line that cannot be read.
        line: usize,
    },
    /// A newer nself wrote it.
    #[error(
        "the vault {path} was written by a newer nself: it has form {found}, and this nself knows forms up to {known}"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest form known here.
        known: u32,
    },
    /// It is encrypted, and there is nothing to open it with.
    #[error("the vault {path} is encrypted, and no identity is given")]
    Sealed {
        /// The file.
        path: PathBuf,
    },
    /// It is encrypted to others.
    #[error("the vault {path} is not encrypted to the identity in {from}")]
    WrongIdentity {
        /// The file.
        path: PathBuf,
        /// Where the identity came from.
        from: String,
    },
    /// The identity cannot be read.
    #[error("cannot use the identity in {from}: {why}")]
    Identity {
        /// A file, or a variable.
        from: String,
        /// Why.
        why: String,
    },
    /// This is no recipient of age.
    #[error("`{0}` is no age recipient")]
    Recipient(String),
    /// It is encrypted, and the file names nobody to encrypt it to.
    #[error("the vault {path} is encrypted, and nself.toml names no recipients any more")]
    NoRecipients {
        /// The file.
        path: PathBuf,
    },
    /// Secrets that a person must give are not there.
    #[error("no value for {}", names(.0))]
    Missing(Vec<(SecretName, Origin)>),
    /// A certificate could not be had.
    #[error("cannot get a certificate for {}", .hosts.join(", "))]
    Certificate {
        /// The host names.
        hosts: Vec<String>,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn names(missing: &[(SecretName, Origin)]) -> String {
    let names: Vec<_> = missing
        .iter()
        .map(|(name, origin)| format!("the secret {name} ({})", origin.brief()))
        .collect();
    names.join(", ")
}
