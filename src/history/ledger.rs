//! What the loop remembers, in `watch.json`.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::Error;
use crate::sync::Ledger;

/// The name of the file.
const FILE: &str = "watch.json";

/// Reads what the loop remembers in `folder`; nothing when it never ran there.
///
/// # Errors
/// A file that cannot be read, is no ledger, or was written by a newer nself.
#[expect(clippy::disallowed_methods, reason = "this room keeps what was done")]
pub fn read_ledger(folder: &Path) -> Result<Ledger, Error> {
    let path = folder.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ledger::default()),
        Err(source) => return Err(Error::Io { attempt: "read", path, source }),
    };
    Ledger::read(&text).map_err(|error| Error::Ledger { path, cause: error.to_string() })
}

/// Writes what the loop remembers: all of it or nothing, whenever the power fails.
///
/// # Errors
/// Whatever the disk says.
pub fn write_ledger(folder: &Path, ledger: &Ledger) -> Result<(), Error> {
    let (path, next) = (folder.join(FILE), folder.join(format!("{FILE}.next")));
    let io = |attempt, path: &PathBuf, source| Error::Io { attempt, path: path.clone(), source };
    std::fs::create_dir_all(folder).map_err(|error| io("make", &folder.to_owned(), error))?;
    let write = || -> io::Result<()> {
        let mut file = File::create(&next)?;
        file.write_all(ledger.to_text().as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| io("write", &next, error))?;
    std::fs::rename(&next, &path).map_err(|error| io("write", &path, error))?;
    // So that the new name outlives a loss of power; where folders cannot be synced there is no more to do.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}
