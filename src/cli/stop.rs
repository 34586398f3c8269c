//! `nself stop`

use clap::Args;

use crate::controller::{Goal, Options};

use super::{Context, Error, Exit, apply, apply::Consent, lock::Patience, session};

/// Stop services and keep their data
///
/// The services stay stopped until `nself start`: plan and apply know about it and leave them alone.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself stop                   everything
  nself stop search            one service
  nself start search           and back")]
pub(super) struct StopArgs {
    /// The services [default: all]
    services: Vec<String>,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(args: &StopArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let services = session::services(&project, &args.services)?;
    let options = Options {
        goal: Goal::Suspend(services),
        wait: args.patience.wait(context.ui),
        ..Options::default()
    };
    apply::carry_out(project, &options, &Consent { yes: true }, context).await
}
