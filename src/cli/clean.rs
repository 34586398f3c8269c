//! `nself clean`

use clap::Args;

use crate::controller::{Goal, Options};

use super::{Context, Error, Exit, apply, apply::Consent, session};

/// Remove what applies left behind
///
/// That is helpers and the lock of applies that were cut off, earlier builds of this project's services
/// that nothing uses, and builds of nself that have lost their name. Data, services and whatever is not
/// nself's stay. Images made by recipes are shared by all projects here and stay as well.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself clean                  show what would go, ask, remove it
  nself clean --dry-run        only show it
  nself clean -y               without asking")]
pub(super) struct CleanArgs {
    /// Only show what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    consent: Consent,
}

pub(super) async fn run(args: &CleanArgs, context: &Context) -> Result<Exit, Error> {
    let options = Options { goal: Goal::Clean, ..Options::default() };
    if !args.dry_run {
        args.consent.possible(context, "clean")?;
    }
    let project = session::project(context)?;
    if args.dry_run {
        return apply::only_show(&project, &options, context).await;
    }
    apply::carry_out(project, &options, &args.consent, context).await
}
