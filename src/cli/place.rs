//! Where the project is: its file, the shell's environment, the user's folders.
//! The environment enters the program here, as a value, and nowhere else.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::controller::Place;

use super::{Error, Exit, Globals};

/// The file's usual name.
pub(super) const FILE: &str = "nself.toml";

/// The environment of the process; what is not Unicode cannot be meant for us.
pub(super) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Returns the folder to work in.
pub(super) fn folder(globals: &Globals) -> Result<PathBuf, Error> {
    let Some(folder) = &globals.directory else {
        return Ok(PathBuf::new());
    };
    if !folder.is_dir() {
        return Err(Error::usage(format!("there is no folder {}", folder.display())));
    }
    Ok(folder.clone())
}

/// What a path begins with that systemd hands over.
pub(super) const CREDENTIAL: &str = "credential:";

/// Returns where a file is that a person named: what systemd hands over is in a folder of its own.
pub(super) fn handed_over(file: &Path) -> PathBuf {
    let name = file.to_str().and_then(|file| file.strip_prefix(CREDENTIAL));
    let folder = variables().remove("CREDENTIALS_DIRECTORY");
    match (name, folder) {
        (Some(name), Some(folder)) => Path::new(&folder).join(name),
        _ => file.to_owned(),
    }
}

/// Finds the project.
pub(super) fn find(globals: &Globals) -> Result<Place, Error> {
    let folder = folder(globals)?;
    let file = match &globals.file {
        Some(file) => folder.join(file),
        None => upwards(&folder)?,
    };
    if file.is_dir() {
        return Err(Error::new(Exit::Invalid, format!("{} is a folder", file.display()))
            .remedy(format!("say which file: nself -f {}", file.join(FILE).display())));
    }
    if !file.is_file() {
        return Err(missing(&format!("there is no file {}", file.display())));
    }
    // An empty variable is how scripts say that there is none.
    let environment = globals.environment.clone().filter(|name| !name.is_empty());
    let variables = variables();
    let authority = authority(&variables);
    Ok(Place { file, environment, variables, authority })
}

/// Looks in `folder` and above it.
fn upwards(folder: &Path) -> Result<PathBuf, Error> {
    let near = folder.join(FILE);
    if near.is_file() {
        return Ok(near);
    }
    let absolute = std::path::absolute(folder.join("."))
        .map_err(|error| Error::of(Exit::Failed, &error).attempting("cannot find this folder"))?;
    let above = absolute.ancestors().skip(1).map(|folder| folder.join(FILE));
    above.into_iter().find(|file| file.is_file()).ok_or_else(|| {
        missing(&format!("there is no {FILE} in {} or above it", absolute.display()))
    })
}

fn missing(what: &str) -> Error {
    Error::new(Exit::Invalid, what)
        .remedy("nself init writes one; or say where it is: nself -f PATH …")
}

/// Returns the folder of the user's certificate authority.
pub(super) fn authority(variables: &BTreeMap<String, String>) -> PathBuf {
    let set = |name: &str| variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(set("HOME")?.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"));
    data.join("nself").join("ca")
}
