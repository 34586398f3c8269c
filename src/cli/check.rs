//! `nself check`

use clap::{Args, ValueEnum};

use crate::{model::Diagnostic, report};

use super::{Context, Error, Exit, error::texts, format::Format, session};

/// Check nself.toml without an engine
///
/// Reads the file with the chosen environment over it and reports every mistake at once, each with its
/// line. Nothing is looked up and nothing is touched.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself check                  the file as it is
  nself -e prod check          with [environments.prod] over it
  nself check --format sarif   for code scanning; --json for editors")]
pub(super) struct CheckArgs {
    /// What to write it as; --json is short for json
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<CheckFormat>,
}

/// What mistakes are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckFormat {
    /// For people
    Text,
    /// For programs
    Json,
    /// For code scanning: SARIF 2.1.0
    Sarif,
}

impl CheckArgs {
    /// Returns what was chosen, for errors too.
    pub(super) fn format(&self) -> Option<Format> {
        Some(match self.format? {
            CheckFormat::Text => Format::Text,
            CheckFormat::Json => Format::Json,
            CheckFormat::Sarif => Format::Sarif("check"),
        })
    }
}

pub(super) fn run(_: &CheckArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let found = session::compiled(&project)?.warnings;
    session::warn(&project, &found, context);
    let warnings: Vec<Diagnostic> = project.warnings.iter().chain(&found).cloned().collect();
    let sources = texts(&project.sources);
    match context.ui.format {
        Format::Json => context.ui.data(&report::json::check(&warnings, &sources)),
        Format::Sarif(command) => {
            context.ui.data(&report::sarif::check(command, &warnings, &sources));
        }
        Format::Text | Format::Markdown(_) | Format::Dot => {}
    }
    let services = project.spec.services.len();
    let plural = if services == 1 { "" } else { "s" };
    context.ui.print(&format!("{} · {services} service{plural} · good\n", project.spec.file));
    Ok(Exit::Done)
}
