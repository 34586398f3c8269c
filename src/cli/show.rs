//! `nself show`

use std::path::PathBuf;

use clap::Args;

use super::{Context, Error, Exit, saved};

/// Show a saved plan
///
/// Shows what `nself plan -o FILE` showed. Nothing is looked at: whether it still holds, `nself apply FILE`
/// finds out.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself plan -o shop.plan      save what would change
  nself show shop.plan         read it, here or elsewhere
  nself show shop.plan --json | jq .nself.summary")]
pub(super) struct ShowArgs {
    /// The file
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
}

pub(super) fn run(args: &ShowArgs, context: &Context) -> Result<Exit, Error> {
    let saved = saved::read(&args.plan)?;
    if context.ui.json {
        context.ui.data(&saved.json);
        return Ok(Exit::Done);
    }
    let at = i64::try_from(saved.at).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(at).map(|at| format!("{at:.0}")).unwrap_or_default();
    context.ui.print(&format!("made {at} by {} with nself {}\n\n", saved.by, saved.nself));
    context.ui.print(&saved.text);
    Ok(Exit::Done)
}
