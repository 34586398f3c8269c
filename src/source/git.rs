//! A project that comes from a git repository.
//!
//! The system's own `git` does the transport, and not a library: it knows the ssh configuration, jump hosts and
//! security keys, fetches shallowly from everywhere and checks signatures, brings no C of libgit2, OpenSSL and
//! libssh2 with it, and the memory of a large fetch is its own.
//!
//! All is kept in one folder, which one process has at a time:
//!
//! | what | for |
//! | --- | --- |
//! | `lock` | who has it |
//! | `repo.git` | what was fetched, without history: each commit comes alone |
//! | `staged` | a commit to be looked at |
//! | `tree` | the commit that is in force; its folders stay the same ones, so that they can be mounted |
//! | `*.list` | which files there are ours, and may be removed |
//!
//! **Invariant:** nothing here runs what a repository brings. Hooks, file system monitors, submodules and
//! configuration of others are off. Filters need configuration to run, so there are none: what Git LFS keeps
//! elsewhere stays a pointer. A commit is inspected before any of it is written, and what others wrote into the
//! tree, such as containers through a mount, is never removed.

mod access;
mod disk;
mod error;
mod inspect;
mod lock;
mod refs;
mod run;
mod url;
mod verify;
mod write;

pub use access::Access;
pub use error::Error;
pub use inspect::{Limits, Refused};
pub use refs::Select;
pub use url::{GitUrl, Invalid, RelativeFolder, Transport};
pub use verify::Verify;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::sync::{CommitId, Revision};

use inspect::{Listing, Stop};
use lock::Lock;
use refs::Found;
use run::{Bounds, Failure, Git};
use write::Place;

/// The oldest `git` that will do: the first that checks signatures of ssh.
const OLDEST: (u32, u32) = (2, 34);
/// Where fetched commits are kept from being pruned.
const FETCHED: &str = "refs/nself/fetched";
/// The commit that is in force.
const IN_FORCE: &str = "refs/nself/tree";
/// After so many fetches what is not needed any more is removed,
const MANY: usize = 32;
/// except for so many.
const FEW: usize = 8;

/// Which commit of which repository is wanted.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Where the repository is.
    pub url: GitUrl,
    /// Which commit.
    pub select: Select,
    /// The folder in it that has `nself.toml`.
    pub path: RelativeFolder,
    /// How it lets us in.
    pub access: Access,
    /// Whose signature is asked for, if any.
    pub verify: Option<Verify>,
}

/// A repository, and what was fetched of it.
#[derive(Debug)]
pub struct Repository {
    state: PathBuf,
    remote: Remote,
    limits: Limits,
    git: Git,
    kept: Mutex<BTreeSet<CommitId>>,
    _lock: Lock,
}

impl Repository {
    /// Opens the folder `state`, an absolute path, and makes it if needed. What is damaged is made anew.
    pub async fn open(state: &Path, remote: Remote, limits: Limits) -> Result<Self, Error> {
        match &remote.select {
            Select::Branch(name) => refs::check(name, false)?,
            Select::Tag(pattern) => refs::check(pattern, true)?,
            Select::Default | Select::Commit(_) => {}
        }
        let (environment, settings) = remote.access.given(&remote.url)?;
        let lock = Lock::take(state)?;
        let git = Git::new(
            &state.join("repo.git"),
            &remote.access.variables,
            environment,
            settings,
            remote.access.keyring(),
            limits.patience,
        );
        let repository = Self {
            state: state.to_owned(),
            remote,
            limits,
            git,
            kept: Mutex::default(),
            _lock: lock,
        };
        repository.check_version().await?;
        lock::tidy(&repository.git.folder)?;
        if !repository.is_whole().await {
            repository.make(40).await?;
        }
        Ok(repository)
    }

