//! Where a project comes from: its files, the folders its images are built from, and git repositories.
//!
//! A person's folder is read, and never written. What a repository brings is written into a folder of its own.

mod context;
pub mod folder;
pub mod git;

pub use context::{ContextFile, Kind, digest, walk};

use std::{
    io,
    path::{Path, PathBuf},
};

/// The text of one configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The path, as the person named it.
    pub path: PathBuf,
    /// The bytes; whether they are text is for the reader to say.
    pub bytes: Vec<u8>,
}

/// Reads the main file and, if it is there, the overlay `nself.ENVIRONMENT.toml` beside it.
///
/// # Errors
/// The path that could not be read, and why. A missing overlay is none.
pub fn read(
    main: &Path,
    environment: Option<&str>,
) -> Result<(File, Option<File>), (PathBuf, io::Error)> {
    let main_file = file(main).map_err(|error| (main.to_owned(), error))?;
    let Some(environment) = environment else { return Ok((main_file, None)) };
    let overlay = overlay(main, environment);
    match file(&overlay) {
        Ok(overlay) => Ok((main_file, Some(overlay))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((main_file, None)),
        Err(error) => Err((overlay, error)),
    }
}

/// Returns where the overlay of an environment is, beside the main file.
pub fn overlay(main: &Path, environment: &str) -> PathBuf {
    let stem = main.file_stem().and_then(|stem| stem.to_str()).unwrap_or("nself");
    main.with_file_name(format!("{stem}.{environment}.toml"))
}

/// Reads one file.
///
/// # Errors
/// Whatever the system says.
#[expect(clippy::disallowed_methods, reason = "this room is where files are read")]
pub fn file(path: &Path) -> io::Result<File> {
    let bytes = std::fs::read(path)?;
    Ok(File { path: path.to_owned(), bytes })
}
