//! `nself exec`

use std::io::{self, IsTerminal as _};

use clap::Args;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    controller::{self, Options},
    engine::{Console as _, Session},
};

use super::{Context, Error, Exit, session, terminal};

/// Run a command inside a service's container
///
/// Ends with the command's own exit code. With a terminal on both ends the command gets one too.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself exec postgres psql -U postgres
  nself exec api               a shell
  nself exec postgres -- pg_dump -U postgres app > app.sql")]
pub(super) struct ExecArgs {
    /// As this user, or user:group
    #[arg(short, long)]
    user: Option<String>,
    /// The service; api-2 is the second container of api
    service: String,
    /// The command [default: a shell]
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

/// The better shell of the two that a container may have.
const SHELL: [&str; 3] = ["sh", "-c", "if command -v bash >/dev/null; then exec bash; fi; exec sh"];

pub(super) async fn run(args: &ExecArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let engine = session::engine(context, &project).await?;
    let pass = Box::pin(controller::plan(&engine, &project, &Options::default(), false)).await?;
    let is_meant = |one: &crate::desired::Container| {
        let service = one.service.as_str();
        (one.replica == 1 && args.service == service)
            || args.service == format!("{service}-{}", one.replica)
            || args.service.strip_prefix("container/").unwrap_or(&args.service) == one.name
    };
    let Some(found) = pass.desired.containers().find(|one| is_meant(one)) else {
        let names: Vec<&str> =
            pass.desired.containers().map(|container| container.service.as_str()).collect();
        return Err(Error::usage(format!(
            "there is no service `{}` in this project",
            args.service
        ))
        .remedy(format!("the services are {}", names.join(", "))));
    };
    session::insist_on_running(&pass, found, &args.service)?;
    let words = if args.command.is_empty() {
        SHELL.map(str::to_owned).to_vec()
    } else {
        args.command.clone()
    };
    let has_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let _mode = if has_terminal {
        let raw = terminal::Mode::raw();
        Some(raw.map_err(|error| {
            Error::of(Exit::Failed, &error).attempting("cannot prepare the terminal")
        })?)
    } else {
        None
    };
    let code = engine
        .exec(
            &found.name,
            Session {
                argv: words,
                user: args.user.clone(),
                stdin: Some(Box::pin(tokio::io::stdin())),
                stdout: Box::pin(tokio::io::stdout()),
                stderr: Box::pin(tokio::io::stderr()),
                terminal: has_terminal.then(sizes),
            },
        )
        .await?;
    // Codes are of one byte; what is not, such as -1, is no success either.
    Ok(Exit::Passed(u8::try_from(code).unwrap_or(1)))
}

/// Returns the size of the terminal, now and whenever it changes.
fn sizes() -> watch::Receiver<(u16, u16)> {
    let (sender, receiver) = watch::channel(terminal::size());
    tokio::spawn(async move {
        let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
        while changes.recv().await.is_some() {
            if sender.send(terminal::size()).is_err() {
                return;
            }
        }
    });
    receiver
}