    /// Asks the repository which commit is wanted now, and fetches it if it is not here.
    pub async fn head(&self) -> Result<Revision, Error> {
        // Somebody may push by force between the answer and the fetch.
        const TRIES: u32 = 3;
        let mut tries = 1;
        let found = loop {
            let found = self.find().await?;
            match self.bring(&found).await {
                Err(Error::NoSuch { .. })
                    if tries < TRIES && !matches!(self.remote.select, Select::Commit(_)) =>
                {
                    tries += 1;
                }
                brought => break brought.map(|()| found)?,
            }
        };
        if let Some(verify) = &self.remote.verify {
            let checked = verify.check(&self.git, &self.state, &found).await;
            let checked = checked.map_err(|failure| self.error("check a commit of", failure))?;
            checked.map_err(|said| {
                let commit = found.commit.clone();
                Error::Unverified { commit, url: self.remote.url.to_string(), said }
            })?;
        }
        self.revision(found).await
    }

    /// Returns the branches that are like `pattern`, in which `*` stands for anything.
    pub async fn branches(&self, pattern: &str) -> Result<Vec<(String, CommitId)>, Error> {
        refs::check(pattern, true)?;
        let found = self.ask("refs/heads/", &["--heads"], &[]).await?;
        let like = found.into_iter().filter(|found| refs::is_like(pattern, &found.name));
        Ok(like.map(|found| (found.name, found.commit)).collect())
    }

    /// Looks through a commit for what is not taken, before any of it is written.
    pub async fn inspect(&self, commit: &CommitId) -> Result<(), Error> {
        self.mended(commit, || async { self.listing(commit).await.map(|_| ()) }).await
    }

    /// Writes a commit beside, so that it can be read before it is in force. Returns the folder that has
    /// `nself.toml`.
    pub async fn stage(&self, commit: &CommitId) -> Result<PathBuf, Error> {
        let place = Place { state: self.state.clone(), name: "staged" };
        place.clear()?;
        self.mended(commit, || self.fill(place.clone(), commit)).await?;
        Ok(self.inside("staged"))
    }

    /// Makes the tree be this commit, in place: folders stay the same ones, files that are the same stay
    /// untouched, each other file is replaced in one step, and what others put there stays, such as `.nself`.
    /// What was cut off is brought to its end by doing it again. Returns [`tree`](Self::tree).
    pub async fn switch(&self, commit: &CommitId) -> Result<PathBuf, Error> {
        let place = Place { state: self.state.clone(), name: "tree" };
        self.mended(commit, || async {
            self.fill(place.clone(), commit).await?;
            let keep = ["update-ref", "--no-deref", IN_FORCE, commit.as_str()];
            self.local("keep", Bounds::Writes, &keep).await
        })
        .await?;
        Ok(self.tree())
    }

    /// Returns the folder with the `nself.toml` that is in force.
    pub fn tree(&self) -> PathBuf {
        self.inside("tree")
    }

    /// Says which commits may be wanted again beside the last few, and the one in force.
    pub fn keep(&self, commits: impl IntoIterator<Item = CommitId>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = commits.into_iter().collect();
    }

    fn inside(&self, name: &str) -> PathBuf {
        let path = self.remote.path.path();
        let folder = self.state.join(name);
        if path.as_os_str().is_empty() { folder } else { folder.join(path) }
    }

