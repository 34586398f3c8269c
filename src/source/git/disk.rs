//! Writing into a folder that others write into as well: containers have parts of it mounted.
//!
//! Every step goes from an open folder to a name in it and follows no link, so that none which somebody put
//! there leads out. A file appears whole, under its name, or not at all.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::File,
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, fchmod, mkdirat, openat, readlinkat, renameat,
        statat, symlinkat, unlinkat,
    },
    io::Errno,
};

use super::{Error, inspect::native, lock::failed};

/// The name of what is being written, in a folder beside.
const NEW: &str = "new";

/// A folder that is written into.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    root: OwnedFd,
    beside: OwnedFd,
    /// What we wrote for earlier commits: only this may be removed.
    ours: BTreeSet<Vec<u8>>,
    /// The folder that was entered last.
    entered: Option<(Vec<u8>, OwnedFd)>,
}

impl Target {
    /// Opens a folder, and one beside it on the same disk for what is not whole yet; both are made if needed.
    pub(super) fn open(path: &Path, beside: &Path, ours: BTreeSet<Vec<u8>>) -> Result<Self, Error> {
        let open =
            |path: &Path| make(CWD, path.as_os_str()).and_then(|()| folder(CWD, path.as_os_str()));
        let root = open(path).map_err(|error| failed("open", path)(error.into()))?;
        let there = open(beside).map_err(|error| failed("open", beside)(error.into()))?;
        Ok(Self { path: path.to_owned(), root, beside: there, ours, entered: None })
    }

    /// Writes a file, unless it is there already with this content.
    pub(super) fn file(
        &mut self,
        path: &[u8],
        is_executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let mode = Mode::from_raw_mode(if is_executable { 0o755 } else { 0o644 });
        let (parent, name) = self.parent(path)?;
        let failed = |error: io::Error| failed("write", &self.path.join(native(path)))(error);
        let mut there = same_kind(&parent, name, mode).map_err(|error| failed(error.into()))?;
        let mut new: Option<File> = None;
        let (mut piece, mut old) = (vec![0; 64 << 10], vec![0; 64 << 10]);
        let mut equal = 0u64;
        loop {
            let read = content.read(&mut piece).map_err(failed)?;
            if let Some(file) = &mut there {
                let wanted = if read == 0 { 1 } else { read };
                let found = read_full(file, &mut old[..wanted]).map_err(failed)?;
                if old[..found] == piece[..read] {
                    if read == 0 {
                        return Ok(());
                    }
                    equal += read as u64;
                    continue;
                }
                there = None;
            }
            let file = match &mut new {
                Some(file) => file,
                None => new.insert(self.begin(&parent, name, equal).map_err(failed)?),
            };
            if read == 0 {
                break;
            }
            file.write_all(&piece[..read]).map_err(failed)?;
        }
        if let Some(file) = new {
            fchmod(&file, mode).map_err(|error| failed(error.into()))?;
        }
        self.put(path, &parent, name)
    }

    /// Writes a link, unless it is there already.
    pub(super) fn link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Error> {
        let (parent, name) = self.parent(path)?;
        if readlinkat(&parent, name, Vec::new()).is_ok_and(|found| found.as_bytes() == target) {
            return Ok(());
        }
        let failed = |error: Errno| failed("write", &self.path.join(native(path)))(error.into());
        discard(&self.beside).map_err(failed)?;
        symlinkat(OsStr::from_bytes(target), &self.beside, NEW).map_err(failed)?;
        self.put(path, &parent, name)
    }

