//! `nself apply`

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use clap::Args;

use crate::{
    controller::{self, Options, Pass, Project, Report, SavedPlan},
    engine::ReadOnly,
    model::ResourceId,
    plan::{Event, Plan, Policy, Saved},
    report::{self, Ending},
};

use super::{
    Context, Error, Exit, Ui,
    live::Progress,
    lock::Patience,
    plan::{self, Allow, Guard},
    saved, session,
};

/// Make it so
///
/// Shows the plan, asks once, and carries it out. What can fail early is done first, what does not depend
/// on a failure is still done, and a service that does not become ready is replaced by what worked
/// before. Ctrl-C finishes the running steps; a second one leaves at once, and the next apply goes on.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself apply                  show the plan, ask, do it
  nself apply -y               the same without asking, for scripts
  nself apply shop.plan        exactly what nself plan -o shop.plan showed, or nothing
  nself apply api worker       these two, with what they need
  nself apply --allow remove:volume/shop-search-data")]
pub(super) struct ApplyArgs {
    /// Services, with what they need [default: all], or one saved plan, carried out as it was shown or not
    /// at all
    #[arg(value_name = "SERVICE|PLAN")]
    what: Vec<String>,
    #[command(flatten)]
    guard: Guard,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    allow: Allow,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    back: Back,
}

/// Whether a failure takes everything back.
#[derive(Debug, Args)]
pub(super) struct Back {
    /// Bring everything back to the last good generation when something fails [default: in production]
    #[arg(long, overrides_with = "no_rollback_on_failure")]
    rollback_on_failure: bool,
    /// Leave what worked as it is when something fails
    #[arg(long)]
    no_rollback_on_failure: bool,
}

impl Back {
    pub(super) fn wanted(&self, project: &Project) -> bool {
        self.rollback_on_failure || (project.spec.production && !self.no_rollback_on_failure)
    }
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
    let file = match args.what.as_slice() {
        [one] => plan_file(one, context)?,
        _ => None,
    };
    let wait = args.patience.wait(context.ui);
    let Some(file) = file else {
        args.consent.possible(context, "apply")?;
        let project = session::project(context)?;
        let mut options = plan::options(&project, &args.what, &args.allow, &args.guard)?;
        if args.allow.adopts() {
            let engine = ReadOnly::new(session::engine(context, &project).await?);
            args.allow.adopt_what_fits(&engine, &project, &mut options).await?;
        }
        let back_on_failure = args.back.wanted(&project);
        let options = Options { wait, back_on_failure, ..options };
        return carry_out(project, &options, &args.consent, context).await;
    };
    let saved = saved::read(file)?;
    let project = session::project(context)?;
    fits(&saved, &project, file)?;
    let allow: Result<_, _> = saved.allow.iter().map(|release| release.parse()).collect();
    let refuse_over = saved.refuse_over.as_ref().and_then(|share| share.parse().ok());
    let options = Options {
        policy: Policy { allow: allow? },
        targets: session::services(&project, &saved.targets)?,
        refuse_over,
        back_on_failure: args.back.wanted(&project),
        wait,
        saved: Some(SavedPlan { engine: saved.engine, gist: saved.gist }),
        ..Options::default()
    };
    let done = carry_out(project, &options, &Consent { yes: true }, context).await;
    done.map_err(|error| match error.exit() {
        Exit::Stale => error.remedy(format!("look again: nself plan -o {}", file.display())),
        _ => error,
    })
}

/// Returns the file that is meant, unless a service is: what is the name of one is one, and what looks like
/// a path, or is there, is a file.
fn plan_file<'a>(word: &'a str, context: &Context) -> Result<Option<&'a Path>, Error> {
    let path = Path::new(word);
    if word.contains('/') {
        return Ok(Some(path));
    }
    // A plan of a project whose file cannot be read can still be a plan; what is wrong with it is said
    // when the project is read.
    let is_service = || {
        let place = super::place::find(&context.globals).ok()?;
        let project = controller::load(&place).ok()?;
        session::services(&project, &[word.to_owned()]).ok()
    };
    match (path.exists(), is_service().is_some()) {
        (true, true) => {
            let what = format!("`{word}` is a service, and a file here");
            let remedy =
                format!("nself apply ./{word} for the file; -C another folder for the service");
            Err(Error::usage(what).remedy(remedy))
        }
        (true, false) => Ok(Some(path)),
        (false, _) => Ok(None),
    }
}

