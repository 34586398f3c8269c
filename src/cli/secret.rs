//! `nself secret`

mod list;
mod recover;
mod rotate;
mod seal;
mod set;

use clap::{Args, Subcommand};

use crate::{
    controller::{self, Project},
    model::SecretName,
    secret::Vault,
};

use super::{Context, Error, Exit, place};

/// List, set and change secrets
///
/// Secrets are kept in .nself/ beside nself.toml, which only you can read, and are shown as fingerprints
/// only. A value is never taken from the command line, where other users of the machine could see it.
/// A new value for a secret that has one is pending until the next apply has brought it everywhere: into
/// the service first, then to all who use it, one after another; then the old one is not valid any more.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself secret list
  nself secret set smtp_password          asks, and shows nothing of it
  nself secret set smtp_password < file   from a file or a pipe
  nself secret rotate postgres && nself apply
  nself secret recover                    in a copy of the project without its .nself/")]
pub(super) struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    List(list::ListArgs),
    Set(set::SetArgs),
    Rotate(rotate::RotateArgs),
    Recover(recover::RecoverArgs),
    Encrypt(seal::EncryptArgs),
    Decrypt(seal::DecryptArgs),
}

pub(super) async fn run(args: &SecretArgs, context: &Context) -> Result<Exit, Error> {
    let project = controller::load(&place::find(&context.globals)?)?;
    let vault = project.vault()?;
    for warning in vault.warnings() {
        context.ui.remark(&format!("note: {warning}\n"));
    }
    match &args.command {
        SecretCommand::List(args) => list::run(args, &project, &vault, context),
        SecretCommand::Set(args) => set::run(args, &project, vault, context).await,
        SecretCommand::Rotate(args) => rotate::run(args, &project, vault, context),
        SecretCommand::Recover(args) => recover::run(args, &project, vault, context).await,
        SecretCommand::Encrypt(args) => seal::encrypt(args, vault, context),
        SecretCommand::Decrypt(args) => seal::decrypt(args, vault, context),
    }
}

/// Returns the time in milliseconds since 1970.
pub(super) fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

fn list_of(names: &[SecretName]) -> String {
    let names: Vec<&str> = names.iter().map(SecretName::as_str).collect();
    names.join(", ")
}

/// Refuses what needs a vault where there is none.
fn insist_on_vault(project: &Project, vault: &Vault) -> Result<(), Error> {
    if project.keyring.is_present() {
        return Ok(());
    }
    let message = format!("there are no secrets in {}", vault.path().display());
    Err(Error::new(Exit::Invalid, message)
        .remedy("nself apply makes them; if the project runs already: nself secret recover"))
}
