//! Where the loop gets what should be.

use std::future::Future;

use crate::{controller::Place, sync::Revision};

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
#[derive(Debug, Clone)]
pub struct Folder {
    place: Place,
}

impl Folder {
    /// Returns the folder of a project.
    pub fn new(place: Place) -> Self {
        Self { place }
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

    async fn changed(&mut self) {
        std::future::pending::<()>().await;
    }
}
