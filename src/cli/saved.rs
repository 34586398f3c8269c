//! Plans in files: written whole or not at all, and never over something else.
#![expect(clippy::disallowed_methods, reason = "this is where the command line touches plan files")]

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::plan::{Saved, Unreadable};

use super::{Error, Exit};

/// Plans are small. What is larger was not written by nself.
const LARGEST: u64 = 256 << 20;

/// Writes a plan to a file, in the place of an older plan.
pub(super) fn write(path: &Path, saved: &Saved) -> Result<(), Error> {
    let failed = |error: io::Error| {
        let what = format!("cannot save the plan in {}", path.display());
        Error::of(Exit::Failed, &error).attempting(what)
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(there) => {
            let is_plan = there.is_file()
                && !matches!(
                    text(path).map(|text| Saved::parse(&text)),
                    Ok(Err(Unreadable::Foreign)) | Err(_)
                );
            if there.is_file() && there.len() > 0 && !is_plan {
                let message = format!("{} is there, and is not a plan", path.display());
                return Err(Error::usage(message).remedy("name another file: nself plan -o FILE"));
            }
            if !there.is_file() {
                let message = format!("{} is not a file", path.display());
                return Err(Error::usage(message).remedy("name another file: nself plan -o FILE"));
            }
        }
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(name);
    let write = || {
        // Values of the environment are in it, though no secrets.
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(saved.to_text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        // What was begun is of no use; the error tells why.
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

/// Reads a plan from a file.
pub(super) fn read(path: &Path) -> Result<Saved, Error> {
    let attempt = format!("cannot read the plan {}", path.display());
    let text =
        text(path).map_err(|error| Error::of(Exit::Failed, &error).attempting(attempt.clone()))?;
    Saved::parse(&text).map_err(|error| {
        let remedy = match error {
            Unreadable::Foreign | Unreadable::Damaged => {
                format!("make it anew: nself plan -o {}", path.display())
            }
            Unreadable::Newer { .. } => "use the nself that wrote it, or a later one".to_owned(),
        };
        Error::of(Exit::Failed, &error).attempting(attempt).remedy(remedy)
    })
}

fn text(path: &Path) -> io::Result<String> {
    let file = fs::metadata(path)?;
    if !file.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    if file.len() > LARGEST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too large to be a plan"));
    }
    let bytes = fs::read(path)?;
    // What is no text is no plan, and reads as none.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
