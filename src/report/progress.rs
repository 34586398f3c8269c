//! Steps and events in words.

use crate::{
    model::ResourceId,
    plan::{Event, Failure, Op, Plan, Step},
};

use super::{
    style::{Style, Tone, clean},
    value::took,
};

/// Returns what a step does, as a verb phrase such as `start shop-api`.
pub fn step(step: &Step) -> String {
    let text = match &step.op {
        Op::Pull { image, from } if image == from => format!("pull {image}"),
        Op::Pull { image, from } => format!("pull {image} from {from}"),
        Op::RemoveImage { image } => format!("remove image {}", short(image)),
        Op::Build { image, .. } => format!("build {image}"),
        Op::CreateNetwork { network, .. } => format!("create network {}", network.name),
        // The engine knows it by an id, people by its name.
        Op::RemoveNetwork { .. } => format!("remove {}", step.group),
        Op::CreateVolume { volume, .. } => format!("create volume {}", volume.name),
        Op::RemoveVolume { name } => format!("remove volume {name}"),
        Op::WriteFiles { files, .. } => format!("write the files of {}", files.container),
        Op::CheckFiles { container, .. } => format!("check the files of {}", container.name()),
        Op::SwitchFiles { volume, .. } => format!("switch to the new files in {volume}"),
        Op::Signal { container, signal } => format!("send {signal} to {}", container.name()),
        Op::CreateContainer { name, .. } => format!("create {name}"),
        Op::Start(container) => format!("start {}", container.name()),
        Op::Stop { container, .. } => format!("stop {}", container.name()),
        Op::Restart(container) => format!("restart {}", container.name()),
        Op::Unpause(container) => format!("unpause {}", container.name()),
        Op::Rename { container, to } => format!("rename {} to {to}", container.name()),
        Op::RemoveContainer(container) => format!("remove {}", container.name()),
        Op::Update { container, .. } => format!("change the limits of {}", container.name()),
        Op::Connect { container, network, .. } => {
            format!("connect {} to {network}", container.name())
        }
        Op::Disconnect { container, network } => {
            format!("disconnect {} from {network}", container.name())
        }
        Op::AwaitReady { container, .. } => format!("wait until {} is ready", container.name()),
        Op::Ensure { inner, .. } => {
            format!("ensure {}", crate::model::ResourceId::Inner(inner.id.clone()))
        }
        Op::DropInner { inner, .. } => {
            format!("drop {}", crate::model::ResourceId::Inner(inner.id.clone()))
        }
        Op::WriteRecord { .. } => "remember it".to_owned(),
        Op::RemoveRecord { .. } => "forget it".to_owned(),
    };
    clean(&text)
}

/// The id of an image is long, and its beginning is enough to tell it by.
fn short(image: &str) -> &str {
    image.strip_prefix("sha256:").and_then(|id| id.get(..12)).unwrap_or(image)
}

/// Returns the line of an event, for output that is not a terminal: one for each finished step, and one
/// at the beginning of what may take minutes.
pub fn line(plan: &Plan, event: &Event, style: Style) -> Option<String> {
    let named = |place: usize| plan.steps.get(place).map(step);
    let line = match event {
        Event::Started { step: place } => {
            let one = plan.steps.get(*place)?;
            match &one.op {
                Op::Pull { .. } => format!("· {} …", step(one)),
                Op::Build { build, .. } => {
                    format!("· {} … {}", step(one), build.effort).trim_end().to_owned()
                }
                _ => return None,
            }
        }
        Event::Finished { step: place, took: time } => {
            let sign = style.paint(Tone::Good, "✓");
            format!("{sign} {}   {}", named(*place)?, took(time.0))
        }
        Event::Failed { step: place, took: time, failure } => {
            let sign = style.paint(Tone::Bad, "✗");
            format!("{sign} {}   {} · {}", named(*place)?, took(time.0), brief(failure))
        }
        Event::Skipped { step: place, because: Some(cause) } => {
            format!("· {}   not started: waits for `{}`", named(*place)?, named(*cause)?)
        }
        Event::Skipped { step: place, because: None } => {
            let one = plan.steps.get(*place)?;
            let is_wait = matches!(one.op, Op::AwaitReady { .. });
            let what = if is_wait { "left to the next apply" } else { "not started" };
            format!("· {}   {what}", step(one))
        }
        Event::GoingBack { generation } => format!("· going back to generation {generation}"),
        Event::Returned { group, failure: None } => {
            format!("{} {group}   {}", style.paint(Tone::Good, "✓"), back(plan, group))
        }
        Event::Returned { group, failure: Some(failure) } => {
            let sign = style.paint(Tone::Bad, "✗");
            format!("{sign} {group}   could not be brought back: {}", brief(failure))
        }
    };
    Some(line + "\n")
}

/// Returns what it means for a resource that what is done on failure was done.
pub fn back(plan: &Plan, group: &ResourceId) -> &'static str {
    if ran_before(plan, group) {
        "what worked runs again"
    } else {
        "the new one was taken away; the old one was not running"
    }
}

/// Returns whether a plan has something to bring back for a resource: only what ran is started again.
pub(super) fn ran_before(plan: &Plan, group: &ResourceId) -> bool {
    let steps = plan.steps.iter().filter(|step| step.group == *group);
    let mut back = steps.flat_map(|step| &step.on_failure).peekable();
    back.peek().is_none() || back.any(|op| !matches!(op, Op::RemoveContainer(_)))
}

/// Returns the first link of a failure's chain.
pub fn brief(failure: &Failure) -> String {
    failure.chain.first().map_or_else(|| "failed".to_owned(), |text| clean(text))
}
