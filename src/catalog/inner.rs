//! Looking into a service and changing things inside it, through commands run in its container.

use std::collections::BTreeMap;

use super::{
    postgres::{scram, sql},
    redis::acl,
};
use crate::model::{Inner, Sensitive};

/// How to talk to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InnerDriver {
    /// SQL through `psql` inside the container, over the local socket.
    Postgres {
        /// The administrating role.
        role: String,
        /// The database that always exists.
        database: String,
    },
    /// Commands through `redis-cli` inside the container.
    Redis {
        /// Where the files that nself wrote for it are mounted.
        folder: String,
    },
}

impl InnerDriver {
    /// Returns what to run to see the things asked for. It changes nothing.
    pub fn look(&self, wanted: &[&Inner]) -> Statement {
        match self {
            Self::Postgres { role, database } => sql::look(role, database, wanted),
            Self::Redis { folder } => acl::look(folder, wanted),
        }
    }

    /// Reads what [`look`](Self::look) put out. What was asked for and is not in the result is not
    /// there; output that ends early is an error, whatever was in it.
    pub fn read(&self, output: &str) -> Result<Inside, String> {
        match self {
            Self::Postgres { .. } => sql::read(output),
            Self::Redis { .. } => acl::read(output),
        }
    }

    /// Returns what to run to bring `inner` to these attributes, whatever it is now.
    pub fn ensure(&self, inner: &Inner, attributes: &BTreeMap<String, Sensitive>) -> Statement {
        match self {
            Self::Postgres { role, database } => sql::ensure(role, database, inner, attributes),
            Self::Redis { folder } => acl::ensure(folder, inner, attributes),
        }
    }

    /// Returns what to run to remove `inner`. What others hang on stays, and the command fails.
    pub fn remove(&self, inner: &Inner) -> Statement {
        match self {
            Self::Postgres { role, database } => sql::remove(role, database, inner),
            Self::Redis { .. } => acl::remove(),
        }
    }
}

/// A command to run inside a container. What is secret goes in through standard input, since engines
/// publish the arguments of every command as events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The command and its arguments.
    pub argv: Vec<String>,
    /// The user to run it as; the container's own when absent.
    pub user: Option<String>,
    /// What it reads.
    pub stdin: Sensitive,
}

/// A live attribute of something inside a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// Its value, in the same words as [`InnerSpec::attributes`](super::InnerSpec::attributes).
    Text(String),
    /// A salted verifier of a password.
    Verifier(String),
}

/// Returns whether a live verifier was made from `password`. One of an unknown form never was: it is to be
/// replaced.
pub fn verifies(password: &str, verifier: &str) -> bool {
    scram::verifies(password, verifier) || acl::verifies(password, verifier)
}

/// What is inside a service, of the things asked for.
pub type Inside = BTreeMap<Inner, BTreeMap<String, Attribute>>;
