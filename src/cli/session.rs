//! A project and its engine, as most commands need them.

use crate::{
    controller::{self, Place, Project},
    desired::Desired,
    engine::docker::Docker,
    model::ServiceName,
    report,
};

use super::{Context, Error, address, error::texts, place};

/// Reads the project, and says what is probably not meant in it.
pub(super) fn project(context: &Context) -> Result<Project, Error> {
    let place: Place = place::find(&context.globals)?;
    let project = controller::load(&place)?;
    if !project.warnings.is_empty() {
        let colours = context.ui.err.colours();
        let text = report::diagnostic::text(&project.warnings, &texts(&project.sources), colours);
        context.ui.remark(&text);
    }
    Ok(project)
}

/// Connects to the project's engine.
pub(super) async fn engine(context: &Context, project: &Project) -> Result<Docker, Error> {
    let file = project.spec.engine.as_ref().map(|engine| engine.value.as_str());
    let choice = address::choose(context.globals.engine.as_deref(), file, &project.place.variables);
    if let Some(other) = &choice.instead_of {
        let said = format!("note: {} instead of {other}, which the file says\n", choice.address);
        context.ui.remark(&said);
    }
    tracing::debug!(address = choice.address, by = choice.by, "engine chosen");
    let connected = Docker::connect(&choice.address, project.keyring.clone()).await;
    connected.map_err(|error| {
        let error = Error::from(error);
        // Where the address came from matters once it does not answer, unless it was just typed.
        error.noting(format!("the address comes from {}", choice.by))
    })
}

/// Works out what should be, without asking an engine.
pub(super) fn desired(project: &Project) -> Result<Desired, Error> {
    let now = jiff::Timestamp::now().as_millisecond();
    Ok(project.compile(u64::try_from(now).unwrap_or(0))?.desired)
}

/// Refuses names that are no services of the project.
pub(super) fn known(project: &Project, services: &[ServiceName]) -> Result<(), Error> {
    let all = || project.spec.services.keys();
    for service in services {
        if all().any(|known| known == service) || service.as_str() == GATEWAY {
            continue;
        }
        let close = all()
            .map(|known| (strsim::jaro_winkler(known.as_str(), service.as_str()), known))
            .filter(|(likeness, _)| *likeness > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let error = Error::usage(format!("there is no service `{service}` in this project"));
        return Err(if let Some((_, known)) = close {
            error.remedy(format!("did you mean {known}?"))
        } else {
            let names: Vec<String> = all().map(ToString::to_string).collect();
            error.remedy(format!("the services are {}", names.join(", ")))
        });
    }
    Ok(())
}

/// The gateway is a service of every project that has a route, though no table names it.
const GATEWAY: &str = "gateway";
