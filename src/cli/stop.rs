//! `nself stop`

use clap::Args;

use crate::{
    controller::{Goal, Options},
    model::ServiceName,
};

use super::{Context, Error, Exit, apply, apply::Consent, session};

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
    services: Vec<ServiceName>,
}

pub(super) async fn run(args: &StopArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    session::known(&project, &args.services)?;
    let services = args.services.iter().cloned().collect();
    let options = Options { goal: Goal::Suspend(services), ..Options::default() };
    apply::carry_out(project, &options, &Consent { yes: true }, context).await
}
