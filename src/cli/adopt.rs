//! `nself adopt`

use std::collections::BTreeSet;

use clap::Args;

use crate::{
    controller::{Options, Project},
    desired::Fields,
    edit,
    engine::{Observe as _, ReadOnly},
    model::{ResourceId, ServiceName},
    observed::{Request, SeenContainer},
    plan::{Policy, Release, Verb},
};

use super::{Context, Error, Exit, apply, session};

/// Take over what runs already
///
/// Without a name, everything that has the name of something wanted and need not be made anew becomes this
/// project's as it is; nothing is started, stopped or removed. A container that is named, and that
/// nself.toml has no service for, is written into the file as one first.
#[derive(Debug, Args)]
#[command(before_help = "Examples:
  nself adopt                        whatever fits, after nself import
  nself adopt old-redis --as cache   write it into nself.toml as [services.cache], then take it
  nself adopt old-redis -y           without asking")]
pub(super) struct AdoptArgs {
    /// Containers, by name
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
    /// What the service is called
    #[arg(long = "as", value_name = "SERVICE")]
    service: Option<ServiceName>,
    #[command(flatten)]
    consent: apply::Consent,
}

pub(super) async fn run(args: &AdoptArgs, context: &Context) -> Result<Exit, Error> {
    if args.service.is_some() && args.containers.len() != 1 {
        return Err(Error::usage("--as is the name of one container's service"));
    }
    args.consent.possible(context, "adopt")?;
    let mut project = session::project(context)?;
    let wanted = session::compiled(&project)?.desired;
    for container in &args.containers {
        match (wanted.container(container), &args.service) {
            (None, _) => project = write_down(container, args, project, context).await?,
            (Some(known), Some(name)) if known.service != *name => {
                let message = format!("{container} is the service {} already", known.service);
                return Err(Error::new(Exit::Failed, message)
                    .remedy(format!("take it under that name: nself adopt {container}")));
            }
            (Some(_), _) => {}
        }
    }
    let engine = ReadOnly::new(session::engine(context, &project).await?);
    let pass = crate::controller::plan(&engine, &project, &Options::default(), true).await?;
    let chosen: BTreeSet<&String> = args.containers.iter().collect();
    let is_chosen = |id: &ResourceId| match id {
        ResourceId::Container(name) => chosen.is_empty() || chosen.contains(name),
        // What a container rests on comes with it.
        _ => true,
    };
    let (fit, rest): (Vec<_>, Vec<_>) = pass
        .plan
        .held
        .iter()
        .filter(|held| is_chosen(&held.id))
        .partition(|held| matches!(held.release, Release::Change { verb: Verb::Adopt, .. }));
    let not_ours = |id: &ResourceId| {
        let change = pass.plan.changes.get(id);
        change.is_some_and(|change| change.action == crate::diff::Action::Conflict)
    };
    for held in rest.iter().filter(|held| not_ours(&held.id)) {
        let line = format!(
            "{} would have to be made anew; to do that: nself apply --allow {}\n",
            held.id, held.release
        );
        context.ui.remark(&line);
    }
    if fit.is_empty() {
        context.ui.print("there is nothing to adopt\n");
        return Ok(if rest.is_empty() { Exit::Done } else { Exit::Held });
    }
    let allow: BTreeSet<Release> = fit.into_iter().map(|held| held.release.clone()).collect();
    let options = Options {
        policy: Policy { allow },
        goal: crate::controller::Goal::Adopt,
        ..Options::default()
    };
    apply::carry_out(project, &options, &args.consent, context).await
}

/// Writes one container into the file, and reads the file again.
async fn write_down(
    container: &str,
    args: &AdoptArgs,
    project: Project,
    context: &Context,
) -> Result<Project, Error> {
    let engine = session::engine(context, &project).await?;
    let desired = session::compiled(&project)?.desired;
    let mut request = Request::of(&desired, false);
    request.names.insert(ResourceId::Container(container.to_owned()));
    let observed = engine.observe(&request).await?;
    let seen = observed.containers.iter().find(|seen| seen.name == container);
    let seen = seen.ok_or_else(|| {
        let message = format!("there is no container {container} on this engine");
        Error::new(Exit::Failed, message).remedy("see what there is: docker ps -a")
    })?;
    let name = match &args.service {
        Some(name) => name.clone(),
        None => named_after(seen, &project)?,
    };
    let nothing = Fields::default();
    let inherited = observed.image_defaults.get(&seen.image_id).unwrap_or(&nothing);
    let main = &project.sources[0];
    let adopted = edit::adopt(&project.spec, main, &name, seen, inherited).map_err(|error| {
        let whole = Error::of(Exit::Failed, &error);
        match error {
            edit::NotAdopted::NameTaken(_) => {
                whole.remedy(format!("call it something else: nself adopt {container} --as NAME"))
            }
            edit::NotAdopted::Ours(_) => whole.remedy("see what there is: nself status"),
            edit::NotAdopted::OfAnother(..) => {
                whole.remedy("destroy it there first, and keep its volumes")
            }
            edit::NotAdopted::NoDocument => whole.remedy("see what is wrong: nself check"),
        }
    })?;
    let mut vault = project.vault()?;
    for (secret, value) in &adopted.secrets {
        vault.set(secret, value, super::secret::now())?;
    }
    super::rewrite::check(&project, &[(main.name.to_string(), adopted.text.clone())])?;
    super::rewrite::write(&project, &project.place.file, &adopted.text)?;
    let file = project.place.file.display();
    context.ui.print(&format!("[services.{name}] written into {file}\n"));
    for (path, why) in &adopted.lost {
        context.ui.remark(&format!("note: {container}.{path} was not carried over: {why}\n"));
    }
    session::project(context)
}

/// Returns the container's name as a service's.
fn named_after(seen: &SeenContainer, project: &Project) -> Result<ServiceName, Error> {
    let prefix = format!("{}-", project.spec.prefix());
    let short = seen.name.strip_prefix(&prefix).unwrap_or(&seen.name);
    let short = short.strip_suffix("-1").unwrap_or(short).to_lowercase();
    let plain: String =
        short.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    plain.trim_matches('-').parse().map_err(|_| {
        let message = format!("`{}` gives no name for a service", seen.name);
        Error::usage(message).remedy(format!("nself adopt {} --as NAME", seen.name))
    })
}
