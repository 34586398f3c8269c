//! `nself restart`

use clap::Args;

use crate::{
    controller::{self, Options, Pass},
    model::ServiceName,
    plan::{Event, Plan, Policy},
};

use super::{Context, Error, Exit, apply, apply::Consent, live::Progress, session};

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
    services: Vec<ServiceName>,
}

pub(super) async fn run(args: &RestartArgs, context: &Context) -> Result<Exit, Error> {
    let mut project = session::project(context)?;
    session::known(&project, &args.services)?;
    let engine = session::engine(context, &project).await?;
    let cancel = context.interrupt.finishing();
    let options = Options { policy: Policy::default() };
    let progress = Progress::new(context.ui);
    let events = |plan: &Plan, event: Event| progress.show(plan, &event);
    let agree = async |pass: &Pass| Consent { yes: true }.given(pass, context);
    let restarted = controller::restart(
        &engine,
        &mut project,
        &args.services,
        &options,
        agree,
        &events,
        &cancel,
    );
    let report = restarted.await?;
    progress.end();
    Ok(apply::ended(report.as_ref(), context))
}
