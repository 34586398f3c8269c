//! `nself explain`

use clap::Args;

use crate::report;

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
    let desired = session::desired(&project)?;
    let values = report::explained(&desired, &args.key);
    if values.is_empty() {
        let names: Vec<&str> =
            desired.containers().map(|container| container.service.as_str()).collect();
        return Err(Error::usage(format!("nothing is known of `{}`", args.key))
            .remedy(format!("begin with a service: {}", names.join(", "))));
    }
    if context.ui.json {
        context.ui.data(&report::explain_json(&values));
    }
    context.ui.print(&report::explain(&values, context.ui.out));
    Ok(Exit::Done)
}
