//! `nself restart`

use clap::Args;

use crate::controller::{self, Goal, Options};

use super::{Context, Error, Exit, apply, apply::Consent, lock::Patience, session};

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
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(args: &RestartArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let services = session::services(&project, &args.services)?;
    if !services.is_empty() {
        // Only what runs is restarted; that the rest does not is said before anything is touched.
        let engine = session::engine(context, &project).await?;
        let pass = controller::plan(&engine, &project, &Options::default(), false).await?;
        for service in &services {
            let mut all = pass.desired.containers().filter(|one| one.service == *service);
            let stopped = |one| session::insist_on_running(&pass, one, service.as_str()).err();
            let refusals: Option<Vec<Error>> = all.by_ref().map(stopped).collect();
            if let Some(refusal) = refusals.and_then(|refusals| refusals.into_iter().next()) {
                return Err(refusal);
            }
        }
    }
    let options = Options {
        goal: Goal::Restart(services),
        wait: args.patience.wait(context.ui),
        ..Options::default()
    };
    apply::carry_out(project, &options, &Consent { yes: true }, context).await
}
