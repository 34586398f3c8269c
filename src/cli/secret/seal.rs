//! `nself secret encrypt` and `nself secret decrypt`

use clap::Args;

use crate::{
    cli::{Context, Error, Exit},
    secret::Vault,
};

/// Encrypt the file with the secrets to the recipients in nself.toml
///
/// From then on it is an age file (secrets.toml.age), and the one that anybody could read is gone. Whoever
/// plans or applies names an identity in `NSELF_AGE_KEY_FILE`. Run it again after changing the recipients.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  age-keygen -o ~/nself.key         a key, and the recipient to put into nself.toml:
                                      [vault]
                                      recipients = [\"age1…\"]
  NSELF_AGE_KEY_FILE=~/nself.key nself secret encrypt")]
pub(super) struct EncryptArgs {}

/// Write the secrets to a file that is not encrypted
///
/// First take the recipients out of nself.toml.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  NSELF_AGE_KEY_FILE=~/nself.key nself secret decrypt")]
pub(super) struct DecryptArgs {}

pub(super) fn encrypt(_: &EncryptArgs, vault: Vault, context: &Context) -> Result<Exit, Error> {
    if !vault.is_wanted_sealed() {
        return Err(Error::new(Exit::Invalid, "nself.toml names nobody to encrypt the secrets to")
            .remedy("add [vault] with recipients = [\"age1…\"]; age-keygen -o FILE makes a key"));
    }
    write(vault, context)
}

pub(super) fn decrypt(_: &DecryptArgs, vault: Vault, context: &Context) -> Result<Exit, Error> {
    if vault.is_wanted_sealed() {
        return Err(Error::new(
            Exit::Invalid,
            "nself.toml names recipients: the secrets are for them",
        )
        .remedy("take [vault] out of nself.toml first"));
    }
    write(vault, context)
}

fn write(mut vault: Vault, context: &Context) -> Result<Exit, Error> {
    vault.write_anew()?;
    let (path, word) =
        (vault.path(), if vault.is_sealed() { "encrypted" } else { "not encrypted" });
    context.ui.print(&format!("the secrets are in {}, {word}\n", path.display()));
    Ok(Exit::Done)
}
