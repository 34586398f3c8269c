//! `nself restart`

use clap::Args;

use crate::controller::{Goal, Options};

use super::{Context, Error, Exit, apply, apply::Consent, session};

/// Restart services as they are
///
/// Stops and starts the containers, in the order of what needs what. Nothing else is changed: what differs
/// from nself.toml goes on differing.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself restart api            one service
  nself restart api worker     two
  nself restart                everything")]
pub(super) struct RestartArgs {
    /// The services [default: all]
    services: Vec<String>,
}

pub(super) async fn run(args: &RestartArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let services = session::services(&project, &args.services)?;
    let options = Options { goal: Goal::Restart(services), ..Options::default() };
    apply::carry_out(project, &options, &Consent { yes: true }, context).await
}
