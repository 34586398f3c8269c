//! Writing a file of the project anew, after it was seen that it would be good.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use crate::{
    controller::Project,
    secret::{Lock, Mode, replace},
    spec::{self, Source},
};

use super::{Error, Exit};

/// Refuses texts with which the project would not be one any more.
pub(super) fn check(project: &Project, texts: &[(String, String)]) -> Result<(), Error> {
    let text = |source: &Source| {
        let found = texts.iter().find(|(name, _)| **name == *source.name);
        found.map_or_else(|| source.clone(), |(name, text)| Source::new(name, text.as_bytes()))
    };
    let mut sources = project.sources.iter().map(text);
    let Some(main) = sources.next() else { return Ok(()) };
    let input = spec::Input {
        main,
        overlay: sources.next(),
        environment: project.spec.environment.clone(),
        process: project.place.variables.clone(),
    };
    let sources: Vec<Source> =
        std::iter::once(&input.main).chain(&input.overlay).cloned().collect();
    match spec::parse(&input) {
        Ok(_) => Ok(()),
        Err(diagnostics) => {
            Err(crate::controller::Error::Configuration { diagnostics, sources }.into())
        }
    }
}

/// Puts a text in the place of a file, at once or not at all. A link stays one, and a file that only its
/// owner could read stays so.
pub(super) fn write(project: &Project, path: &Path, text: &str) -> Result<(), Error> {
    let lock = Lock::take(&project.vault_folder())?;
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let bits = path.metadata().map_or(0o644, |metadata| metadata.permissions().mode());
    let mode = if bits.trailing_zeros() >= 6 { Mode::Private } else { Mode::Public };
    replace(&path, text, mode, &lock).map_err(|error| {
        Error::of(Exit::Failed, &error).attempting(format!("cannot write {}", path.display()))
    })
}
