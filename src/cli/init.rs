//! `nself init`

use std::{fs::OpenOptions, io::Write as _, path::Path};

use clap::Args;
use rand::RngExt as _;

use crate::{model::ProjectName, report};

use super::{Context, Error, Exit, place};

/// Write a first nself.toml
///
/// Asks nothing and overwrites nothing. What it writes is a working stack with comments; the random
/// project.id in it marks this project's objects on the engine, so keep it when you copy the file to
/// another machine, and leave it out when you start another project from it.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself init                   named after this folder
  nself init --name shop       with a name of your own
  nself -C ~/shop init         in another folder")]
pub(super) struct InitArgs {
    /// The project's name, the first part of every name on the engine [default: this folder's name]
    #[arg(long)]
    name: Option<ProjectName>,
}

pub(super) fn run(args: &InitArgs, context: &Context) -> Result<Exit, Error> {
    let folder = place::folder(&context.globals)?;
    let file = folder.join(context.globals.file.as_deref().unwrap_or(Path::new(place::FILE)));
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&folder)?,
    };
    let failed = |error: std::io::Error| {
        let whole = Error::of(Exit::Failed, &error);
        let whole = whole.attempting(format!("cannot write {}", file.display()));
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                whole.remedy("it stays as it is; nself plan shows what it would do")
            }
            std::io::ErrorKind::NotFound => {
                let folder = file.parent().unwrap_or(&folder).display();
                whole.remedy(format!(
                    "there is no folder {folder}; make it first: mkdir -p {folder}"
                ))
            }
            std::io::ErrorKind::PermissionDenied => whole.remedy(
                "this folder is not yours to write; choose another one: nself -C FOLDER init",
            ),
            _ => whole,
        }
    };
    // Making the file and finding that it is there already are one act: nothing is ever overwritten.
    let mut open = OpenOptions::new().write(true).create_new(true).open(&file).map_err(failed)?;
    open.write_all(text(&name, &random_id()).as_bytes()).map_err(failed)?;
    let shown = file.display();
    context.ui.print(&format!("{shown} written\nnext: nself plan · nself apply\n"));
    if context.ui.json {
        context.ui.data(&report::json::init(&shown.to_string(), name.as_str()));
    }
    Ok(Exit::Done)
}

/// Returns the folder's name as a project's, with what may not be in one left out.
fn name_of(folder: &Path) -> Result<ProjectName, Error> {
    let absolute = std::path::absolute(folder.join("."))
        .map_err(|error| Error::of(Exit::Failed, &error).attempting("cannot find this folder"))?;
    let last = absolute.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let words = last.unwrap_or_default();
    let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    let name = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name: String = name.chars().take(40).collect();
    ProjectName::new(name.trim_end_matches('-')).map_err(|_| {
        Error::usage("this folder's name gives no name for a project")
            .remedy("nself init --name shop")
    })
}

/// Twelve of 32 characters: 60 bits, more than enough that no two projects on one engine ever meet.
pub(super) fn random_id() -> String {
    const DIGITS: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = rand::rng();
    (0..12).map(|_| char::from(DIGITS[random.random_range(0..DIGITS.len())])).collect()
}

fn text(name: &ProjectName, id: &str) -> String {
    format!(
        r#"# {name}, run by nself. See what it would do: nself plan. Make it so: nself apply.

[project]
name = "{name}"
id = "{id}"                    # marks this project's objects on the engine; keep it

# Each service is a table. Its name is the key; its kind is the key too, unless `kind` says otherwise.

[services.postgres]
version = "17"

# Your own code: an image, or a folder with a Dockerfile.
#
# [services.api]
# build  = "services/api"              # or: image = "ghcr.io/acme/api:1.4"
# port   = 8000
# route  = "api"                       # https://api.{name}.localhost
# env    = {{ DATABASE_URL = "${{postgres.url}}", JWT_KEY = "${{secret.jwt_key}}" }}
# limits = {{ memory = "512M", cpus = 0.5 }}
# health = {{ http = "/healthz" }}

# What is different elsewhere, chosen with `nself -e prod`:
#
# [environments.prod]
# production = true
# project.domain = "{name}.example.com"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_name_projects() {
        let named = |folder: &str| name_of(Path::new(folder)).ok().map(|name| name.to_string());
        assert_eq!(named("/srv/My Shop_2"), Some("my-shop-2".into()));
        assert_eq!(named("/srv/2nd.shop-"), Some("nd-shop".into()));
        assert_eq!(named("/"), None);
    }

    #[test]
    fn no_two_ids_are_alike() {
        assert_ne!(random_id(), random_id());
        assert_eq!(random_id().len(), 12);
    }
}
