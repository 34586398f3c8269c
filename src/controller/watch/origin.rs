//! Where the loop gets what should be.

use std::{collections::BTreeSet, future::Future, path::PathBuf};

use crate::{
    controller::{Place, Project},
    source::{folder::Changes, overlay},
    sync::Revision,
};

/// A source of what should be.
pub trait Origin: Send {
    /// Returns what it is called, without credentials.
    fn words(&self) -> String;

    /// Asks for the head. `None` is a source without revisions: it is always as it is.
    fn head(&mut self) -> impl Future<Output = Result<Option<Revision>, Trouble>> + Send;

    /// Makes the files of a revision readable apart from those that are in use, so that they can be checked before
    /// anything is touched.
    fn stage(&mut self, revision: &Revision)
    -> impl Future<Output = Result<Place, Trouble>> + Send;

    /// Makes a revision the one in use. Done again after a death half-way it ends well.
    fn switch(&mut self, revision: &Revision) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Returns where the files in use are.
    fn place(&self) -> Place;

    /// Hears which project its files make, so that it knows which files count.
    fn learn(&mut self, project: &Project);

    /// Comes back when files in use were changed by somebody; never where that cannot be known.
    fn changed(&mut self) -> impl Future<Output = ()> + Send;
}

/// Why a source cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Trouble {
    /// What is wrong and what to do, in a line.
    pub what: String,
    /// Whether it is about the revision itself, so that trying again changes nothing.
    pub is_final: bool,
}

/// A folder of this machine, as it is.
#[derive(Debug)]
pub struct Folder {
    place: Place,
    folders: BTreeSet<PathBuf>,
    changes: Option<Changes>,
}

impl Folder {
    /// Returns the folder of a project.
    pub fn new(place: Place) -> Self {
        let mut folder = Self { place, folders: BTreeSet::new(), changes: None };
        folder.watch();
        folder
    }

    /// Watches the files that count. Where that is not possible there is still the timer.
    fn watch(&mut self) {
        let Place { file, environment, .. } = &self.place;
        let overlay = environment.as_deref().map(|environment| overlay(file, environment));
        let files: Vec<PathBuf> = std::iter::once(file.clone()).chain(overlay).collect();
        let folders: Vec<PathBuf> = self.folders.iter().cloned().collect();
        let watched = Changes::watch(&files, &folders);
        let unheard =
            |error: &std::io::Error| tracing::warn!("changes of files are not heard of: {error}");
        self.changes = watched.inspect_err(unheard).ok();
    }
}

impl Origin for Folder {
    fn words(&self) -> String {
        self.place.file.display().to_string()
    }

    async fn head(&mut self) -> Result<Option<Revision>, Trouble> {
        Ok(None)
    }

    async fn stage(&mut self, _: &Revision) -> Result<Place, Trouble> {
        Ok(self.place.clone())
    }

    async fn switch(&mut self, _: &Revision) -> Result<(), Trouble> {
        Ok(())
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn learn(&mut self, project: &Project) {
        let builds =
            project.spec.services.values().filter_map(|service| service.settings.build.as_ref());
        let folders = builds.map(|build| project.folder().join(&build.value.context)).collect();
        if self.folders != folders {
            self.folders = folders;
            self.watch();
        }
    }

    async fn changed(&mut self) {
        let heard = match &mut self.changes {
            Some(changes) => changes.changed().await.is_ok(),
            None => false,
        };
        if !heard {
            std::future::pending::<()>().await;
        }
    }
}
