//! `nself show`

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Context, Error, Exit, saved};

/// Show a saved plan
///
/// Shows what `nself plan -o FILE` showed. Nothing is looked at: whether it still holds, `nself apply FILE`
/// finds out.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself plan -o shop.plan      save what would change
  nself show shop.plan         read it, here or elsewhere
  nself show shop.plan --format markdown   for a pull request
  nself show shop.plan --json | jq .nself.summary")]
pub(super) struct ShowArgs {
    /// The file
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// What to write it as; --json is short for json
    #[arg(long, value_name = "FORMAT", conflicts_with = "json")]
    format: Option<Shape>,
}

/// What a saved plan is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// For people
    Text,
    /// For programs, as Terraform does
    Json,
    /// For a comment on a pull request
    Markdown,
}

pub(super) fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Error> {
    let saved = saved::read(&args.plan)?;
    let ui = context.ui;
    match args.format.unwrap_or(if ui.json { Shape::Json } else { Shape::Text }) {
        Shape::Json => ui.data(&saved.json),
        Shape::Markdown => ui.data(&saved.markdown),
        Shape::Text => {
            let at = i64::try_from(saved.at).unwrap_or(i64::MAX);
            let at = jiff::Timestamp::from_millisecond(at);
            let at = at.map(|at| format!("{at:.0}")).unwrap_or_default();
            ui.print(&format!("made {at} by {} with nself {}\n\n", saved.by, saved.nself));
            ui.print(&saved.text);
        }
    }
    Ok(Exit::Done)
}
