//! `nself start`

use clap::Args;

use crate::controller::{Goal, Options};

use super::{Context, Error, Exit, apply, apply::Consent, lock::Patience, plan::Allow, session};

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
    services: Vec<String>,
    #[command(flatten)]
    allow: Allow,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(args: &StartArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let services = session::services(&project, &args.services)?;
    let options = Options {
        goal: Goal::Resume(services),
        policy: args.allow.policy(),
        wait: args.patience.wait(context.ui),
        ..Options::default()
    };
    apply::carry_out(project, &options, &Consent { yes: true }, context).await
}
