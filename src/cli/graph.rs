//! `nself graph`

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};

use crate::{
    controller,
    engine::ReadOnly,
    report::{self, graph},
};

use super::{Context, Error, Exit, format::Format, session};

/// Show what needs what, and why
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself graph                  as a tree
  nself graph --format dot | dot -Tsvg > graph.svg
  nself graph --plan           with what apply would do to each")]
pub(super) struct GraphArgs {
    /// What to write it as; --json is short for json
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<GraphFormat>,
    /// Short for --format dot
    #[arg(long, conflicts_with_all = ["json", "format"])]
    dot: bool,
    /// Look at the engine, and mark what apply would do
    #[arg(long, conflicts_with = "json")]
    plan: bool,
}

/// What a graph is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// A tree for people
    Text,
    /// Nodes and edges for programs
    Json,
    /// The DOT language, for Graphviz
    Dot,
}

impl GraphArgs {
    /// Returns what was chosen, for errors too.
    pub(super) fn format(&self) -> Option<Format> {
        if self.dot {
            return Some(Format::Dot);
        }
        Some(match self.format? {
            GraphFormat::Text => Format::Text,
            GraphFormat::Json => Format::Json,
            GraphFormat::Dot => Format::Dot,
        })
    }
}

pub(super) async fn run(args: &GraphArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let (desired, marks) = if args.plan {
        let engine = ReadOnly::new(session::engine(context, &project).await?);
        let pass =
            controller::plan(&engine, &project, &controller::Options::default(), false).await?;
        let marks = graph::marks(&pass.plan);
        (pass.desired, marks)
    } else {
        (session::compiled(&project)?.desired, BTreeMap::new())
    };
    let ui = context.ui;
    match ui.format {
        Format::Json => ui.data(&report::json::graph(&desired)),
        Format::Dot => ui.data(&graph::dot(&desired, &marks)),
        Format::Text | Format::Markdown(_) | Format::Sarif(_) => {
            ui.print(&graph::tree(&desired, &marks, ui.out));
        }
    }
    Ok(Exit::Done)
}