    /// Asks which commit is wanted.
    async fn find(&self) -> Result<Found, Error> {
        match &self.remote.select {
            Select::Commit(commit) => {
                let (object, commit) = (commit.clone(), commit.clone());
                Ok(Found { name: commit.to_string(), object, commit })
            }
            Select::Default => {
                let args = ["ls-remote", "--symref", "--", self.remote.url.address(), "HEAD"];
                let answer = self.git.text(Bounds::Asks, &args).await;
                let answer = answer.map_err(|failure| self.error("ask", failure))?;
                match (refs::own_branch(&answer), refs::read(&answer, "HEAD").pop()) {
                    (name, Some(found)) => {
                        Ok(Found { name: name.unwrap_or_else(|| "HEAD".into()), ..found })
                    }
                    (_, None) => Err(self.nothing("branch of its own", "refs/heads/").await),
                }
            }
            Select::Branch(name) => {
                let found = self.ask("refs/heads/", &[], &[&format!("refs/heads/{name}")]).await?;
                match found.into_iter().find(|found| found.name == *name) {
                    Some(found) => Ok(found),
                    None => Err(self.nothing(&format!("branch `{name}`"), "refs/heads/").await),
                }
            }
            Select::Tag(pattern) => {
                let found = self.ask("refs/tags/", &["--tags"], &[]).await?;
                let like = found.into_iter().filter(|found| refs::is_like(pattern, &found.name));
                match like.max_by(|a, b| refs::by_version(&a.name, &b.name)) {
                    Some(found) => Ok(found),
                    None => Err(self.nothing(&format!("tag `{pattern}`"), "refs/tags/").await),
                }
            }
        }
    }

    /// Returns the error that says what there is instead of what is wanted.
    async fn nothing(&self, what: &str, prefix: &str) -> Error {
        let all = match self.ask("refs/", &[], &[]).await {
            Ok(all) => all,
            Err(error) => return error,
        };
        let url = self.remote.url.to_string();
        let is_commit =
            |found: &&Found| found.name.starts_with("heads/") || found.name.starts_with("tags/");
        if !all.iter().any(|found| is_commit(&found)) {
            return Error::Empty { url };
        }
        let prefix = prefix.trim_start_matches("refs/");
        let mut there: Vec<String> = all
            .iter()
            .filter_map(|found| found.name.strip_prefix(prefix))
            .map(str::to_owned)
            .collect();
        there.sort_by(|a, b| refs::by_version(b, a));
        Error::NoSuch { what: what.to_owned(), url, there }
    }

    async fn ask(
        &self,
        prefix: &str,
        options: &[&str],
        patterns: &[&str],
    ) -> Result<Vec<Found>, Error> {
        let mut args = vec!["ls-remote"];
        args.extend(options);
        args.extend(["--", self.remote.url.address()]);
        args.extend(patterns);
        let answer = self.git.text(Bounds::Asks, &args).await;
        let answer = answer.map_err(|failure| self.error("ask", failure))?;
        Ok(refs::read(&answer, prefix))
    }

    /// Fetches a commit if it is not here.
    async fn bring(&self, found: &Found) -> Result<(), Error> {
        if self.has(&found.object, &found.commit).await {
            return Ok(());
        }
        match self.fetch(found).await {
            Err(Error::Damaged { .. }) => {
                self.make(found.object.as_str().len()).await?;
                self.fetch(found).await
            }
            fetched => fetched,
        }
    }

    async fn fetch(&self, found: &Found) -> Result<(), Error> {
        let length = found.object.as_str().len();
        if self.digits().await != Some(length) {
            self.make(length).await?;
        }
        lock::tidy(&self.git.folder)?;
        let fetched = self.fetched().await?;
        let last =
            fetched.last().and_then(|(name, _)| name.rsplit('/').next()?.parse::<u64>().ok());
        let name = format!("{FETCHED}/{:012}", last.unwrap_or(0) + 1);
        let refspec = format!("+{}:{name}", found.object);
        let args = [
            "fetch",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--update-shallow",
            "--progress",
            "--",
            self.remote.url.address(),
            &refspec,
        ];
        let done = self.git.answer(Bounds::Fetches(self.limits.fetch), &args).await;
        if let Err(failure) = done {
            let (attempt, limit) = ("fetch from", self.limits.fetch);
            if lock::is_full(&self.git.folder, limit) {
                let (attempt, url) = (attempt.to_owned(), self.remote.url.to_string());
                return Err(Error::TooLarge { attempt, url, limit });
            }
            return Err(self.error(attempt, failure));
        }
        if !self.has(&found.object, &found.commit).await {
            let what = format!("commit that is called {}", found.name);
            let url = self.remote.url.to_string();
            return Err(Error::NoSuch { what, url, there: Vec::new() });
        }
        if fetched.len() + 1 > MANY {
            self.prune(fetched).await?;
        }
        Ok(())
    }

