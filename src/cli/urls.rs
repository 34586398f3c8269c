//! `nself urls`

use clap::Args;

use crate::report;

use super::{Context, Error, Exit, session};

/// Show where everything is reachable
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself urls                   each address with its service
  nself -e prod urls           in production
  nself urls --json | jq -r '.[].url'")]
pub(super) struct UrlsArgs {}

pub(super) fn run(_: &UrlsArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let desired = session::compiled(&project)?.desired;
    if context.ui.json {
        context.ui.data(&report::json::urls(&desired));
    }
    context.ui.print(&report::urls(&desired, context.ui.out));
    Ok(Exit::Done)
}
