//! `nself apply`

use clap::Args;

use crate::{
    controller::{self, Options, Pass, Project, Report},
    engine::ReadOnly,
    plan::{Event, Plan},
    report::{self, Ending},
};

use super::{Context, Error, Exit, Ui, live::Progress, plan::Allow, session};

/// Make it so
///
/// Shows the plan, asks once, and carries it out. What can fail early is done first, what does not depend
/// on a failure is still done, and a service that does not become ready is replaced by what worked
/// before. Ctrl-C finishes the running steps; a second one leaves at once, and the next apply goes on.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself apply                  show the plan, ask, do it
  nself apply -y               the same without asking, for scripts
  nself apply --allow remove:volume/shop-search-data")]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    allow: Allow,
}

/// Whether to ask.
#[derive(Debug, Args)]
pub(super) struct Consent {
    /// Do not ask; nothing that is held is released by this
    #[arg(short, long)]
    pub yes: bool,
}

impl Consent {
    /// Refuses to go on where nobody could be asked.
    pub(super) fn possible(&self, context: &Context, command: &str) -> Result<(), Error> {
        if self.yes || context.ui.can_ask() {
            return Ok(());
        }
        let message = "there is no terminal to ask on";
        Err(Error::usage(message).remedy(format!("nself {command} -y, after nself plan")))
    }

    /// Shows what is about to happen, and asks where that is wanted.
    fn given(&self, pass: &Pass, ui: Ui) -> bool {
        ui.print(&report::plan(&pass.plan, pass.looked_ms, ui.out));
        if self.yes || (pass.plan.steps.is_empty() && pass.plan.adopted() == 0) {
            return true;
        }
        // An answer that cannot be read is no consent.
        ui.ask("\nApply this?").unwrap_or(false)
    }
}

pub(super) async fn run(args: &ApplyArgs, context: &Context) -> Result<Exit, Error> {
    args.consent.possible(context, "apply")?;
    let project = session::project(context)?;
    let policy = if args.allow.adopts() {
        let engine = ReadOnly::new(session::engine(context, &project).await?);
        args.allow.with_adopted(&engine, &project).await?
    } else {
        args.allow.policy()
    };
    let options = Options { policy, ..Options::default() };
    carry_out(project, &options, &args.consent, context).await
}

/// Shows, asks, does and reports: what apply, start, stop, restart and destroy have in common.
pub(super) async fn carry_out(
    mut project: Project,
    options: &Options,
    consent: &Consent,
    context: &Context,
) -> Result<Exit, Error> {
    let engine = session::engine(context, &project).await?;
    let cancel = context.interrupt.finishing();
    let ui = if options.destroy { context.ui.of("destroy") } else { context.ui };
    let progress = Progress::new(ui);
    let engine = engine.with_progress(progress.listener());
    let events = |plan: &Plan, event: Event| progress.show(plan, &event);
    let keyring = project.keyring.clone();
    let agree = async |pass: &Pass| {
        super::plan::note_unused(pass, &options.policy, &keyring, ui);
        consent.given(pass, ui)
    };
    // On the heap: a whole apply is too large a future for every caller to carry around.
    let done = Box::pin(controller::apply(&engine, &mut project, options, agree, &events, &cancel));
    let done = done.await;
    progress.end();
    Ok(ended(done?.as_ref(), ui))
}

/// Shows what came of it, and returns the code to end with; `None` is a person's no.
fn ended(report: Option<&Report>, ui: Ui) -> Exit {
    let Some(report) = report else {
        ui.print("nothing was changed\n");
        return Exit::Failed;
    };
    let ending = report::ending(report);
    let exit = match ending {
        Ending::Nothing | Ending::Done => Exit::Done,
        Ending::Held => Exit::Held,
        Ending::Unsettled | Ending::Interrupted | Ending::Failed => Exit::Failed,
    };
    if ui.json {
        ui.data(&report::json::applied(report, exit.code()));
    }
    let text = report::outcome(report, exit.code(), ui.out);
    if exit == Exit::Failed {
        // What failed is said even with `-q`, which is only errors.
        if !ui.json {
            ui.complain(&text);
        }
    } else if ending != Ending::Nothing {
        // That there is nothing to do, the plan has said.
        ui.print(&text);
    }
    exit
}
