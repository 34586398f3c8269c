//! Looking into a service and changing things inside it, through commands run in its container.

use std::collections::BTreeMap;

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
}

impl InnerDriver {
    /// Returns what to run to see the things asked for.
    pub fn look(&self, _: &[&Inner]) -> Statement {
        unsupported()
    }

    /// Reads what [`look`](Self::look) put out.
    pub fn read(&self, _: &str) -> Result<Inside, String> {
        Err("this service cannot be looked into yet".into())
    }

    /// Returns what to run to bring `inner` to these attributes.
    pub fn ensure(&self, _: &Inner, _: &BTreeMap<String, Sensitive>) -> Statement {
        unsupported()
    }

    /// Returns what to run to remove `inner`.
    pub fn remove(&self, _: &Inner) -> Statement {
        unsupported()
    }
}

fn unsupported() -> Statement {
    Statement { argv: vec!["false".into()], user: None, stdin: Sensitive::new("") }
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

/// What is inside a service, of the things asked for.
pub type Inside = BTreeMap<Inner, BTreeMap<String, Attribute>>;
