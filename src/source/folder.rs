//! A person's folder, watched for changes of what a project is made from.
//!
//! What is watched are folders, not files: editors replace files, and a folder that goes away may come back.
//! Where the system has no more watches to give, it is looked every two seconds instead.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{Config, Event, EventKind, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, timeout},
};

/// How long it must be quiet before a change is told: whoever saves one file often saves several.
const QUIET: Duration = Duration::from_millis(100);
/// How long a change is held back at most, however much goes on.
const LONGEST: Duration = Duration::from_secs(2);
/// How often it is looked where the system tells nothing.
const INTERVAL: Duration = Duration::from_secs(2);

/// Changes of a project's files.
pub struct Changes {
    parts: Arc<Parts>,
    heard: Receiver<()>,
    sender: Sender<()>,
    watcher: Box<dyn Watcher + Send>,
    /// What is watched, with which folder that was: one that comes back is another.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Since when there is a change that was not told.
    pending: Option<Instant>,
    polls: Option<String>,
}

/// What a project is made from.
#[derive(Debug)]
struct Parts {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { parts, polls, .. } = self;
        f.debug_struct("Changes")
            .field("parts", parts)
            .field("polls", polls)
            .finish_non_exhaustive()
    }
}

impl Changes {
    /// Watches some files, such as `nself.toml` and its overlay, and all that is in some folders. None of them
    /// need be there.
    ///
    /// # Errors
    /// Whatever the system says when neither watching nor looking is possible.
    pub fn watch(files: &[PathBuf], folders: &[PathBuf]) -> io::Result<Self> {
        Self::with(files, folders, |sender, parts| {
            RecommendedWatcher::new(handler(sender, parts), Config::default())
                .map(|watcher| Box::new(watcher) as Box<dyn Watcher + Send>)
        })
    }

    fn with(
        files: &[PathBuf],
        folders: &[PathBuf],
        make: impl Fn(Sender<()>, Arc<Parts>) -> notify::Result<Box<dyn Watcher + Send>>,
    ) -> io::Result<Self> {
        let absolute = |paths: &[PathBuf]| -> io::Result<Vec<PathBuf>> {
            paths.iter().map(std::path::absolute).collect()
        };
        let parts = Arc::new(Parts { files: absolute(files)?, folders: absolute(folders)? });
        let (sender, heard) = mpsc::channel(1);
        let (watcher, polls) = match make(sender.clone(), parts.clone()) {
            Ok(watcher) => (watcher, None),
            Err(error) => (poll(&sender, &parts)?, Some(error.to_string())),
        };
        let (watched, pending) = (BTreeMap::new(), None);
        let mut changes = Self { parts, heard, sender, watcher, watched, pending, polls };
        changes.arm()?;
        Ok(changes)
    }

    /// Returns why it is looked every two seconds, where the system does not tell of changes by itself.
    pub fn polls(&self) -> Option<&str> {
        self.polls.as_deref()
    }

    /// Waits for the next change, and until it is quiet for a tenth of a second, yet not longer than two seconds.
    /// Nothing is lost when this is given up and called again.
    ///
    /// # Errors
    /// Whatever the system says when neither watching nor looking is possible any more.
    pub async fn changed(&mut self) -> io::Result<()> {
        if self.pending.is_none() {
            // The sender lives as long as this does.
            let _ = self.heard.recv().await;
        }
        let begun = *self.pending.get_or_insert_with(Instant::now);
        loop {
            self.arm()?;
            let left = LONGEST.saturating_sub(begun.elapsed());
            if left.is_zero() || timeout(QUIET.min(left), self.heard.recv()).await.is_err() {
                break;
            }
        }
        self.arm()?;
        self.pending = None;
        Ok(())
    }

    /// Watches what is there now.
    fn arm(&mut self) -> io::Result<()> {
        let Err(error) = self.arm_all() else { return Ok(()) };
        if self.polls.is_some() {
            return Err(io::Error::other(error));
        }
        self.polls = Some(error.to_string());
        self.watcher = poll(&self.sender, &self.parts)?;
        self.watched.clear();
        self.arm_all().map_err(io::Error::other)
    }

