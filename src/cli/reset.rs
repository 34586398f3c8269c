//! `nself reset`

use std::collections::BTreeMap;

use clap::Args;

use crate::{
    controller::{self, Options, Pass, Project},
    engine::{Examine as _, ReadOnly},
    model::ResourceId,
    plan::{Policy, Release, Verb},
    report::{self, Removal},
};

use super::{Context, Error, Exit, apply, session};

/// Destroy this project with all its data, to begin from nothing
///
/// Containers, networks, volumes and all that is in them go for good; each is named first, with what it
/// holds. The secrets stay, so that the next apply begins with the same ones. Only what is this project's
/// own is touched, and in this environment only.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself reset                  name what goes, ask for the project's name, destroy it
  nself reset --dry-run        only name what would go
  nself reset --yes-delete-data shop   for scripts: the name is the word")]
pub(super) struct ResetArgs {
    /// Only name what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask; NAME has to be the project's
    #[arg(long, value_name = "NAME")]
    yes_delete_data: Option<String>,
    /// Remove the project's secrets and history too
    #[arg(long)]
    secrets: bool,
}

pub(super) async fn run(args: &ResetArgs, context: &Context) -> Result<Exit, Error> {
    let given = args.yes_delete_data.as_deref();
    if !args.dry_run && given.is_none() && !context.ui.can_ask() {
        let error = Error::usage("there is no terminal to ask on");
        return Err(error.remedy("nself reset --yes-delete-data NAME, after nself reset --dry-run"));
    }
    let project = session::project(context)?;
    let name = project.spec.prefix();
    if let Some(given) = given.filter(|given| *given != name) {
        let error = Error::usage(format!("`{given}` is not this project: it is {name}"));
        return Err(error.remedy(format!("nself reset --yes-delete-data {name}")));
    }
    let secrets = if args.secrets { controller::secrets_to_forget(&project)? } else { Vec::new() };
    let engine = session::engine(context, &project).await?;
    let nothing = Options { destroy: true, ..Options::default() };
    let pass = controller::look(&ReadOnly::new(engine.clone()), &project, &nothing).await?;
    let sizes = engine.volume_sizes().await.unwrap_or_default();
    let removal = removal(&pass, &sizes, secrets);
    let policy = Policy { allow: releases(&pass) };
    if args.dry_run {
        if context.ui.json {
            context.ui.data(&report::removal_json(&removal));
        }
        context.ui.print(&report::removal(&removal, context.ui.out));
        return Ok(Exit::Done);
    }
    context.ui.print(&report::removal(&removal, context.ui.out));
    if removal.is_empty() {
        return Ok(Exit::Done);
    }
    if given.is_none()
        && context.ui.answer(&format!("\nType {name} to destroy all of it:"))? != name
    {
        context.ui.print("nothing was changed\n");
        return Ok(Exit::Failed);
    }
    let options = Options { policy, ..nothing };
    let forget: Option<Project> = args.secrets.then(|| project.clone());
    let exit = apply::carry_out_agreed(project, &options, &pass, context).await?;
    if let (Exit::Done, Some(project)) = (exit, forget) {
        controller::forget_secrets(&project)?;
        context.ui.print("the secrets are gone\n");
    }
    Ok(exit)
}

/// What is this project's own data may go. Containers of others on its networks stay held.
fn releases(pass: &Pass) -> std::collections::BTreeSet<Release> {
    let data = |release: &&Release| match release {
        Release::Change { verb: Verb::Remove, id } => {
            matches!(id, ResourceId::Volume(_) | ResourceId::Inner(_))
        }
        Release::Change { .. } | Release::Policy(_) => false,
    };
    pass.plan.held.iter().map(|held| &held.release).filter(data).cloned().collect()
}

fn removal(pass: &Pass, sizes: &BTreeMap<String, u64>, files: Vec<std::path::PathBuf>) -> Removal {
    let title = pass.plan.title.clone();
    let changes = pass.plan.changes.changes.iter();
    let gone = changes.map(|change| {
        let size = match &change.id {
            ResourceId::Volume(name) => sizes.get(name).copied(),
            _ => None,
        };
        (change.id.clone(), size)
    });
    let allowed = releases(pass);
    let kept = pass.plan.held.iter().filter(|held| !allowed.contains(&held.release));
    let kept: Vec<(ResourceId, String)> =
        kept.map(|held| (held.id.clone(), held.what.clone())).collect();
    let mut gone: Vec<(ResourceId, Option<u64>)> =
        gone.filter(|(id, _)| kept.iter().all(|(kept, _)| kept != id)).collect();
    // What is inside services goes with their volumes, and is known from the last apply.
    let record = pass.observed.record.iter().flat_map(|record| &record.resources);
    let inside = record.filter(|id| matches!(id, ResourceId::Inner(_)));
    gone.extend(inside.map(|id| (id.clone(), None)));
    gone.sort();
    gone.dedup();
    Removal { title, gone, kept, files }
}
