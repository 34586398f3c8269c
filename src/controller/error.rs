//! How a pass fails as a whole.

use std::{path::PathBuf, sync::Arc};

use crate::{
    engine::{self, Holder},
    model::Diagnostic,
    secret,
    spec::Source,
};

/// Why there is no plan, or no apply.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has mistakes.
    #[error("the configuration has mistakes")]
    Configuration {
        /// All of them.
        diagnostics: Vec<Diagnostic>,
        /// The texts behind their spans.
        sources: Vec<Source>,
    },
    /// A file of the project cannot be read or written.
    #[error("{what} {path}", path = path.display())]
    File {
        /// What was attempted, such as `cannot read`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// Objects of the project are there, and their secrets are not here.
    #[error("{project} is on this engine, and its secrets are not in {vault}", vault = vault.display())]
    VaultMissing {
        /// The project.
        project: String,
        /// Where they would be.
        vault: PathBuf,
    },
    /// The vault is encrypted, and there is nothing here to open it with.
    #[error(transparent)]
    VaultLocked(Arc<secret::Error>),
    /// The vault or the certificate authority failed.
    #[error(transparent)]
    Secret(#[from] secret::Error),
    /// The engine failed.
    #[error(transparent)]
    Engine(engine::Error),
    /// Somebody else is applying.
    #[error("{project} is being applied by {} on {}", holder.user, holder.host)]
    Locked {
        /// The project.
        project: String,
        /// Who, since when, where.
        holder: Box<Holder>,
    },
}
