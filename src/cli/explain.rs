//! `nself explain`

use clap::Args;

use crate::{desired, report};

use super::{Context, Error, Exit, session};

/// Show where an effective value comes from
///
/// A line of the file, an environment laid over it, the default of a kind, or other values it was worked
/// out from.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself explain api.limits.memory
  nself explain api.env        all variables of a service
  nself -e prod explain postgres")]
pub(super) struct ExplainArgs {
    /// A service or resource, and behind dots a value or a group of values
    key: String,
}

pub(super) fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let wanted = session::compiled(&project)?.desired;
    let values = desired::explain(&project.spec, &wanted, &args.key).map_err(|problem| {
        let error = Error::usage(problem.message);
        match problem.help {
            Some(help) => error.remedy(help),
            None => error,
        }
    })?;
    if context.ui.json {
        context.ui.data(&report::json::explain(&values));
    }
    context.ui.print(&report::explain(&values, context.ui.out));
    Ok(Exit::Done)
}
