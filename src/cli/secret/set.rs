//! `nself secret set`

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;

use crate::{
    cli::{Context, Error, Exit, session, terminal},
    controller::{self, Project},
    model::{SecretName, Sensitive},
    secret::Vault,
};

/// Set a secret: from the input, or by asking on a terminal
///
/// One that has a value already keeps it until the next apply has brought the new one everywhere.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself secret set smtp_password          asks, and shows nothing of it
  nself secret set smtp_password < file   from a file or a pipe")]
pub(super) struct SetArgs {
    /// Its name, as in ${secret.NAME}
    name: SecretName,
}

pub(super) async fn run(
    args: &SetArgs,
    project: &Project,
    mut vault: Vault,
    context: &Context,
) -> Result<Exit, Error> {
    let name = &args.name;
    if !project.keyring.is_present() {
        insist_on_nothing(project, context).await?;
    }
    let value = read(name)?;
    vault.set(name, &value, super::now())?;
    let what = if vault.pending().contains(name) {
        "has a new value, which nself apply brings everywhere; nself plan shows how"
    } else {
        "is set; nself plan shows what it changes"
    };
    context.ui.print(&format!("{name} {what}\n"));
    Ok(Exit::Done)
}

/// Refuses to begin a vault for what runs with the secrets of another one.
async fn insist_on_nothing(project: &Project, context: &Context) -> Result<(), Error> {
    let engine = match session::engine(context, project).await {
        Ok(engine) => engine,
        Err(error) if error.exit() == Exit::Failed => {
            let said = "note: the engine cannot be asked whether the project runs already; if it does, \
                        remove .nself and run nself secret recover first\n";
            context.ui.remark(said);
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    Ok(controller::insist_on_nothing(&engine, project, super::now()).await?)
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
