//! Repositories that the tests push to.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use nself::{
    source::git::{Access, Error, Limits, Remote, Repository, Select},
    sync::CommitId,
};

/// A repository that others fetch from, and a place to work on it.
pub struct Forge {
    folder: tempfile::TempDir,
}

impl Forge {
    /// Makes one without commits.
    pub fn empty() -> Self {
        let forge = Self { folder: tempfile::tempdir().unwrap() };
        forge.git_in(forge.folder.path(), &["init", "-q", "--bare", "-b", "main", "shop.git"]);
        forge.git_in(forge.folder.path(), &["init", "-q", "-b", "main", "work"]);
        forge
    }

    /// Makes one with a commit on `main`.
    pub fn new() -> Self {
        let forge = Self::empty();
        forge.write("nself.toml", "project = { name = \"shop\" }\n");
        forge.push("one");
        forge
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("shop.git")
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.bare().display())
    }

    /// Runs `git` in the place of work, and returns what it answers.
    pub fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.work(), args)
    }

    pub fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
            .args(["-c", "protocol.file.allow=always"])
            .args(args)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .expect("these tests want git");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {args:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn link(&self, name: &str, target: &str) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Commits all there is.
    pub fn commit(&self, message: &str) -> CommitId {
        self.git(&["add", "-A", "-f"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"]).parse().unwrap()
    }

    /// Commits all there is, and pushes it.
    pub fn push(&self, message: &str) -> CommitId {
        let commit = self.commit(message);
        self.send("HEAD");
        commit
    }

    pub fn send(&self, what: &str) {
        self.git(&["push", "-q", "--force", self.bare().to_str().unwrap(), what]);
    }

    pub fn remote(&self, select: Select) -> Remote {
        Remote {
            url: self.url().parse().unwrap(),
            select,
            path: "".parse().unwrap(),
            access: access(),
            verify: None,
        }
    }

    /// Opens the folder of a watcher of `main`.
    pub async fn watch(&self) -> Repository {
        self.open(self.remote(main())).await.unwrap()
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub async fn open(&self, remote: Remote) -> Result<Repository, Error> {
        Repository::open(&self.state(), remote, Limits::default()).await
    }
}

pub fn main() -> Select {
    Select::Branch("main".into())
}

/// Access with the environment of the tests, and none of the person's keys.
pub fn access() -> Access {
    let path = std::env::var("PATH").unwrap();
    Access { variables: [("PATH".to_owned(), path)].into(), ..Access::default() }
}

/// Returns the text of a file.
pub fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}
