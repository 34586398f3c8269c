//! `nself watch install`

use std::{ffi::OsString, path::Path};

use clap::{Args, Parser as _};

use super::{
    super::{Cli, Command, Context, Error, Exit, place},
    WatchArgs,
};
use crate::report::{self, Unit};

/// Write a systemd unit that runs the loop with as few rights as it can do with
///
/// Without --write it is only shown. Secret files are handed over by systemd, so that the loop's user need not be able
/// to read them.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself watch install -- --git https://git.example.com/acme/shop.git --branch main
  nself watch install --name shop --write -- --git … --webhook github=/etc/nself/hook
  systemctl enable --now nself-shop")]
pub(super) struct InstallArgs {
    /// The unit is nself-NAME.service
    #[arg(long, default_value = "watch")]
    name: String,
    /// As whom it runs [default: a user that is there only while it runs]
    #[arg(long)]
    user: Option<String>,
    /// A group that may use the engine's socket
    #[arg(long, default_value = "docker")]
    group: String,
    /// Write it to /etc/systemd/system, which root may
    #[arg(long)]
    write: bool,
    /// What `nself watch` is to be given
    #[arg(last = true, value_name = "ARGUMENTS")]
    given: Vec<String>,
}

/// Where units are that a person installed.
const UNITS: &str = "/etc/systemd/system";
/// The options whose files systemd hands over, with the word before the path where there is one.
const FILES: &[&str] = &[
    "--password-file",
    "--ssh-key",
    "--known-hosts",
    "--verify",
    "--status-token-file",
    "--webhook",
];

pub(super) fn install(args: &InstallArgs, context: &Context) -> Result<Exit, Error> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if args.name.is_empty() || !args.name.chars().all(is_letter) {
        return Err(Error::usage(format!("`{}` is no name of a unit", args.name))
            .remedy("letters, digits, - and _"));
    }
    let follow = understood(&args.given)?;
    let unit = unit(args, &follow, context)?;
    let text = report::unit(&unit);
    if !args.write {
        context.ui.print(&text);
        context.ui.remark("\nnothing was written; --write puts it into /etc/systemd/system\n");
        return Ok(Exit::Done);
    }
    let path = Path::new(UNITS).join(format!("nself-{}.service", args.name));
    write(&path, &text)?;
    let name = &args.name;
    context.ui.print(&format!(
        "{} is written\nstart it: systemctl daemon-reload && systemctl enable --now nself-{name}\n",
        path.display()
    ));
    Ok(Exit::Done)
}

/// Refuses now what the unit would be refused at each start.
fn understood(given: &[String]) -> Result<Box<WatchArgs>, Error> {
    let words = ["nself", "watch"].into_iter().map(str::to_owned).chain(given.iter().cloned());
    let parsed = Cli::try_parse_from(words.map(OsString::from));
    let parsed = parsed.map_err(|error| {
        let said = error.render().to_string();
        let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Error::usage(format!("nself watch would not take that: {first}"))
    })?;
    match parsed.command {
        Command::Watch(follow) if follow.what.is_none() => Ok(follow),
        _ => Err(Error::usage("only the loop itself can be run by systemd")),
    }
}

fn unit(args: &InstallArgs, follow: &WatchArgs, context: &Context) -> Result<Unit, Error> {
    let program = std::env::current_exe().map_err(|error| {
        Error::of(Exit::Failed, &error).attempting("cannot find out where nself is")
    })?;
    let mut credentials = Vec::new();
    let mut arguments = vec!["watch".to_owned()];
    let mut words = args.given.iter().flat_map(|word| match word.split_once('=') {
        Some((option, value)) if FILES.contains(&option) => {
            vec![option.to_owned(), value.to_owned()]
        }
        _ => vec![word.clone()],
    });
    while let Some(word) = words.next() {
        let is_file = FILES.contains(&word.as_str());
        arguments.push(word.clone());
        if !is_file {
            continue;
        }
        let Some(value) = words.next() else { break };
        let (before, file) = match value.split_once('=') {
            Some((kind, file)) => (format!("{kind}="), file),
            None => (String::new(), value.as_str()),
        };
        let file = std::path::absolute(file).map_err(|error| {
            Error::of(Exit::Failed, &error).attempting("cannot find this folder")
        })?;
        let name = format!("{}{}", word.trim_start_matches("--"), before.trim_end_matches('='));
        arguments.push(format!("{before}{}{name}", place::CREDENTIAL));
        credentials.push((name, file.display().to_string()));
    }
    let is_folder = !follow.git.is_wanted();
    let place = if is_folder { Some(place::find(&context.globals)?) } else { None };
    let folder = match &place {
        Some(place) => {
            let folder = place.file.parent().unwrap_or(Path::new("")).join(".");
            let folder = std::path::absolute(folder);
            Some(folder.map_err(|error| {
                Error::of(Exit::Failed, &error).attempting("cannot find this folder")
            })?)
        }
        None => None,
    };
    Ok(Unit {
        title: args.name.clone(),
        program: program.display().to_string(),
        arguments,
        writable: folder.iter().map(|folder| folder.join(".nself").display().to_string()).collect(),
        folder: folder.map(|folder| folder.display().to_string()),
        user: args.user.clone(),
        groups: vec![args.group.clone()],
        state: format!("nself-{}", args.name),
        credentials,
        environment: Vec::new(),
    })
}

#[expect(clippy::disallowed_methods, reason = "a person asked for this file")]
fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|error| {
        Error::of(Exit::Failed, &error)
            .attempting(format!("cannot write {}", path.display()))
            .remedy("root may: sudo nself watch install --write …")
    })
}
