//! What was done: who applied what, when, with what result, and from which configuration.
//!
//! It is kept in `.nself/history.db` beside `nself.toml`, an SQLite file that any SQLite can read. Entries are only
//! added, each with the digest of the one before it, so that a changed past shows. Nothing here decides
//! what an apply does: without it there is nothing to return to and nothing to tell of, and no more.
//!
//! No secret is in it: entries hold fingerprints, and texts with references.

mod database;
mod entry;
mod choose;
mod ledger;

pub use choose::{last_good, of_generation, to_return_to};
pub use database::{Broken, History, Run, Verified};
pub use entry::{
    Begun, ChangeEntry, Command, Configuration, Ended, FieldEntry, Found, Ran, Return, StepEntry,
    Text,
};
pub use ledger::{read_ledger, write_ledger};

use std::path::PathBuf;

/// Why the history could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk said no.
    #[error("cannot {attempt} {path}", path = path.display())]
    Io {
        /// What was attempted, such as `make`.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database said no.
    #[error("cannot {attempt} the history {path}: {cause}", path = path.display())]
    Database {
        /// What was attempted, such as `read`.
        attempt: &'static str,
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        cause: String,
    },
    /// A newer nself wrote it.
    #[error("the history {path} was written by a newer nself: it has form {found}, and this nself knows forms up to {known}", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest form known here.
        known: u32,
    },
    /// What the loop remembered is not what nself wrote.
    #[error("cannot use what the loop remembered in {path}: {cause}", path = path.display())]
    Ledger {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// An entry is not what nself wrote.
    #[error("entry {entry} of the history {path} cannot be read", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The entry's number.
        entry: i64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
