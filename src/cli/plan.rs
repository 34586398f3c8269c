//! `nself plan`

use clap::Args;

use crate::{
    controller,
    engine::ReadOnly,
    plan::{Policy, Release},
    report,
};

use super::{Context, Error, Exit, session};

/// Show what would change, field by field and with reasons
///
/// Looks at the engine and compares. Nothing is changed: a plan is made with an engine that cannot write.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself plan                   what apply would do
  nself plan --exit-code       for CI: 0 nothing, 2 changes, 4 something is held
  nself plan --json | jq '.resource_changes[] | select(.change.actions != [\"no-op\"])'")]
pub(super) struct PlanArgs {
    /// End with 2 when changes are pending and 4 when something is held
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    allow: Allow,
}

/// What may be destroyed or replaced, by name.
#[derive(Debug, Args)]
pub(super) struct Allow {
    /// Release a held change, such as remove:volume/shop-postgres-data; may be given again
    #[arg(long = "allow", value_name = "VERB:RESOURCE")]
    releases: Vec<Release>,
}

impl Allow {
    pub(super) fn policy(&self) -> Policy {
        Policy { allow: self.releases.iter().cloned().collect() }
    }
}

pub(super) async fn run(args: &PlanArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let engine = ReadOnly::new(session::engine(context, &project).await?);
    let pass = controller::plan(&engine, &project, &args.allow.policy(), false).await?;
    if context.ui.json {
        context.ui.data(&report::json::plan(&pass));
    }
    context.ui.print(&report::plan(&pass.plan, pass.looked_ms, context.ui.out));
    Ok(match &pass.plan {
        _ if !args.exit_code => Exit::Done,
        plan if !plan.held.is_empty() => Exit::Held,
        plan if !plan.is_empty() => Exit::Pending,
        _ => Exit::Done,
    })
}
