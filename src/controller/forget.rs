//! Removing what a project keeps beside its file.

use std::{fs, path::PathBuf};

use super::{Error, Project};
use crate::{model::Diagnostic, spec, spec::Source};

/// Returns the files that go when a project's secrets and history do; none when there are none.
///
/// # Errors
/// One where other environments of the same file have their secrets there too.
pub fn secrets_to_forget(project: &Project) -> Result<Vec<PathBuf>, Error> {
    let main = project.sources.first().cloned();
    let others: Vec<String> = main
        .iter()
        .flat_map(|main: &Source| spec::environments(main))
        .map(|name| name.to_string())
        .collect();
    if !others.is_empty() || project.place.environment.is_some() {
        let folder = project.vault_folder();
        let message = format!(
            "{} holds the secrets of all environments of this file, and reset is about one of them",
            folder.display()
        );
        let diagnostic = Diagnostic::error("shared-vault", message)
            .help("reset without --secrets; remove the folder yourself once nothing needs it");
        return Err(Error::Configuration {
            diagnostics: vec![diagnostic],
            sources: project.sources.clone(),
        });
    }
    let mut files = Vec::new();
    let folder = project.vault_folder();
    let inside = match fs::read_dir(&folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        inside => inside.map_err(unreadable(&folder))?,
    };
    for entry in inside {
        files.push(entry.map_err(unreadable(&folder))?.path());
    }
    files.sort();
    Ok(files)
}

/// Removes the folder with the project's secrets and history. One that is gone is removed.
///
/// # Errors
/// What the system says.
pub fn forget_secrets(project: &Project) -> Result<(), Error> {
    let folder = project.vault_folder();
    match fs::remove_dir_all(&folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(()),
        gone => gone.map_err(|cause| Error::File { what: "cannot write", path: folder, cause }),
    }
}

fn unreadable(folder: &std::path::Path) -> impl Fn(std::io::Error) -> Error {
    let folder = folder.to_owned();
    move |cause| Error::File { what: "cannot read", path: folder.clone(), cause }
}
