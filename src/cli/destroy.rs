//! `nself destroy`

use clap::Args;

use crate::{
    controller::{self, Options, Pass},
    plan::{Event, Plan},
};

use super::{Context, Error, Exit, apply, apply::Consent, live::Progress, plan::Allow, session};

/// Remove this project's containers and networks
///
/// Only what is this project's own is touched. Volumes are held until each is named, since what is in them
/// is gone for good.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself destroy                containers and networks; data stays
  nself destroy -y             without asking
  nself destroy --allow remove:volume/shop-postgres-data")]
pub(super) struct DestroyArgs {
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    allow: Allow,
}

pub(super) async fn run(args: &DestroyArgs, context: &Context) -> Result<Exit, Error> {
    args.consent.possible(context, "destroy")?;
    let mut project = session::project(context)?;
    let engine = session::engine(context, &project).await?;
    let cancel = context.interrupt.finishing();
    let options = Options { policy: args.allow.policy() };
    let progress = Progress::new(context.ui);
    let events = |plan: &Plan, event: Event| progress.show(plan, &event);
    let agree = async |pass: &Pass| args.consent.given(pass, context);
    let destroyed = controller::destroy(
        &engine,
        &mut project,
        &options,
        agree,
        &events,
        &cancel,
    );
    let report = destroyed.await?;
    progress.end();
    Ok(apply::ended(report.as_ref(), context))
}
