//! `nself secret`

use std::io::{self, IsTerminal as _, Read as _};

use clap::{Args, Subcommand};

use crate::{
    model::{SecretName, Sensitive},
    report,
    secret::Vault,
};

use super::{Context, Error, Exit, place, terminal};

/// List and set secrets
///
/// Secrets are kept in .nself/ beside nself.toml, which only you can read, and are shown as fingerprints
/// only. A value is never taken from the command line, where other users of the machine could see it.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself secret list
  nself secret set smtp_password          asks, and shows nothing of it
  nself secret set smtp_password < file   from a file or a pipe")]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// List the secrets with their fingerprints
    List,
    /// Set a secret: from the input, or by asking on a terminal
    Set {
        /// Its name, as in ${secret.NAME}
        name: SecretName,
    },
}

pub(super) fn run(args: &SecretArgs, context: &Context) -> Result<Exit, Error> {
    let place = place::find(&context.globals)?;
    let folder = place.file.with_file_name(".nself");
    let mut vault = Vault::open(&folder)?;
    match &args.command {
        SecretCommand::List => list(&vault, context),
        SecretCommand::Set { name } => {
            let value = read(name)?;
            vault.set(name, &value, now())?;
            context.ui.print(&format!("{name} is set; nself plan shows what it changes\n"));
        }
    }
    Ok(Exit::Done)
}

/// Returns the time in milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

fn list(vault: &Vault, context: &Context) {
    let entries = vault.list();
    if context.ui.json {
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| {
                serde_json::json!({
                    "name": entry.name.as_str(),
                    "fingerprint": entry.fingerprint.short(),
                })
            })
            .collect();
        context.ui.data(&report::json::text(&entries));
    }
    if entries.is_empty() {
        context.ui.print("no secrets yet: they are made at the first apply\n");
    }
    let width = entries.iter().map(|entry| entry.name.as_str().len()).max().unwrap_or(0);
    for entry in entries {
        let (name, fingerprint) = (entry.name.as_str(), entry.fingerprint.short());
        context.ui.print(&format!("{name:width$}  #{fingerprint}\n"));
    }
}

/// Reads the value; the newline that ends a line is no part of it.
fn read(name: &SecretName) -> Result<Sensitive, Error> {
    let mut value = String::new();
    let read = if io::stdin().is_terminal() {
        terminal::unseen(&format!("value of {name} (not shown): "), &mut value)
    } else {
        io::stdin().read_to_string(&mut value).map(drop)
    };
    read.map_err(|error| Error::of(Exit::Failed, &error).attempting("cannot read the value"))?;
    let value = value.strip_suffix('\n').unwrap_or(&value);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err(Error::usage("the value is empty; nothing was set"));
    }
    Ok(Sensitive::new(value))
}
