//! `nself check`

use clap::Args;

use crate::{model::Diagnostic, report};

use super::{Context, Error, Exit, error::texts, session};

/// Check nself.toml without an engine
///
/// Reads the file with the chosen environment over it and reports every mistake at once, each with its
/// line. Nothing is looked up and nothing is touched.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself check                  the file as it is
  nself -e prod check          with [environments.prod] over it
  nself check --json           for editors and CI")]
pub(super) struct CheckArgs {}

pub(super) fn run(_: &CheckArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let found = session::compiled(&project)?.warnings;
    session::warn(&project, &found, context);
    if context.ui.json {
        let warnings: Vec<Diagnostic> = project.warnings.iter().chain(&found).cloned().collect();
        context.ui.data(&report::json::check(&warnings, &texts(&project.sources)));
    }
    let services = project.spec.services.len();
    let plural = if services == 1 { "" } else { "s" };
    context.ui.print(&format!("{} · {services} service{plural} · good\n", project.spec.file));
    Ok(Exit::Done)
}
