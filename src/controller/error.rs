//! How a pass fails as a whole.

use std::{path::PathBuf, sync::Arc};

use crate::{
    engine::{self, Holder},
    history,
    model::Diagnostic,
    plan::Moved,
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
    /// The history failed.
    #[error(transparent)]
    History(#[from] history::Error),
    /// There is no such generation to go back to, or none at all.
    #[error("{}", match generation {
        Some(generation) => format!("generation {generation} is not in the history of this folder"),
        None => "there is no earlier generation to go back to".to_owned(),
    })]
    NoGeneration {
        /// The one that was asked for.
        generation: Option<u64>,
        /// Those that are there, the latest first.
        known: Vec<u64>,
    },
    /// An image of then is not on the engine any more, and cannot be built again.
    #[error("the image {image} is gone, and the folder it was built from has changed since")]
    ImageGone {
        /// The image.
        image: String,
        /// The service.
        service: String,
    },
    /// It was made for another engine.
    #[error("{there} is another engine than the one this was made for")]
    OtherEngine {
        /// The engine that answered.
        there: String,
    },
    /// The world is not as it was when the plan was saved.
    #[error("the plan is stale: {} since it was made", match moved.len() {
        1 => "something has moved".to_owned(),
        count => format!("{count} things have moved"),
    })]
    Stale {
        /// What is different.
        moved: Vec<Moved>,
    },
    /// Somebody else is applying.
    #[error("{project} is being applied by {} on {}", holder.user, holder.host)]
    Locked {
        /// The project.
        project: String,
        /// Who, since when, where.
        holder: Box<Holder>,
    },
}
