//! `nself plan`

use std::path::PathBuf;

use clap::Args;

use crate::{
    controller::{self, Options, Pass, Project},
    engine::{Holder, Observe, ReadOnly},
    model::{Keyring, Share},
    plan::{self, Gist, Past, Policy, Release, Saved, Verb},
    report::{self, Style},
};

use super::{
    Context, Error, Exit, Ui,
    format::{Page, PageFormat},
    saved, session,
    ui::quoted,
};

/// Show what would change, field by field and with reasons
///
/// Looks at the engine and compares. Nothing is changed: a plan is made with an engine that cannot write.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself plan                   what apply would do
  nself plan api               what nself apply api would do, and what it would leave out
  nself plan --exit-code       for CI: 0 nothing, 2 changes, 4 something is held
  nself plan -o shop.plan      save it, for nself show and nself apply
  nself plan --format markdown   for a pull request; sarif: for code scanning
  nself plan --json | jq '.resource_changes[] | select(.change.actions != [\"no-op\"])'")]
pub(super) struct PlanArgs {
    /// The services, with what they need [default: all]; what is left out is named
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// End with 2 when changes are pending and 4 when something is held or refused; what is left out does
    /// not count
    #[arg(long)]
    exit_code: bool,
    /// Save the plan, so that exactly this can be applied
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    guard: Guard,
    #[command(flatten)]
    pub(super) format: PageFormat,
    #[command(flatten)]
    allow: Allow,
}

/// What may be destroyed or replaced, by name.
#[derive(Debug, Args)]
pub(super) struct Allow {
    /// Release a held change, such as remove:volume/shop-postgres-data, or what a policy holds, as
    /// policy:NAME; may be given again
    #[arg(long = "allow", value_name = "VERB:RESOURCE")]
    releases: Vec<Release>,
    /// Take as ours whatever has the right name and need not be made anew
    #[arg(long)]
    adopt: bool,
}

impl Allow {
    pub(super) fn policy(&self) -> Policy {
        Policy { allow: self.releases.iter().cloned().collect() }
    }

    /// Returns whether whatever fits is to become ours.
    pub(super) fn adopts(&self) -> bool {
        self.adopt
    }

    /// Adds everything that can be adopted, where that is wanted.
    pub(super) async fn adopt_what_fits<E: Observe>(
        &self,
        engine: &E,
        project: &Project,
        options: &mut Options,
    ) -> Result<(), Error> {
        if self.adopt {
            let pass = controller::plan(engine, project, options, true).await?;
            let held = pass.plan.held.into_iter().map(|held| held.release);
            let adopts =
                |release: &Release| matches!(release, Release::Change { verb: Verb::Adopt, .. });
            options.policy.allow.extend(held.filter(adopts));
        }
        Ok(())
    }
}

/// How much may be removed without a word.
#[derive(Debug, Args)]
pub(super) struct Guard {
    /// Hold all removals when they are more than this share of what is there, such as 30%
    #[arg(long, value_name = "N%")]
    refuse_over: Option<Share>,
}

/// Returns what plan and apply are asked to do.
pub(super) fn options(
    project: &Project,
    services: &[String],
    allow: &Allow,
    guard: &Guard,
) -> Result<Options, Error> {
    let targets = session::services(project, services)?;
    let refuse_over = guard.refuse_over;
    Ok(Options { policy: allow.policy(), targets, refuse_over, ..Options::default() })
}

/// Says which releases release nothing: a slip of the pen would otherwise look like obedience.
pub(super) fn note_unused(pass: &Pass, policy: &Policy, keyring: &Keyring, ui: Ui) {
    if policy.allow.is_empty() {
        return;
    }
    let (changes, past, nothing) = (pass.plan.changes.clone(), Past::default(), Policy::default());
    let bare = plan::plan(&pass.desired, &pass.observed, changes, &nothing, &past, keyring);
    let held: Vec<&Release> = bare.held.iter().map(|held| &held.release).collect();
    for release in policy.allow.iter().filter(|release| !held.contains(release)) {
        ui.remark(&unused(release, &held));
    }
}

