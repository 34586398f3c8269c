//! Going back: everything as an earlier apply left it.

use tokio_util::sync::CancellationToken;

use crate::{
    desired::{BuildContext, Desired, ImageOrigin, Resource},
    engine::{Engine, Lock, Observe},
    history::{self, History, Run},
    plan::{Event, Op, Plan},
};

use super::{Error, Locked, Options, Pass, Place, Project, Report, load, under_lock};

/// What became of going back after a failure.
#[derive(Debug, Clone)]
pub enum Returned {
    /// It was tried.
    To {
        /// The generation whose configuration was brought back.
        generation: u64,
        /// What came of it.
        report: Box<Report>,
    },
    /// It was not tried, or broke off, with why.
    Not(String),
}

/// Returns the earlier apply to go back to: the one that made `generation`, or the last good one
/// before what stands.
///
/// # Errors
/// A history that cannot be read, or one without such an apply.
pub fn earlier(place: &Place, generation: Option<u64>) -> Result<Run, Error> {
    let folder = place.file.with_file_name(".nself");
    let runs = match History::read(&folder)? {
        None => Vec::new(),
        Some(history) => history.runs(place.environment.as_deref(), None, None)?,
    };
    let run = match generation {
        Some(generation) => history::of_generation(&runs, generation),
        None => history::to_return_to(&runs),
    };
    let known = runs.iter().map(|run| *run.generations().end()).collect();
    run.cloned().ok_or(Error::NoGeneration { generation, known })
}

/// Refuses to go back where that cannot succeed: on another engine, or without an image whose sources have
/// changed since.
pub(super) fn insist_on_possible(project: &Project, pass: &Pass) -> Result<(), Error> {
    let Some(recalled) = &project.recalled else { return Ok(()) };
    let there = &pass.plan.engine;
    if there.id != recalled.engine {
        return Err(Error::OtherEngine { there: there.address.clone() });
    }
    let facts = Project { recalled: None, ..project.clone() }.facts(pass.facts.now);
    let today = facts.map(|facts| facts.contexts).unwrap_or_default();
    let gone = pass.plan.steps.iter().find_map(|step| match &step.op {
        Op::Build { image, build } if matches!(build.context, BuildContext::Folder { .. }) => {
            let service = pass.facts.contexts.iter().find(|(service, digest)| {
                today.get(*service) != Some(*digest) && is_built_for(&pass.desired, service, image)
            });
            service.map(|(service, _)| (image.to_string(), service.to_string()))
        }
        _ => None,
    });
    match gone {
        None => Ok(()),
        Some((image, service)) => Err(Error::ImageGone { image, service }),
    }
}

fn is_built_for(
    desired: &Desired,
    service: &crate::model::ServiceName,
    image: &crate::model::ImageRef,
) -> bool {
    let built = desired.resources.values().any(|resource| match resource {
        Resource::Image(made) => {
            made.reference == *image && matches!(made.origin, ImageOrigin::Build(_))
        }
        _ => false,
    });
    built
        && desired
            .containers()
            .any(|container| container.service == *service && container.image == *image)
}

/// Brings everything back to the last good generation, under the lock that the failed apply holds.
pub(super) async fn after_failure<E: Engine + Lock>(
    engine: &E,
    project: &Project,
    failed: &Plan,
    events: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Returned {
    let returned = go_back(engine, project, failed, events, cancel).await;
    // Its own errors must not hide why it was needed.
    returned.unwrap_or_else(|error| Returned::Not(causes(&error)))
}

async fn go_back<E: Engine + Lock>(
    engine: &E,
    project: &Project,
    failed_plan: &Plan,
    events: &(dyn Fn(&Plan, Event) + Sync),
    cancel: &CancellationToken,
) -> Result<Returned, Error> {
    let nothing = |why: &str| Ok(Returned::Not(why.to_owned()));
    let environment = project.place.environment.as_deref();
    let Some(history) = History::read(&project.vault_folder())? else {
        return nothing("there is no history of what was before");
    };
    let engine_id = engine_id(engine, project).await?;
    let runs = history.runs(environment, Some(&engine_id), None)?;
    drop(history);
    let Some((failed, earlier)) = runs.split_first() else {
        return nothing("there is no history of what was before");
    };
    let Some(good) = history::last_good(earlier) else {
        return nothing("no earlier apply ended well");
    };
    if good.is_alike(failed) {
        return nothing("what was applied is what worked before");
    }
    let mut old = load::recall(&project.place, good)?;
    let generation = good.origin().generation;
    events(failed_plan, Event::GoingBack { generation });
    loop {
        let options = Options::default();
        match under_lock(engine, &mut old, &options, None, events, cancel).await? {
            Locked::Done(report) => return Ok(Returned::To { generation, report }),
            // It is asked nothing, so nothing can have moved since an answer.
            Locked::Moved(_) => {}
        }
    }
}

async fn engine_id<E: Observe>(engine: &E, project: &Project) -> Result<String, Error> {
    let pass = super::look(engine, project, &Options::default()).await?;
    Ok(pass.plan.engine.id)
}

/// Returns an error with its causes, in a clause.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
