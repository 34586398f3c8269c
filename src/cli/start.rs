//! `nself start`

use clap::Args;

use crate::{
    controller::{self, Options, Pass},
    model::ServiceName,
    plan::{Event, Plan},
};

use super::{Context, Error, Exit, apply, apply::Consent, live::Progress, plan::Allow, session};

/// Start everything: apply without asking, stopped services included
///
/// The same as `nself apply -y`, after lifting what `nself stop` stopped.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself start                  all that nself.toml says, running
  nself start search           what `nself stop search` stopped, running again
  nself up                     the same word for people who come from compose")]
pub(super) struct StartArgs {
    /// Only lift the stop of these services [default: of all]
    services: Vec<ServiceName>,
    #[command(flatten)]
    allow: Allow,
}

pub(super) async fn run(args: &StartArgs, context: &Context) -> Result<Exit, Error> {
    let mut project = session::project(context)?;
    session::known(&project, &args.services)?;
    let engine = session::engine(context, &project).await?;
    let cancel = context.interrupt.finishing();
    let options = Options { policy: args.allow.policy() };
    let progress = Progress::new(context.ui);
    let events = |plan: &Plan, event: Event| progress.show(plan, &event);
    let agree = async |pass: &Pass| Consent { yes: true }.given(pass, context);
    let resumed = controller::resume(
        &engine,
        &mut project,
        &args.services,
        &options,
        agree,
        &events,
        &cancel,
    );
    let report = resumed.await?;
    progress.end();
    Ok(apply::ended(report.as_ref(), context))
}
