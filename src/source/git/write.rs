//! A commit's files on the disk: beside, to be looked at, or in the place of another commit's.
#![expect(clippy::disallowed_methods, reason = "this room keeps its own folder")]

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
};

use tar::EntryType;

use super::{
    Error,
    disk::Target,
    inspect::{check_path, native},
    lock::{failed, remove},
};

/// Where a commit's files go.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The folder of everything that is kept here.
    pub state: PathBuf,
    /// The folder that the files go to, by name.
    pub name: &'static str,
}

impl Place {
    fn folder(&self) -> PathBuf {
        self.state.join(self.name)
    }

    /// The list of what we ever wrote there and have not removed.
    fn list(&self) -> PathBuf {
        self.state.join(format!("{}.list", self.name))
    }

    /// Removes all of it.
    pub(super) fn clear(&self) -> Result<(), Error> {
        remove(&self.folder())?;
        remove(&self.list())
    }

    /// Makes the folder be what `archive` says, which has these `paths` in it: what is there already stays
    /// untouched, what earlier commits had is removed, and what others put there stays.
    ///
    /// The list has the old and the new paths until all is done, so that whatever is cut off is known to
    /// be ours when it is done again.
    pub(super) fn fill(
        &self,
        paths: &BTreeSet<Vec<u8>>,
        archive: &mut dyn Read,
    ) -> Result<(), Error> {
        let (folder, list) = (self.folder(), self.list());
        let ours = read_list(&list)?;
        write_list(&list, ours.union(paths))?;
        let beside = self.state.join("beside");
        remove(&beside)?;
        let mut target = Target::open(&folder, &beside, ours.clone())?;
        let unreadable = |error: io::Error| failed("read the files for", &folder)(error);
        let mut written = BTreeSet::new();
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries().map_err(unreadable)? {
            let mut entry = entry.map_err(unreadable)?;
            let path = entry.path_bytes().into_owned();
            let kind = entry.header().entry_type();
            let is_link = match kind {
                EntryType::Symlink => true,
                EntryType::Regular | EntryType::Continuous => false,
                // Folders come with what is in them; the rest is about the archive.
                _ => continue,
            };
            if !paths.contains(&path) || check_path(&path).is_err() {
                return Err(unreadable(io::Error::other(format!(
                    "{} was not announced",
                    native(&path).display()
                ))));
            }
            if is_link {
                let to = entry.link_name_bytes().unwrap_or_default().into_owned();
                target.link(&path, &to)?;
            } else {
                let mode = entry.header().mode().map_err(unreadable)?;
                target.file(&path, mode & 0o100 != 0, &mut entry)?;
            }
            written.insert(path);
        }
        if let Some(path) = paths.difference(&written).next() {
            let why = format!("{} is missing", native(path).display());
            return Err(unreadable(io::Error::other(why)));
        }
        for path in ours.difference(paths) {
            target.remove(path)?;
        }
        write_list(&list, paths.iter())?;
        remove(&beside)
    }
}

fn read_list(path: &Path) -> Result<BTreeSet<Vec<u8>>, Error> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        bytes => bytes.map_err(failed("read", path))?,
    };
    let paths = bytes.split(|byte| *byte == 0).filter(|path| check_path(path).is_ok());
    Ok(paths.map(<[u8]>::to_owned).collect())
}

fn write_list<'a>(path: &Path, paths: impl Iterator<Item = &'a Vec<u8>>) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let write = || {
        let mut file = io::BufWriter::new(fs::File::create(&beside)?);
        for path in paths {
            file.write_all(path)?;
            file.write_all(&[0])?;
        }
        file.into_inner()?.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(failed("write", path))
}

/// Has `git archive` leave nothing out and put nothing in, whatever the attributes of the commit say.
pub(super) fn attributes(repository: &Path) -> Result<(), Error> {
    let folder = repository.join("info");
    fs::create_dir_all(&folder).map_err(failed("make", &folder))?;
    let path = folder.join("attributes");
    fs::write(&path, "* -export-ignore -export-subst\n").map_err(failed("write", &path))
}
