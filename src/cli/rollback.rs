//! `nself rollback`

use clap::Args;

use crate::controller::{self, Options};

use super::{Context, Error, Exit, apply, apply::Consent, lock::Patience, place, plan::Allow};

/// Bring everything back to an earlier generation
///
/// Takes nself.toml, declared variables, images and secrets as they were when that generation was applied,
/// shows the plan, asks, and carries it out. Without a generation it is the last good one that differs
/// from what stands; asking again goes further back. What is in volumes stays as it is. nself.toml is not
/// touched: `nself history show N --toml` prints it as it was.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself history                what there is to go back to
  nself rollback               to the last good generation
  nself rollback 12 -y         to this one, without asking")]
pub(super) struct RollbackArgs {
    /// The generation, as `nself history` shows it
    generation: Option<u64>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    allow: Allow,
    #[command(flatten)]
    patience: Patience,
}

pub(super) async fn run(args: &RollbackArgs, context: &Context) -> Result<Exit, Error> {
    args.consent.possible(context, "rollback")?;
    let place = place::find(&context.globals)?;
    let run = controller::earlier(&place, args.generation)?;
    let project = controller::recall(&place, &run)?;
    let (first, last) = run.generations().into_inner();
    let back = if first == last { last.to_string() } else { format!("{first}-{last}") };
    context.ui.print(&format!("back to generation {back}, as applied by {}\n", run.begun.user));
    if !run.is_good() {
        context.ui.remark("note: that apply did not end well\n");
    }
    let wait = args.patience.wait(context.ui);
    let options = Options { policy: args.allow.policy(), wait, ..Options::default() };
    let exit = apply::carry_out(project, &options, &args.consent, context).await?;
    if exit == Exit::Done {
        let (program, generation) = (context.ui.out.program, run.origin().generation);
        let file = place.file.display();
        context.ui.remark(&format!(
            "{file} was not touched, and {program} plan shows how it differs; to make it what it was: \
             {program} history show {generation} --toml > {file}\n"
        ));
    }
    Ok(exit)
}