    /// Removes a file or link of an earlier commit, and the folders that are empty without it.
    pub(super) fn remove(&mut self, path: &[u8]) -> Result<(), Error> {
        self.entered = None;
        let failed = |error: Errno| failed("remove", &self.path.join(native(path)))(error.into());
        let mut folders = vec![
            self.root
                .try_clone()
                .map_err(|error| super::lock::failed("open", &self.path)(error))?,
        ];
        let mut parts: Vec<&OsStr> =
            path.split(|byte| *byte == b'/').map(OsStr::from_bytes).collect();
        let Some(name) = parts.pop() else { return Ok(()) };
        for part in &parts {
            let last = folders.last().expect("the root is there");
            match folder(last, part) {
                Ok(next) => folders.push(next),
                // Somebody removed it, or put something else there.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
                Err(error) => return Err(failed(error)),
            }
        }
        let last = folders.last().expect("the root is there");
        match unlinkat(last, name, AtFlags::empty()) {
            // A folder there is none of ours.
            Ok(()) | Err(Errno::NOENT | Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(failed(error)),
        }
        for (above, part) in folders.iter().zip(&parts).rev() {
            // What is not empty stays.
            if unlinkat(above, *part, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the open folder that something belongs in, and its name there.
    fn parent<'a>(&mut self, path: &'a [u8]) -> Result<(OwnedFd, &'a OsStr), Error> {
        let cut = path.iter().rposition(|byte| *byte == b'/');
        let (above, name) = cut.map_or((&path[..0], path), |cut| (&path[..cut], &path[cut + 1..]));
        let wrong = |error: io::Error| failed("make", &self.path.join(native(above)))(error);
        let opened = match self.entered.take() {
            Some((entered, folder)) if entered == above => folder,
            _ => self.enter(above).map_err(|error| wrong(error.into()))?,
        };
        let twin = opened.try_clone().map_err(wrong)?;
        self.entered = Some((above.to_owned(), opened));
        Ok((twin, OsStr::from_bytes(name)))
    }

    fn enter(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut here = folder(&self.root, OsStr::new("."))?;
        for part in path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let part = OsStr::from_bytes(part);
            here = match folder(&here, part) {
                Err(Errno::NOENT) => {
                    make(&here, part)?;
                    folder(&here, part)?
                }
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    unlinkat(&here, part, AtFlags::empty())?;
                    make(&here, part)?;
                    folder(&here, part)?
                }
                other => other?,
            };
        }
        Ok(here)
    }

    /// Begins a new file with as much of the one that is there as was found to be right.
    fn begin(&self, parent: &OwnedFd, name: &OsStr, equal: u64) -> io::Result<File> {
        discard(&self.beside)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut new = File::from(openat(&self.beside, NEW, flags, Mode::from_raw_mode(0o600))?);
        if equal > 0 {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let old = File::from(openat(parent, name, flags, Mode::empty())?);
            let copied = io::copy(&mut old.take(equal), &mut new)?;
            if copied != equal {
                return Err(io::Error::other("it was changed meanwhile"));
            }
        }
        Ok(new)
    }

    /// Gives what was written beside its name.
    fn put(&mut self, path: &[u8], parent: &OwnedFd, name: &OsStr) -> Result<(), Error> {
        let place = self.path.join(native(path));
        match renameat(&self.beside, NEW, parent, name) {
            Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {}
            other => return other.map_err(|error| failed("write", &place)(error.into())),
        }
        let mut below = path.to_owned();
        below.push(b'/');
        let ours: Vec<Vec<u8>> = self
            .ours
            .range(below.clone()..)
            .take_while(|other| other.starts_with(&below))
            .cloned()
            .collect();
        for other in ours {
            self.remove(&other)?;
        }
        match remove_empty(parent, name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Err(Error::InTheWay { path: place }),
            Err(error) => return Err(failed("remove", &place)(error.into())),
        }
        let put = renameat(&self.beside, NEW, parent, name);
        put.map_err(|error| failed("write", &place)(error.into()))
    }
}

/// Removes a folder in which there are only folders.
fn remove_empty(parent: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    let here = folder(parent, name)?;
    for entry in Dir::read_from(&here)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            match remove_empty(&here, name) {
                Err(Errno::NOTDIR | Errno::LOOP) => return Err(Errno::NOTEMPTY),
                other => other?,
            }
        }
    }
    unlinkat(parent, name, AtFlags::REMOVEDIR)
}

fn folder(at: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty())
}

/// Makes a folder that all may read, whatever the umask, if it is not there.
fn make(at: impl AsFd, name: &OsStr) -> Result<(), Errno> {
    match mkdirat(&at, name, Mode::from_raw_mode(0o755)) {
        Ok(()) => fchmod(folder(at, name)?, Mode::from_raw_mode(0o755)),
        Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error),
    }
}

fn discard(beside: &OwnedFd) -> Result<(), Errno> {
    match unlinkat(beside, NEW, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// Opens what is there, if it is a plain file with this mode.
fn same_kind(parent: &OwnedFd, name: &OsStr, mode: Mode) -> Result<Option<File>, Errno> {
    let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let is_plain = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    if !is_plain || Mode::from_raw_mode(stat.st_mode) != mode {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // What cannot be read is written anew.
    Ok(openat(parent, name, flags, Mode::empty()).ok().map(File::from))
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
