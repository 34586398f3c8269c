//! The file of tokens: read whole, and replaced whole under a lock.
#![expect(clippy::disallowed_methods, reason = "this is where the room touches the disk")]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// Why a token could not be made or taken out.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is none.
    #[error("`{0}` is no name for a token: 1 to 64 letters, digits and any of - _ . @ are")]
    Name(String),
    /// There is one of this name.
    #[error("there is a token of the name `{0}`: revoke it, or take another name")]
    Taken(String),
    /// Others may read the file.
    #[error("others may read {path}, so its tokens are not used: chmod 600 {path}", path = path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// The disk said no.
    #[error("cannot {attempt} {path}", path = path.display())]
    Io {
        /// What was attempted, such as `read`.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// By what a file that was replaced is known: its number, its length and when it was written.
pub(super) type Stamp = (u64, u64, i64, i64);

/// Returns the stamp of the file, if it is there.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let about = fs::metadata(path).ok()?;
    Some((about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
}

/// Returns the lines of the file; none where it is not there.
pub(super) fn read(path: &Path) -> Result<Vec<String>, TokenError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("look at", path)(error)),
        Ok(about) if about.mode() & 0o077 != 0 => {
            return Err(TokenError::TooOpen { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(failed("read", path))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Changes the lines of the file. Whoever reads sees the old ones or the new ones.
pub(super) fn change(
    path: &Path,
    work: impl FnOnce(&mut Vec<String>) -> Result<(), TokenError>,
) -> Result<(), TokenError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let held = File::open(folder).map_err(failed("open", folder))?;
    flock(&held, FlockOperation::LockExclusive).map_err(|e| failed("lock", folder)(e.into()))?;
    let mut lines = read(path)?;
    work(&mut lines)?;
    let beside = path.with_extension("new");
    let write = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        for line in &lines {
            writeln!(file, "{line}")?;
        }
        file.sync_all()
    };
    write().map_err(failed("write", &beside))?;
    fs::rename(&beside, path).map_err(failed("replace", path))?;
    held.sync_all().map_err(failed("sync", folder))
}

fn failed(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TokenError {
    let path = path.to_owned();
    move |source| TokenError::Io { attempt, path, source }
}
