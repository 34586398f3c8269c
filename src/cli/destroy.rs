//! `nself destroy`

use clap::Args;

use crate::controller::Options;

use super::{Context, Error, Exit, apply, apply::Consent, lock::Patience, plan::Allow, session};

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
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(args: &DestroyArgs, context: &Context) -> Result<Exit, Error> {
    args.consent.possible(context, "destroy")?;
    let project = session::project(context)?;
    let options = Options {
        destroy: true,
        policy: args.allow.policy(),
        wait: args.patience.wait(context.ui),
        ..Options::default()
    };
    apply::carry_out(project, &options, &args.consent, context).await
}
