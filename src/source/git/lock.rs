//! One process for a folder, and what a `git` that was ended leaves behind.
#![expect(clippy::disallowed_methods, reason = "this room keeps its own folder")]

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use super::Error;
use crate::model::ByteSize;

/// A lock on a folder, held while it lives. It goes with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A program that is just being started holds a copy of the open file for a moment, and with it the lock.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Lock {
    /// Makes `folder` if needed and takes its lock, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(failed("make", folder))?;
        let path = folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(failed("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let owner = fs::read_to_string(&path).unwrap_or_default();
                return Err(Error::Busy {
                    folder: folder.to_owned(),
                    owner: owner.trim().to_owned(),
                });
            }
            Err(error) => return Err(failed("lock", &path)(error.into())),
        }
        let mut write = || {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())
        };
        write().map_err(failed("write", &path))?;
        Ok(Self(file))
    }
}

/// Removes what a `git` that was ended did not: locks, and the beginnings of objects. The folder must be locked,
/// and no `git` of ours run: each ends with the process that started it.
pub(super) fn tidy(repository: &Path) -> Result<(), Error> {
    let mut open = vec![repository.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = match folder.read_dir() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.map_err(failed("read", &folder))?,
        };
        for entry in entries {
            let entry = entry.map_err(failed("read", &folder))?;
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            let kind = entry.file_type().map_err(failed("read", &path))?;
            if kind.is_dir() {
                if name.starts_with("tmp_objdir-") {
                    remove(&path)?;
                } else {
                    open.push(path);
                }
                continue;
            }
            let ending = path.extension().and_then(|ending| ending.to_str());
            let is_left = matches!(ending, Some("lock"))
                || name.starts_with("tmp_")
                || name.starts_with(".tmp-")
                || name.starts_with("shallow_");
            if is_left {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

/// Returns whether a fetch that failed had written as much as it may.
pub(super) fn is_full(repository: &Path, limit: ByteSize) -> bool {
    let Ok(entries) = repository.join("objects/pack").read_dir() else { return false };
    entries.flatten().any(|entry| {
        let is_begun = entry.file_name().to_string_lossy().starts_with("tmp_pack");
        is_begun && entry.metadata().is_ok_and(|meta| meta.len() / 512 >= limit.0 / 512)
    })
}

/// Removes a file or a folder with all that is in it, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    let removed = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(super) fn failed(
    attempt: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::Io { attempt, path, source }
}
