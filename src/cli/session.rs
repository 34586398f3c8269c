//! A project and its engine, as most commands need them.

use std::collections::BTreeSet;

use crate::{
    controller::{self, Pass, Place, Project},
    desired::{Compiled, Container, Phase},
    engine::{self, docker::Docker},
    model::{Diagnostic, ServiceName},
    observed::{SeenContainer, State},
    report,
};

use super::{Context, Error, Exit, address, error::texts, place};

/// Reads the project, and says what is probably not meant in it.
pub(super) fn project(context: &Context) -> Result<Project, Error> {
    let place: Place = place::find(&context.globals)?;
    let project = controller::load(&place)?;
    warn(&project, &project.warnings, context);
    Ok(project)
}

/// Says what is probably not meant.
pub(super) fn warn(project: &Project, warnings: &[Diagnostic], context: &Context) {
    if !warnings.is_empty() {
        let colours = context.ui.err.colours();
        let text = report::diagnostic::text(warnings, &texts(&project.sources), colours);
        context.ui.remark(&text);
    }
}

/// Connects to the project's engine.
pub(super) async fn engine(context: &Context, project: &Project) -> Result<Docker, Error> {
    let file = project.spec.engine.as_ref().map(|engine| engine.value.as_str());
    let choice = address::choose(context.globals.engine.as_deref(), file, &project.place.variables);
    if let Some(other) = &choice.instead_of {
        let said = format!("note: {} instead of {other}, which the file says\n", choice.address);
        context.ui.remark(&said);
    }
    let address = choice.check()?;
    tracing::debug!(address = choice.address, by = choice.by, "engine chosen");
    let connected = Docker::connect_to(&address, project.keyring.clone()).await;
    connected.map_err(|error| {
        // Where the address came from matters once it does not answer.
        Error::from(error).noting(&format!("from {}", choice.by))
    })
}

/// Connects to the project's engine, as somebody does who goes on when there is none.
pub(super) async fn connect(context: &Context, project: &Project) -> Result<Docker, engine::Error> {
    let file = project.spec.engine.as_ref().map(|engine| engine.value.as_str());
    let choice = address::choose(context.globals.engine.as_deref(), file, &project.place.variables);
    let address = choice.check().map_err(|error| {
        let cause = engine::Cause(error.gist());
        engine::Error::Unreachable { address: choice.address.clone(), cause }
    })?;
    Docker::connect_to(&address, project.keyring.clone()).await
}

/// Works out what should be, without asking an engine.
pub(super) fn compiled(project: &Project) -> Result<Compiled, Error> {
    let now = jiff::Timestamp::now().as_millisecond();
    Ok(project.compile(u64::try_from(now).unwrap_or(0))?)
}

/// Refuses what only a running container can do.
pub(super) fn insist_on_running(
    pass: &Pass,
    container: &Container,
    called: &str,
) -> Result<(), Error> {
    let ours = |seen: &&SeenContainer| seen.owner.is_ours() && seen.name == container.name;
    let Some(seen) = pass.observed.containers.iter().find(ours) else {
        let error = Error::new(Exit::Failed, format!("{called} has no container yet"));
        return Err(error.remedy("nself apply"));
    };
    let (what, remedy) = match seen.state {
        State::Running => return Ok(()),
        State::Paused => ("is paused", "nself apply".to_owned()),
        State::Restarting { .. } => ("keeps crashing", format!("nself logs {called}")),
        State::Exited { .. } | State::Created | State::Dead if container.phase == Phase::Done => {
            ("is a job and has ended", format!("nself logs {called}"))
        }
        State::Exited { .. } | State::Created | State::Dead => {
            ("is stopped", format!("nself start {}", container.service))
        }
    };
    Err(Error::new(Exit::Failed, format!("{called} {what}")).remedy(remedy))
}

/// Returns the services that are meant: by their own names, or by those of their containers, as plans and
/// failures show them.
pub(super) fn services(
    project: &Project,
    names: &[String],
) -> Result<BTreeSet<ServiceName>, Error> {
    names.iter().map(|name| service(project, name)).collect()
}

fn service(project: &Project, name: &str) -> Result<ServiceName, Error> {
    let all = || project.spec.services.keys().map(ServiceName::as_str).chain([GATEWAY]);
    let container = name.strip_prefix("container/").unwrap_or(name);
    let prefix = format!("{}-", project.spec.prefix());
    let short = container.strip_prefix(&prefix).unwrap_or(container);
    // A further replica goes by the service's name with a number behind it.
    let (base, number) = short.rsplit_once('-').unwrap_or((short, ""));
    let first = if number.parse::<u32>().is_ok() { base } else { short };
    let found = [name, short, first].into_iter().find(|name| all().any(|known| known == *name));
    if let Some(found) = found {
        return Ok(found.parse()?);
    }
    let close = all()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let error = Error::usage(format!("there is no service `{name}` in this project"));
    Err(if let Some((_, known)) = close {
        error.remedy(format!("did you mean {known}?"))
    } else {
        let names: Vec<&str> = project.spec.services.keys().map(ServiceName::as_str).collect();
        error.remedy(format!("the services are {}", names.join(", ")))
    })
}

/// The gateway is a service of every project that has a route, though no table names it.
const GATEWAY: &str = "gateway";
