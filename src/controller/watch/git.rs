//! A git repository as what the loop goes by.

use std::{collections::BTreeMap, path::PathBuf};

use super::{Origin, Trouble};
use crate::{
    controller::{Place, Project, back::causes},
    source::git::{self, Repository},
    sync::{CommitId, Revision},
};

/// A git repository, with the files of the revision in use in a folder.
#[derive(Debug)]
pub struct Git {
    repository: Repository,
    words: String,
    shell: Shell,
    /// The last commits that were in use, the latest first.
    last: [Option<CommitId>; 2],
}

/// What a project in a repository knows of the machine it is run on.
#[derive(Debug, Clone)]
pub struct Shell {
    /// The environment, as in `[environments.NAME]`.
    pub environment: Option<String>,
    /// The process environment, of which only declared variables are read.
    pub variables: BTreeMap<String, String>,
    /// The folder of the user's certificate authority.
    pub authority: PathBuf,
}

impl Git {
    /// Takes a repository. `words` is what it is called, without credentials.
    pub fn new(repository: Repository, words: String, shell: Shell) -> Self {
        Self { repository, words, shell, last: [None, None] }
    }

    fn place_in(&self, folder: PathBuf) -> Place {
        let Shell { environment, variables, authority } = self.shell.clone();
        Place { file: folder.join("nself.toml"), environment, variables, authority }
    }
}

impl Origin for Git {
    fn words(&self) -> String {
        self.words.clone()
    }

    async fn head(&mut self) -> Result<Option<Revision>, Trouble> {
        // Whatever is wrong with a head, the next one may be right.
        let head = self.repository.head().await;
        head.map(Some).map_err(|error| Trouble { is_final: false, ..trouble(&error) })
    }

    async fn stage(&mut self, revision: &Revision) -> Result<Place, Trouble> {
        let staged = async {
            self.repository.inspect(&revision.commit).await?;
            self.repository.stage(&revision.commit).await
        };
        staged.await.map(|folder| self.place_in(folder)).map_err(|error| trouble(&error))
    }

    async fn switch(&mut self, revision: &Revision) -> Result<(), Trouble> {
        match self.repository.switch(&revision.commit).await {
            Ok(_) => {
                // The one before may be what everything goes back to.
                self.last.rotate_right(1);
                self.last[0] = Some(revision.commit.clone());
                self.repository.keep(self.last.iter().flatten().cloned());
                Ok(())
            }
            Err(error) => Err(trouble(&error)),
        }
    }

    fn place(&self) -> Place {
        self.place_in(self.repository.tree())
    }

    fn learn(&mut self, _: &Project) {}

    async fn changed(&mut self) {
        std::future::pending::<()>().await;
    }
}

fn trouble(error: &git::Error) -> Trouble {
    let mut what = causes(error);
    if let Some(remedy) = error.remedy() {
        what = format!("{what}; {remedy}");
    }
    let is_final = matches!(error, git::Error::Refused { .. } | git::Error::TooLarge { .. });
    Trouble { what, is_final }
}
