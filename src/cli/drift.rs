//! `nself drift`

use clap::Args;

use crate::{
    controller::{self, Options},
    engine::ReadOnly,
    report,
};

use super::{
    Context, Error, Exit,
    format::{Page, PageFormat},
    session,
};

/// Show what was changed behind nself's back
///
/// Looks at everything, the contents of generated files included, and reports what somebody other than
/// nself.toml has moved. Changes that you made in the file are plan's business.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself drift                  what moved, and how it would be put back
  nself drift --exit-code      for CI: 2 when something moved
  nself -e prod drift --json   for programs")]
pub(super) struct DriftArgs {
    /// End with 2 when something moved
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    pub(super) format: PageFormat,
}

pub(super) async fn run(args: &DriftArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let engine = ReadOnly::new(session::engine(context, &project).await?);
    let pass = controller::plan(&engine, &project, &Options::default(), true).await?;
    let applied = pass.observed.record.as_ref().map(|record| record.at);
    let ago = applied.and_then(|at| pass.observed.at.checked_sub(at));
    let ui = context.ui;
    match args.format.page(ui) {
        Page::Text => ui.print(&report::drift(&pass.plan, ago, ui.out)),
        Page::Json => ui.data(&report::json::drift(&pass)),
        Page::Markdown => ui.data(&report::markdown::drift(&pass, ui.out)),
        Page::Sarif => ui.data(&report::sarif::drift(&pass, ui.out)),
    }
    let moved = pass.plan.changes.changes.iter().any(crate::diff::Change::is_drift);
    Ok(if moved && args.exit_code { Exit::Pending } else { Exit::Done })
}