    /// Removes all fetched commits but the last few and those that are to be kept.
    async fn prune(&self, fetched: Vec<(String, String)>) -> Result<(), Error> {
        let old = fetched.len().saturating_sub(FEW - 1);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_kept = |commit: &str| kept.iter().any(|kept| kept.as_str() == commit);
        for (name, _) in fetched.iter().take(old).filter(|(_, commit)| !is_kept(commit)) {
            self.local("forget", Bounds::Writes, &["update-ref", "--no-deref", "-d", name]).await?;
        }
        for args in [
            &["pack-refs", "--all", "--prune"][..],
            &["repack", "-a", "-d", "-q"],
            &["prune", "--expire=now"],
        ] {
            self.local("tidy up", Bounds::Writes, args).await?;
        }
        Ok(())
    }

    /// Returns the names of what was fetched, the oldest first, each with its commit.
    async fn fetched(&self) -> Result<Vec<(String, String)>, Error> {
        let format = "--format=%(refname) %(objectname) %(*objectname)";
        let answer = self.local("list", Bounds::Reads, &["for-each-ref", format, FETCHED]).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let lines = answer.lines().filter_map(|line| {
            let mut words = line.split(' ');
            let (name, object) = (words.next()?, words.next()?);
            let commit = words.next().filter(|word| !word.is_empty()).unwrap_or(object);
            Some((name.to_owned(), commit.to_owned()))
        });
        Ok(lines.collect())
    }

    async fn has(&self, object: &CommitId, commit: &CommitId) -> bool {
        for name in [format!("{object}^{{object}}"), format!("{commit}^{{commit}}")] {
            let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
            match self.git.text(Bounds::Reads, &args).await {
                Ok(id) if id.trim() == object.as_str() || id.trim() == commit.as_str() => {}
                Ok(_) | Err(_) => return false,
            }
        }
        true
    }

    async fn revision(&self, found: Found) -> Result<Revision, Error> {
        const SUBJECT: usize = 200;
        let args = [
            "log",
            "-1",
            "--no-color",
            "--encoding=UTF-8",
            "--format=tformat:%ct%x00%an%x00%s",
            "--end-of-options",
            found.commit.as_str(),
            "--",
        ];
        let answer = self.local("read", Bounds::Reads, &args).await?;
        let answer = String::from_utf8_lossy(&answer);
        let mut parts = answer.trim_end_matches('\n').splitn(3, '\0');
        let seconds = parts.next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let mut text = || -> String {
            let text = parts.next().unwrap_or_default();
            text.chars().filter(|c| !c.is_control()).take(SUBJECT).collect()
        };
        let (author, subject) = (text(), text());
        let at = seconds.saturating_mul(1000);
        Ok(Revision { commit: found.commit, reference: found.name, subject, author, at })
    }

