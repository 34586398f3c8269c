//! The folder of a loop: what it remembers, its socket, its tokens.

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::{cli::Context, controller::Place};

use super::super::{Error, Exit, place};

/// The folder of a loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home(PathBuf);

/// What a loop over a repository keeps its things in, unless a person says otherwise.
const OF_GIT: &str = "nself-watch";
/// What the socket is called.
const SOCKET: &str = "socket";

impl Home {
    /// Returns that of a loop over a repository.
    pub(super) fn of_git(given: Option<&Path>, context: &Context) -> Result<Self, Error> {
        let folder = place::folder(&context.globals)?.join(given.unwrap_or(Path::new(OF_GIT)));
        let absolute = std::path::absolute(&folder);
        let absolute = absolute.map_err(|error| {
            Error::of(Exit::Failed, &error).attempting("cannot find this folder")
        })?;
        Ok(Self(absolute))
    }

    /// Returns that of a loop over a folder.
    pub(super) fn of_folder(given: Option<&Path>, place: &Place) -> Self {
        Self(
            given.map_or_else(|| place.file.with_file_name(".nself").join("watch"), Path::to_owned),
        )
    }

    /// Finds that of a loop that runs, or ran, here.
    pub(super) fn find(given: Option<&Path>, context: &Context) -> Result<Self, Error> {
        if let Some(given) = given {
            return Ok(Self(place::folder(&context.globals)?.join(given)));
        }
        let folder = std::path::absolute(place::folder(&context.globals)?.join("."));
        let folder = folder.map_err(|error| {
            Error::of(Exit::Failed, &error).attempting("cannot find this folder")
        })?;
        Self::near(&folder).ok_or_else(|| {
            let what = format!("no loop runs in {} or above it", folder.display());
            Error::usage(what)
                .remedy("nself watch starts one; --state FOLDER says where another is")
        })
    }

    /// Returns that of the loop that runs, or ran, in an absolute folder or above it.
    pub(super) fn near(folder: &Path) -> Option<Self> {
        let near =
            |folder: &Path| [folder.join(".nself/watch"), folder.join(OF_GIT), folder.to_owned()];
        let is_home =
            |home: &PathBuf| home.join(SOCKET).exists() || home.join("watch.json").is_file();
        folder.ancestors().flat_map(near).find(is_home).map(Self)
    }

    /// Makes the folder, for its owner's eyes only.
    pub(super) fn make(&self) -> Result<(), Error> {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| {
            Error::of(Exit::Failed, &error).attempting(format!("cannot make {}", self.0.display()))
        })
    }

    /// Returns the folder.
    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Returns where the loop listens for commands of this machine.
    pub(super) fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }
}