/// Refuses a plan that was made for something else.
fn fits(saved: &Saved, project: &Project, file: &Path) -> Result<(), Error> {
    let refuse = |what: String, remedy: String| Err(Error::new(Exit::Stale, what).remedy(remedy));
    let named = |environment: &Option<String>| match environment {
        Some(environment) => format!("the environment {environment}"),
        None => "no environment".to_owned(),
    };
    if saved.project != project.spec.id {
        let what = format!("{} is a plan for another project ({})", file.display(), saved.project);
        return refuse(what, format!("this one is {}; use -f or -C", project.spec.id));
    }
    if saved.environment != project.place.environment {
        let (then, now) = (named(&saved.environment), named(&project.place.environment));
        let what = format!("{} is a plan for {then}, and this is {now}", file.display());
        let remedy = match &saved.environment {
            Some(environment) => format!("nself -e {environment} apply {}", file.display()),
            None => "leave -e and NSELF_ENVIRONMENT away".to_owned(),
        };
        return refuse(what, remedy);
    }
    Ok(())
}

/// Shows what would be done, and does nothing.
pub(super) async fn only_show(
    project: &Project,
    options: &Options,
    context: &Context,
) -> Result<Exit, Error> {
    let engine = ReadOnly::new(session::engine(context, project).await?);
    let pass = controller::look(&engine, project, options).await?;
    if context.ui.json {
        context.ui.data(&report::json::plan(&pass));
    }
    context.ui.print(&report::plan(&pass.plan, pass.looked_ms, context.ui.out));
    Ok(Exit::Done)
}

/// Does what was shown and agreed on by other means than a plan, and reports. When the world has moved
/// since, nothing is done.
pub(super) async fn carry_out_agreed(
    project: Project,
    options: &Options,
    shown: &Pass,
    context: &Context,
) -> Result<Exit, Error> {
    let ids = |pass: &Pass| -> Vec<ResourceId> {
        pass.plan.changes.changes.iter().map(|change| change.id.clone()).collect()
    };
    let shown = ids(shown);
    let moved = AtomicBool::new(false);
    let agree = async |pass: &Pass| {
        moved.store(ids(pass) != shown, Ordering::Relaxed);
        !moved.load(Ordering::Relaxed)
    };
    let report = perform(project, options, agree, context).await?;
    if moved.into_inner() {
        let error = Error::new(Exit::Failed, "something has changed since that was shown");
        return Err(error.remedy("look again, and give the same command once more"));
    }
    Ok(ended(report.as_ref(), context.ui.of("destroy")))
}

/// Shows, asks, does and reports: what apply, start, stop, restart and destroy have in common.
pub(super) async fn carry_out(
    project: Project,
    options: &Options,
    consent: &Consent,
    context: &Context,
) -> Result<Exit, Error> {
    let ui = if options.destroy { context.ui.of("destroy") } else { context.ui };
    let keyring = project.keyring.clone();
    let recalled = project.recalled.clone();
    let agree = async |pass: &Pass| {
        super::plan::note_unused(pass, &options.policy, &keyring, ui);
        if let Some(recalled) = &recalled {
            let lasting = crate::plan::lasting(&pass.desired, &pass.plan, &recalled.lost);
            ui.print(&report::lasting(&lasting, ui.out));
        }
        consent.given(pass, ui)
    };
    let report = perform(project, options, agree, context).await?;
    Ok(ended(report.as_ref(), ui))
}

/// Does what `agree` agrees to, showing how far it is.
async fn perform(
    mut project: Project,
    options: &Options,
    agree: impl AsyncFn(&Pass) -> bool,
    context: &Context,
) -> Result<Option<Report>, Error> {
    let engine = session::engine(context, &project).await?;
    let cancel = context.interrupt.finishing();
    let ui = if options.destroy { context.ui.of("destroy") } else { context.ui };
    let progress = Progress::new(ui);
    let engine = engine.with_progress(progress.listener());
    let events = |plan: &Plan, event: Event| progress.show(plan, &event);
    // On the heap: a whole apply is too large a future for every caller to carry around.
    let done = Box::pin(controller::apply(&engine, &mut project, options, agree, &events, &cancel));
    let done = done.await;
    progress.end();
    Ok(done?)
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
        Ending::Held | Ending::Refused => Exit::Held,
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
