//! `nself plan`

use clap::Args;

use crate::{
    controller::{self, Pass, Project},
    engine::{Observe, ReadOnly},
    model::Keyring,
    plan::{self, Policy, Release, Verb},
    report,
};

use super::{Context, Error, Exit, Ui, session};

/// Show what would change, field by field and with reasons
///
/// Looks at the engine and compares. Nothing is changed: a plan is made with an engine that cannot write.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself plan                   what apply would do
  nself plan --exit-code       for CI: 0 nothing, 2 changes, 4 something is held
  nself plan --json | jq '.resource_changes[] | select(.change.actions != [\"no-op\"])'")]
pub(super) struct PlanArgs {
    /// End with 2 when changes are pending and 4 when something is held
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    allow: Allow,
}

/// What may be destroyed or replaced, by name.
#[derive(Debug, Args)]
pub(super) struct Allow {
    /// Release a held change, such as remove:volume/shop-postgres-data; may be given again
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

    /// The same, with everything that can be adopted where that is wanted.
    pub(super) async fn with_adopted<E: Observe>(
        &self,
        engine: &E,
        project: &Project,
    ) -> Result<Policy, Error> {
        let mut policy = self.policy();
        if self.adopt {
            let pass = controller::plan(engine, project, &policy, true).await?;
            let held = pass.plan.held.into_iter().map(|held| held.release);
            policy.allow.extend(held.filter(|release| release.verb == Verb::Adopt));
        }
        Ok(policy)
    }
}

/// Says which releases release nothing: a slip of the pen would otherwise look like obedience.
pub(super) fn note_unused(pass: &Pass, policy: &Policy, keyring: &Keyring, ui: Ui) {
    if policy.allow.is_empty() {
        return;
    }
    let changes = pass.plan.changes.clone();
    let bare = plan::plan(&pass.desired, &pass.observed, changes, &Policy::default(), keyring);
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
    let engine = ReadOnly::new(session::engine(context, &project).await?);
    let policy = args.allow.with_adopted(&engine, &project).await?;
    let pass = controller::plan(&engine, &project, &policy, false).await?;
    note_unused(&pass, &policy, &project.keyring, context.ui);
    if context.ui.json {
        context.ui.data(&report::json::plan(&pass));
    }
    context.ui.print(&report::plan(&pass.plan, pass.looked_ms, context.ui.out));
    Ok(match &pass.plan {
        _ if !args.exit_code => Exit::Done,
        plan if !plan.held.is_empty() => Exit::Held,
        plan if !plan.is_empty() => Exit::Pending,
        _ => Exit::Done,
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
