//! `nself drift`

use clap::{Args, Subcommand};

use crate::{
    controller::{self, Options, Pass, Project},
    edit::{self, Acceptance, Wish},
    engine::ReadOnly,
    report,
};

use super::{
    Context, Error, Exit,
    format::{Page, PageFormat},
    rewrite, session,
};

/// Show what was changed behind nself's back
///
/// Looks at everything, the contents of generated files included, and reports what somebody other than
/// nself.toml has moved. Changes that you made in the file are plan's business.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(before_help = "Examples:
  nself drift                  what moved, and how it would be put back
  nself drift --exit-code      for CI: 2 when something moved
  nself -e prod drift --json   for programs
  nself drift accept container/shop-redis.limits.memory")]
pub(super) struct DriftArgs {
    /// End with 2 when something moved
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    pub(super) format: PageFormat,
    #[command(subcommand)]
    command: Option<DriftCommand>,
}

#[derive(Debug, Subcommand)]
enum DriftCommand {
    /// Keep what moved: write the live values into nself.toml
    Accept(AcceptArgs),
}

#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself drift accept container/shop-redis.limits.memory
  nself drift accept container/shop-redis    all that moved of it
  nself drift accept --all --dry-run         what would be written")]
struct AcceptArgs {
    /// What to keep, as drift shows it: RESOURCE or RESOURCE.FIELD
    #[arg(value_name = "PATH", required_unless_present = "all")]
    paths: Vec<String>,
    /// Everything that moved
    #[arg(long, conflicts_with = "paths")]
    all: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(args: &DriftArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let engine = ReadOnly::new(session::engine(context, &project).await?);
    let pass = controller::plan(&engine, &project, &Options::default(), true).await?;
    if let Some(DriftCommand::Accept(args)) = &args.command {
        return accept(args, &project, &pass, context);
    }
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

/// Writes what moved into the file, or says why it cannot be.
fn accept(
    args: &AcceptArgs,
    project: &Project,
    pass: &Pass,
    context: &Context,
) -> Result<Exit, Error> {
    let wish = if args.all { Wish::All } else { Wish::Named(args.paths.clone()) };
    let Pass { desired, observed, plan, .. } = pass;
    let (spec, sources) = (&project.spec, &project.sources);
    let accepted = edit::accept(spec, sources, desired, observed, &plan.changes, &wish);
    let texts = accepted.files.iter().map(|file| (file.name.clone(), file.after.clone()));
    let texts: Vec<(String, String)> = texts.collect();
    rewrite::check(project, &texts)?;
    if !args.dry_run {
        for (name, text) in &texts {
            rewrite::write(project, std::path::Path::new(name), text)?;
        }
    }
    show(&accepted, args.dry_run, context);
    let Acceptance { refused, unknown, .. } = accepted;
    if let Some(name) = unknown.first() {
        let error = Error::usage(format!("nothing that moved is called {name}"));
        return Err(error.remedy("see what moved: nself drift"));
    }
    Ok(if refused.is_empty() { Exit::Done } else { Exit::Failed })
}

fn show(accepted: &Acceptance, dry_run: bool, context: &Context) {
    let Acceptance { taken, refused, files, unknown } = accepted;
    if context.ui.json {
        let refused = refused.iter().map(|one| (one.path.as_str(), one.why.as_str()));
        let names = files.iter().map(|file| file.name.as_str()).collect();
        let data = report::json::accepted(!dry_run, taken, refused, unknown, names);
        context.ui.data(&data);
    }
    for file in files {
        let diff = similar::TextDiff::from_lines(&file.before, &file.after);
        let text = diff.unified_diff().context_radius(1).header(&file.name, &file.name).to_string();
        context.ui.print(&text);
    }
    for one in refused {
        context.ui.complain(&format!("not written: {}: {}\n", one.path, one.why));
    }
    let count = taken.len();
    let done = if dry_run { "would be written" } else { "written; see nself plan" };
    let values = if count == 1 { "value" } else { "values" };
    context.ui.print(&format!("{count} {values} {done}\n"));
}