    /// Returns what is in a commit, or why it will not do.
    async fn listing(&self, commit: &CommitId) -> Result<Listing, Error> {
        let (folder, limits) = (self.remote.path.clone(), self.limits);
        let (name, url) = (commit.clone(), self.remote.url.to_string());
        let refused = move |why| Error::Refused { commit: name.clone(), url: url.clone(), why };
        let refuse = refused.clone();
        let repository = self.git.folder.clone();
        let args =
            ["ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", commit.as_str()];
        let read = move |from: &mut dyn std::io::Read| {
            inspect::listing(from, &folder, &limits).map_err(|stop| match stop {
                Stop::Refused(why) => refuse(why),
                Stop::Read(error) => lock::failed("read", &repository)(error),
            })
        };
        let listing = self.git.stream(&args, read).await;
        let mut listing = listing.map_err(|failure| self.error("read", failure))?;
        let links = std::mem::take(&mut listing.links);
        if !links.is_empty() {
            let ids: Vec<&str> = links.iter().map(|link| link.object.as_str()).collect();
            let ids = ids.join("\n") + "\n";
            let args = ["cat-file", "--batch"];
            let answer =
                self.git.program("git", Bounds::Reads, &args, Some(ids.into_bytes())).await;
            let answer = answer.map_err(|failure| self.error("read the links of", failure))?;
            let targets = inspect::targets(links, &answer).ok_or_else(|| Error::Damaged {
                attempt: "read".into(),
                url: self.remote.url.to_string(),
                said: "a link is missing".into(),
            })?;
            inspect::check_links(&targets).map_err(refused)?;
        }
        Ok(listing)
    }

    async fn fill(&self, place: Place, commit: &CommitId) -> Result<(), Error> {
        let Listing { paths, .. } = self.listing(commit).await?;
        let args = ["archive", "--format=tar", commit.as_str()];
        let filled = self.git.stream(&args, move |from| place.fill(&paths, from)).await;
        filled.map_err(|failure| self.error("write", failure))
    }

    /// Does something with a commit, and once more from new if what was fetched turns out to be damaged.
    async fn mended<T, F: Future<Output = Result<T, Error>>>(
        &self,
        commit: &CommitId,
        work: impl Fn() -> F,
    ) -> Result<T, Error> {
        let (object, commit) = (commit.clone(), commit.clone());
        let found = Found { name: commit.to_string(), object, commit };
        self.bring(&found).await?;
        match work().await {
            Err(Error::Damaged { .. }) => {
                self.make(found.object.as_str().len()).await?;
                self.fetch(&found).await?;
                work().await
            }
            done => done,
        }
    }

    async fn local(&self, what: &str, bounds: Bounds, args: &[&str]) -> Result<Vec<u8>, Error> {
        let what = format!("{what} what was fetched from");
        self.git.answer(bounds, args).await.map_err(|failure| self.error(&what, failure))
    }

    fn error(&self, attempt: &str, failure: Failure) -> Error {
        error::meaning(attempt, &self.remote.url, failure)
    }

    async fn check_version(&self) -> Result<(), Error> {
        let answer = self.git.text(Bounds::Reads, &["--version"]).await;
        let answer = answer.map_err(|failure| self.error("use", failure))?;
        let words = answer.trim().trim_start_matches("git version ");
        let mut numbers = words.split(['.', ' ']).map_while(|word| word.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < OLDEST {
            let why = format!("it is version {words}, and {}.{} is needed", OLDEST.0, OLDEST.1);
            return Err(Error::NoGit { program: "git", why });
        }
        Ok(())
    }

    /// Returns whether all that was fetched is there.
    async fn is_whole(&self) -> bool {
        let args = ["fsck", "--connectivity-only", "--no-dangling", "--no-progress"];
        self.git.folder.join("HEAD").is_file()
            && self.git.answer(Bounds::Reads, &args).await.is_ok()
    }

    /// Returns of how many digits the names of objects here are.
    async fn digits(&self) -> Option<usize> {
        let answer =
            self.git.text(Bounds::Reads, &["rev-parse", "--show-object-format"]).await.ok()?;
        Some(if answer.trim() == "sha256" { 64 } else { 40 })
    }

    /// Makes the repository anew, empty.
    async fn make(&self, digits: usize) -> Result<(), Error> {
        lock::remove(&self.git.folder)?;
        let format = format!("--object-format={}", if digits == 64 { "sha256" } else { "sha1" });
        let args = ["init", "--quiet", "--bare", "--template=", "--initial-branch=none", &format];
        self.local("make room for", Bounds::Writes, &args).await?;
        write::attributes(&self.git.folder)
    }
}
