//! `nself graph`

use clap::Args;

use crate::report::{self, graph};

use super::{Context, Error, Exit, session};

/// Show what needs what, and why
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself graph                  as a tree
  nself graph --dot | dot -Tsvg > graph.svg
  nself graph --json           nodes and edges for programs")]
pub(super) struct GraphArgs {
    /// In the DOT language, for Graphviz
    #[arg(long, conflicts_with = "json")]
    dot: bool,
}

pub(super) fn run(args: &GraphArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let desired = session::compiled(&project)?.desired;
    if context.ui.json {
        context.ui.data(&report::json::graph(&desired));
    } else if args.dot {
        context.ui.data(&graph::dot(&desired));
    }
    if !args.dot {
        context.ui.print(&graph::tree(&desired, context.ui.out));
    }
    Ok(Exit::Done)
}