    fn arm_all(&mut self) -> notify::Result<()> {
        loop {
            let wanted = self.parts.wanted();
            let new: Vec<&PathBuf> = wanted
                .keys()
                .filter(|path| self.watched.get(*path) != identity(path).as_ref())
                .collect();
            if new.is_empty() && self.watched.len() == wanted.len() {
                return Ok(());
            }
            let old: Vec<PathBuf> = self
                .watched
                .keys()
                .filter(|path| !wanted.contains_key(*path) || new.contains(path))
                .cloned()
                .collect();
            for path in old {
                // What went away is not watched any more by itself.
                let _ = self.watcher.unwatch(&path);
                self.watched.remove(&path);
            }
            for path in new {
                let Some(identity) = identity(path) else { continue };
                match self.watcher.watch(path, wanted[path]) {
                    Ok(()) => {
                        self.watched.insert(path.clone(), identity);
                    }
                    // It went away again: the next turn looks for what is there.
                    Err(_) if !path.exists() => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

impl Parts {
    /// Returns the folders that are to be watched. The one above each of them tells that it went away, and where one
    /// is not there, the nearest that is tells that it came.
    fn wanted(&self) -> BTreeMap<PathBuf, RecursiveMode> {
        let mut wanted = BTreeMap::new();
        let holders = self.files.iter().filter_map(|file| file.parent());
        for folder in holders.clone().chain(self.folders.iter().map(PathBuf::as_path)) {
            let there = folder.ancestors().filter(|path| path.is_dir());
            // With a folder also the one above.
            for path in there.take(2) {
                wanted.insert(path.to_owned(), RecursiveMode::NonRecursive);
            }
        }
        for folder in self.folders.iter().filter(|folder| folder.is_dir()) {
            wanted.insert(folder.clone(), RecursiveMode::Recursive);
        }
        wanted
    }

    /// Returns whether something that happened may change the project.
    fn concerns(&self, event: &Event) -> bool {
        if matches!(event.kind, EventKind::Access(_)) {
            return false;
        }
        event.need_rescan()
            || event.paths.is_empty()
            || event.paths.iter().any(|path| self.has(path))
    }

    fn has(&self, path: &Path) -> bool {
        let is_above = |part: &PathBuf| part.starts_with(path);
        self.files.iter().any(is_above)
            || self.folders.iter().any(is_above)
            || self
                .folders
                .iter()
                .any(|folder| path.strip_prefix(folder).is_ok_and(|inside| !is_passing(inside)))
    }
}

/// Returns whether something in a folder is no part of a project: what we and `git` keep, and what editors do for as
/// long as a file is open.
fn is_passing(path: &Path) -> bool {
    let is_kept = |part: Component<'_>| matches!(part, Component::Normal(name) if name == ".nself" || name == ".git");
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let ending = Path::new(name).extension().and_then(OsStr::to_str).unwrap_or_default();
    let is_swap = name.starts_with('.') && ending.len() == 3 && ending.starts_with("sw");
    path.components().any(is_kept)
        || is_swap
        || name.ends_with('~')
        || name.starts_with(".#")
        || name.starts_with('#') && name.ends_with('#')
        // What vim tries whether it may write with.
        || name == "4913"
}

fn handler(
    sender: Sender<()>,
    parts: Arc<Parts>,
) -> impl FnMut(notify::Result<Event>) + Send + 'static {
    move |event| {
        if event.is_ok_and(|event| !parts.concerns(&event)) {
            return;
        }
        // One that was not fetched yet stands for all.
        let _ = sender.try_send(());
    }
}

fn poll(sender: &Sender<()>, parts: &Arc<Parts>) -> io::Result<Box<dyn Watcher + Send>> {
    let config = Config::default().with_poll_interval(INTERVAL);
    let watcher = PollWatcher::new(handler(sender.clone(), parts.clone()), config);
    Ok(Box::new(watcher.map_err(io::Error::other)?))
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|meta| (meta.dev(), meta.ino()))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files")]
mod tests {
    use std::fs;

    use super::*;

    async fn hears(changes: &mut Changes) {
        let heard = timeout(Duration::from_secs(20), changes.changed()).await;
        heard.expect("a change is told").unwrap();
    }

    fn watch(folder: &Path) -> Changes {
        Changes::watch(&[folder.join("nself.toml")], &[folder.join("app")]).unwrap()
    }

    #[tokio::test]
    async fn files_are_watched_however_they_are_written() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("shop");
        fs::create_dir_all(folder.join("app/src")).unwrap();
        fs::write(folder.join("nself.toml"), "1").unwrap();
        let mut changes = watch(&folder);
        assert_eq!(changes.polls(), None);
        for turn in 0..3 {
            fs::write(folder.join("nself.toml"), format!("{turn}")).unwrap();
            hears(&mut changes).await;
            fs::write(folder.join("new"), format!("new {turn}")).unwrap();
            fs::rename(folder.join("new"), folder.join("nself.toml")).unwrap();
            hears(&mut changes).await;
        }
        fs::write(folder.join("app/src/main"), "1").unwrap();
        hears(&mut changes).await;
        fs::create_dir_all(folder.join("app/a/b")).unwrap();
        hears(&mut changes).await;
        fs::write(folder.join("app/a/b/c"), "1").unwrap();
        hears(&mut changes).await;
    }

    #[tokio::test]
    async fn a_folder_may_go_and_come_back() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("team/shop");
        let mut changes = watch(&folder);
        for turn in 0..3 {
            fs::create_dir_all(folder.join("app")).unwrap();
            fs::write(folder.join("nself.toml"), "1").unwrap();
            hears(&mut changes).await;
            fs::write(folder.join("app/file"), format!("{turn}")).unwrap();
            hears(&mut changes).await;
            fs::remove_dir_all(place.path().join("team")).unwrap();
            hears(&mut changes).await;
        }
        fs::create_dir_all(&folder).unwrap();
        hears(&mut changes).await;
        // Another one in its place.
        let other = place.path().join("team/other");
        fs::create_dir(&other).unwrap();
        fs::rename(&folder, place.path().join("team/old")).unwrap();
        fs::rename(&other, &folder).unwrap();
        hears(&mut changes).await;
        fs::write(folder.join("nself.toml"), "2").unwrap();
        hears(&mut changes).await;
    }

    #[tokio::test]
    async fn who_never_stops_writing_starves_nobody() {
        let place = tempfile::tempdir().unwrap();
        let mut changes = watch(place.path());
        let file = place.path().join("nself.toml");
        let (done, ended) = std::sync::mpsc::channel::<()>();
        let writer = std::thread::spawn(move || {
            while ended.recv_timeout(Duration::from_millis(10)).is_err() {
                fs::write(&file, "x").unwrap();
            }
        });
        hears(&mut changes).await;
        hears(&mut changes).await;
        done.send(()).unwrap();
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn without_watches_it_is_looked() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("nself.toml");
        fs::write(&file, "1").unwrap();
        let files = [file.clone()];
        let none = |_, _| Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
        let mut changes = Changes::with(&files, &[], none).unwrap();
        assert!(changes.polls().is_some());
        fs::remove_file(&file).unwrap();
        hears(&mut changes).await;
    }

    #[test]
    fn what_editors_and_we_do_is_no_change() {
        let parts = Parts { files: vec!["/p/nself.toml".into()], folders: vec!["/p/app".into()] };
        for path in ["/p/nself.toml", "/p", "/p/app", "/p/app/x/y", "/p/app/.env", "/p/app/a.sws/b"]
        {
            assert!(parts.has(Path::new(path)), "{path}");
        }
        for path in [
            "/p/other",
            "/p/.nself/history.db",
            "/p/nself.toml~",
            "/p/app/.nself/x",
            "/p/app/.git/index.lock",
            "/p/app/.main.rs.swp",
            "/p/app/main.rs~",
            "/p/app/.#main.rs",
            "/p/app/#main.rs#",
            "/p/app/4913",
            "/",
        ] {
            assert!(!parts.has(Path::new(path)) || path == "/", "{path}");
        }
    }
}
