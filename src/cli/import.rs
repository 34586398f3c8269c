//! `nself import`

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use crate::{
    compose::{self, Imported, Input, Outcome, Refused},
    report,
    secret::Vault,
    source,
};

use super::{Context, Error, Exit, init, place};

/// Take over a project of another tool
///
/// Writes an nself.toml that asks for what the other tool's files ask for, and says of each key that could
/// not be carried over which one, where and why: on the error output and in the file. Passwords and keys
/// go into the vault, and the file refers to them. What runs already is adopted as it is with
/// `nself apply --adopt`: same containers, same data.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself import compose                       compose.yaml or docker-compose.yml here
  nself import compose docker-compose.yml && nself plan
  nself import compose base.yml prod.yml --profile mail -o shop.toml")]
pub(super) struct ImportArgs {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// A project of Docker Compose
    Compose(ComposeArgs),
}

#[derive(Debug, Args)]
struct ComposeArgs {
    /// The compose files, the later over the earlier [default: compose.yaml or docker-compose.yml, and its
    /// override]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = place::FILE)]
    output: PathBuf,
    /// The project's name, as `docker compose -p` takes it
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Take the services of this profile, too; may be given again
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<String>,
}

pub(super) fn run(args: &ImportArgs, context: &Context) -> Result<Exit, Error> {
    let ImportCommand::Compose(args) = &args.command;
    let folder = place::folder(&context.globals)?;
    let output = folder.join(&args.output);
    if output.exists() {
        let error = Error::new(Exit::Failed, format!("there is a {} already", output.display()));
        return Err(error.remedy("write another one: nself import compose -o FILE"));
    }
    let imported = match read(args, &folder)? {
        Ok(imported) => imported,
        Err(Refused { problems, sources }) => {
            let text = report::diagnostic::text(&problems, &sources, context.ui.err.colours());
            if context.ui.json {
                context.ui.data(&report::json::check(&problems, &sources));
            }
            context.ui.complain(&text);
            return Ok(Exit::Invalid);
        }
    };
    write(&imported, &output)?;
    show(&imported, &output, context);
    Ok(Exit::Done)
}

/// The names that Compose looks for, in its order; the second of each is laid over the first.
const USUAL: [(&str, [&str; 2]); 4] = [
    ("compose.yaml", ["compose.override.yaml", "compose.override.yml"]),
    ("compose.yml", ["compose.override.yml", "compose.override.yaml"]),
    ("docker-compose.yml", ["docker-compose.override.yml", "docker-compose.override.yaml"]),
    ("docker-compose.yaml", ["docker-compose.override.yaml", "docker-compose.override.yml"]),
];

fn usual(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let (first, over) = USUAL
        .iter()
        .map(|(first, over)| (folder.join(first), over))
        .find(|(first, _)| first.is_file())
        .ok_or_else(|| {
            let error = Error::new(Exit::Invalid, "there is no compose file here");
            error.remedy("say which one: nself import compose FILE")
        })?;
    let over = over.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    Ok(std::iter::once(first).chain(over).collect())
}

/// Reads whatever the import asks for, until it has all.
fn read(args: &ComposeArgs, folder: &Path) -> Result<Result<Box<Imported>, Refused>, Error> {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Error::of(Exit::Failed, &error).attempting("cannot find this folder"))
    };
    let files = if args.files.is_empty() {
        usual(folder)?
    } else {
        args.files.iter().map(|file| folder.join(file)).collect()
    };
    let files: Vec<PathBuf> = files.iter().map(|file| absolute(file)).collect::<Result<_, _>>()?;
    let parent = files.first().and_then(|file| file.parent());
    let process = place::variables();
    let mut input = Input {
        folder: parent.map(Path::to_owned).unwrap_or_default(),
        files,
        texts: BTreeMap::new(),
        home: process.get("HOME").cloned(),
        process,
        project: args.project.clone(),
        profiles: args.profiles.iter().cloned().collect::<BTreeSet<_>>(),
        id: init::random_id(),
    };
    loop {
        match compose::import(&input) {
            Err(refused) => return Ok(Err(refused)),
            Ok(Outcome::Done(imported)) => return Ok(Ok(imported)),
            Ok(Outcome::Wants(paths)) => {
                for path in paths {
                    let read = source::file(&path).map(|file| file.bytes);
                    input.texts.insert(path, read.map_err(|error| error.to_string()));
                }
            }
        }
    }
}

/// Puts the secrets into the vault, then writes the file.
fn write(imported: &Imported, output: &Path) -> Result<(), Error> {
    if !imported.secrets.is_empty() {
        let mut vault = Vault::open(&output.with_file_name(".nself"))?;
        let keyring = vault.keyring();
        let other = imported
            .secrets
            .iter()
            .find(|(name, value)| keyring.get(name).is_some_and(|known| known != *value));
        if let Some((name, _)) = other {
            let message = format!("the vault has another value for {name}");
            let error = Error::new(Exit::Failed, message);
            return Err(error.remedy(format!(
                "it belongs to another project here; import into a folder of its own, without {}",
                vault.path().display()
            )));
        }
        for (name, value) in &imported.secrets {
            vault.set(name, value, super::secret::now())?;
        }
    }
    let failed = |error: std::io::Error| {
        let what = format!("cannot write {}", output.display());
        Error::of(Exit::Failed, &error).attempting(what)
    };
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).open(output).map_err(failed)?;
    file.write_all(imported.text.as_bytes()).map_err(failed)
}

fn show(imported: &Imported, output: &Path, context: &Context) {
    let Imported { text: _, name, findings, secrets, services, sources } = imported;
    if context.ui.json {
        let names = secrets.keys().map(crate::model::SecretName::as_str).collect();
        let file = output.display().to_string();
        let found = (findings.as_slice(), sources.as_slice());
        context.ui.data(&report::json::imported(&file, name.as_str(), *services, names, found));
    }
    context.ui.remark(&report::diagnostic::text(findings, sources, context.ui.err.colours()));
    let plural =
        |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    context.ui.print(&format!("{} written: {}\n", output.display(), plural(*services, "service")));
    if !secrets.is_empty() {
        let names: Vec<&str> = secrets.keys().map(crate::model::SecretName::as_str).collect();
        let count = plural(names.len(), "secret");
        context.ui.print(&format!("{count} put into the vault: {}\n", names.join(", ")));
    }
    let is_usual = output.file_name().is_some_and(|name| name == place::FILE);
    let file = if is_usual { String::new() } else { format!(" -f {}", output.display()) };
    context.ui.print(&format!("next: nself{file} plan · nself{file} apply --adopt\n"));
}
