//! `nself stop`

use clap::Args;

use crate::{
    controller::{self, Options, Pass},
    model::ServiceName,
    plan::{Event, Plan, Policy},
};

use super::{Context, Error, Exit, apply, apply::Consent, live::Progress, session};

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
    let mut project = session::project(context)?;
    session::known(&project, &args.services)?;
    let engine = session::engine(context, &project).await?;
    let cancel = context.interrupt.finishing();
    let options = Options { policy: Policy::default() };
    let progress = Progress::new(context.ui);
    let events = |plan: &Plan, event: Event| progress.show(plan, &event);
    let agree = async |pass: &Pass| Consent { yes: true }.given(pass, context);
    let suspended = controller::suspend(
        &engine,
        &mut project,
        &args.services,
        &options,
        agree,
        &events,
        &cancel,
    );
    let report = suspended.await?;
    progress.end();
    Ok(apply::ended(report.as_ref(), context))
}
