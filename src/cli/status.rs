//! `nself status`

use std::collections::BTreeMap;

use clap::Args;

use crate::{
    controller::{self, Options},
    engine::Console as _,
    report::{self, Status},
};

use super::{Context, Error, Exit, session};

/// Show what runs, service by service
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself status                 states, memory, addresses
  nself -e prod status         of another environment
  nself status --json | jq '.services[] | select(.state != \"healthy\")'")]
pub(super) struct StatusArgs {}

pub(super) async fn run(_: &StatusArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let engine = session::engine(context, &project).await?;
    let pass = controller::plan(&engine, &project, &Options::default(), false).await?;
    let running: Vec<String> = pass
        .observed
        .containers
        .iter()
        .filter(|seen| seen.owner.is_ours() && seen.state == crate::observed::State::Running)
        .map(|seen| seen.name.clone())
        .collect();
    // A container that ends meanwhile has no memory to show; the rest of the table stands.
    let measure = async |name: String| Some((engine.usage(&name).await.ok()?.memory, name));
    let measured = futures_util::future::join_all(running.into_iter().map(measure)).await;
    let memory: BTreeMap<String, u64> =
        measured.into_iter().flatten().map(|(memory, name)| (name, memory)).collect();
    let status = Status::of(&pass.desired, &pass.observed, &pass.plan, &memory);
    if context.ui.json {
        context.ui.data(&report::json::status(&status, &pass.plan));
    }
    context.ui.print(&report::status(&status, &pass.plan, context.ui.out));
    if let Some((ledger, runs)) = super::watch::remembered(&project) {
        context.ui.print(&report::ledger(&ledger, runs, context.ui.out));
    }
    Ok(Exit::Done)
}