fn unused(release: &Release, held: &[&Release]) -> String {
    let given = release.to_string();
    let names: Vec<String> = held.iter().map(ToString::to_string).collect();
    let near = names
        .iter()
        .map(|name| (strsim::jaro_winkler(name, &given), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let rest = match near {
        Some((_, name)) => format!("did you mean {name}?"),
        None if names.is_empty() => "nothing is held".to_owned(),
        None => format!("what is held: {}", names.join(", ")),
    };
    format!("note: --allow {given} releases nothing; {rest}\n")
}

pub(super) async fn run(args: &PlanArgs, context: &Context) -> Result<Exit, Error> {
    let project = session::project(context)?;
    let mut options = options(&project, &args.services, &args.allow, &args.guard)?;
    let engine = ReadOnly::new(session::engine(context, &project).await?);
    args.allow.adopt_what_fits(&engine, &project, &mut options).await?;
    let pass = controller::plan(&engine, &project, &options, false).await?;
    note_unused(&pass, &options.policy, &project.keyring, context.ui);
    let ui = context.ui;
    match args.format.page(ui) {
        Page::Text => ui.print(&report::plan(&pass.plan, pass.looked_ms, ui.out)),
        Page::Json => ui.data(&report::json::plan(&pass)),
        Page::Markdown => ui.data(&report::markdown::plan(&pass, ui.out)),
        Page::Sarif => ui.data(&report::sarif::plan(&pass, ui.out)),
    }
    if let Some(file) = &args.output {
        saved::write(file, &save(&project, &pass, &options, ui.out)?)?;
        let (file, program) = (quoted(&file.to_string_lossy()), ui.out.program);
        ui.remark(&format!("saved; to do exactly this: {program} apply {file}\n"));
    }
    Ok(match &pass.plan {
        _ if !args.exit_code => Exit::Done,
        plan if !plan.held.is_empty() || plan.is_refused() => Exit::Held,
        plan if !plan.is_empty() => Exit::Pending,
        _ => Exit::Done,
    })
}

/// Returns what a plan's file holds.
fn save(project: &Project, pass: &Pass, options: &Options, style: Style) -> Result<Saved, Error> {
    let who = Holder::this_process()?;
    let colourful = Style { colour: true, ..style };
    let engine = &pass.plan.engine;
    Ok(Saved {
        project: pass.desired.project_id.clone(),
        environment: project.place.environment.clone(),
        engine: engine.id.clone(),
        engine_name: format!("{} at {}", engine.name, engine.address),
        at: pass.observed.at,
        by: format!("{}@{}", who.user, who.host),
        nself: env!("CARGO_PKG_VERSION").to_owned(),
        allow: options.policy.allow.iter().map(ToString::to_string).collect(),
        targets: options.targets.iter().map(ToString::to_string).collect(),
        refuse_over: options.refuse_over.map(|share| share.to_string()),
        gist: Gist::of(&pass.plan, &project.keyring),
        text: report::plan(&pass.plan, pass.looked_ms, colourful),
        markdown: report::markdown::plan(pass, style),
        json: report::json::plan(pass),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_noted() {
        let release = |text: &str| text.parse::<Release>().unwrap();
        let (data, api) = (release("remove:volume/shop-data"), release("replace:container/api"));
        let held = [&data, &api];
        let said = |text: &str, held: &[&Release]| unused(&release(text), held);
        let near = said("remove:volume/shop-dta", &held);
        assert!(
            near.ends_with("releases nothing; did you mean remove:volume/shop-data?\n"),
            "{near}"
        );
        let far = said("adopt:network/x", &held);
        assert!(far.ends_with("; what is held: remove:volume/shop-data, replace:container/api\n"));
        assert!(said("adopt:network/x", &[]).ends_with("; nothing is held\n"));
    }
}
