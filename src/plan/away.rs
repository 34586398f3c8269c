//! How long containers are away: foretold from past applies, and told after one.
//!
//! A container is away from the moment it is asked to stop until what takes its place, or it itself, has
//! been seen ready. One that is away for good is not away: it is gone.

use std::collections::BTreeMap;

use super::{Applied, Op, Outcome, Plan, Step, Target};
use crate::{
    desired::Probe,
    diff::{Action, Changes, Effect},
    model::{Millis, ResourceId},
    observed::{Observed, SeenContainer, State},
};

/// How long each container was away in past applies, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past(pub BTreeMap<ResourceId, Vec<Millis>>);

/// How long something that runs is going to be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Away {
    /// It goes on running.
    Not,
    /// About so long, as far as the past tells.
    About(Millis),
    /// It stops and starts, and nobody has seen yet how long that takes.
    Unknown,
}

/// How long a container was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Until what was wanted was ready.
    Over(Millis),
    /// Until what had worked before was back.
    Undone(Millis),
}

/// Older applies tell little of how a container starts today.
const LATEST: usize = 5;

impl Past {
    /// Returns the median of the last five times a container was away; of an even number of times the
    /// longer of the two in the middle.
    pub fn median(&self, container: &ResourceId) -> Option<Millis> {
        let times = self.0.get(container)?;
        let mut latest = times[times.len().saturating_sub(LATEST)..].to_vec();
        latest.sort_unstable();
        latest.get(latest.len() / 2).copied()
    }
}

/// Returns how long each container that runs is going to be away, by the group of the steps.
pub(super) fn predict(
    changes: &Changes,
    observed: &Observed,
    steps: &[Step],
    past: &Past,
) -> BTreeMap<ResourceId, Away> {
    let mut groups: BTreeMap<&ResourceId, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        groups.entry(&step.group).or_default().push(step);
    }
    let mut away = BTreeMap::new();
    for (group, steps) in groups {
        let Some(container) = container_of(group) else { continue };
        let awaited = steps.iter().any(|step| is_awaited(&step.op));
        let is_up = |id: &str| observed.containers.iter().any(|seen| seen.id == id && runs(seen));
        if awaited && steps.iter().any(|step| stops(&step.op).is_some_and(is_up)) {
            let known = past.median(&container).map_or(Away::Unknown, Away::About);
            away.insert(group.clone(), known);
            continue;
        }
        let gentle = changes.get(group).is_some_and(|change| {
            matches!(change.action, Action::Change(Effect::InPlace | Effect::Reload))
        });
        let acts =
            |op: &Op| matches!(op, Op::Update { .. } | Op::Signal { .. } | Op::Connect { .. });
        let disturbs = steps.iter().any(|step| stops(&step.op).is_some());
        if gentle && !disturbs && steps.iter().any(|step| acts(&step.op)) {
            away.insert(group.clone(), Away::Not);
        }
    }
    away
}

/// Returns how long each container was away in an apply. One that is still away is not among them.
pub fn absences(plan: &Plan, applied: &Applied) -> BTreeMap<ResourceId, Absence> {
    let mut absences = BTreeMap::new();
    for (group, away) in &plan.away {
        let (Some(container), Away::About(_) | Away::Unknown) = (container_of(group), away) else {
            continue;
        };
        let steps = || plan.steps.iter().enumerate().filter(|(_, step)| step.group == *group);
        let span = |number: usize| applied.spans.get(&number);
        let done = |number: usize| applied.outcomes.get(&number) == Some(&Outcome::Done);
        let mut stopping = steps().filter(|(_, step)| stops(&step.op).is_some());
        let Some(begin) = stopping.find_map(|(number, _)| span(number)).map(|span| span.begin)
        else {
            continue;
        };
        let lasted = |end: Millis| Millis(end.0.saturating_sub(begin.0));
        let mut awaited = steps().filter(|(_, step)| is_awaited(&step.op));
        let ready = awaited.rfind(|(number, _)| done(*number)).and_then(|(number, _)| span(number));
        let back = applied.returned.get(group) == Some(&None);
        let failed = steps()
            .find(|(number, _)| matches!(applied.outcomes.get(number), Some(Outcome::Failed(_))));
        let absence = match (ready, failed) {
            (Some(ready), _) => Absence::Over(lasted(ready.end)),
            (None, Some((number, _))) if back => match span(number) {
                Some(span) => Absence::Undone(lasted(span.end)),
                None => continue,
            },
            (None, _) => continue,
        };
        absences.insert(container, absence);
    }
    absences
}

/// Returns the container that the steps of a group are about: its own, or that which reads the files.
fn container_of(group: &ResourceId) -> Option<ResourceId> {
    match group {
        ResourceId::Container(name) | ResourceId::Files(name) => {
            Some(ResourceId::Container(name.clone()))
        }
        ResourceId::Image(_)
        | ResourceId::Network(_)
        | ResourceId::Volume(_)
        | ResourceId::Inner(_) => None,
    }
}

/// Returns the container that was there before and is stopped by `op`, by its id.
fn stops(op: &Op) -> Option<&str> {
    match op {
        Op::Stop { container: Target::Id { id, .. }, .. } | Op::Restart(Target::Id { id, .. }) => {
            Some(id)
        }
        _ => None,
    }
}

/// Returns whether `op` waits for something that is meant to stay. A job is not away: it ends.
fn is_awaited(op: &Op) -> bool {
    matches!(op, Op::AwaitReady { probe, .. } if *probe != Probe::Exit)
}

fn runs(seen: &SeenContainer) -> bool {
    matches!(seen.state, State::Running | State::Paused | State::Restarting { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_the_median_of_the_last_five() {
        let id = ResourceId::Container("shop-api".into());
        let median = |times: &[u64]| {
            let times = times.iter().copied().map(Millis).collect();
            Past(BTreeMap::from([(id.clone(), times)])).median(&id).map(|millis| millis.0)
        };
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1400]), Some(1400));
        assert_eq!(median(&[10, 30]), Some(30));
        assert_eq!(median(&[9000, 9000, 9000, 3, 1, 2, 5, 4]), Some(3));
    }
}
