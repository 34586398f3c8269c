//! What a plan means for one resource, in one word.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    desired::Field,
    diff::{Action, Change, Effect, Shown},
    model::ResourceId,
    plan::{Op, Plan, Step, Target},
};

/// What is going to happen to a resource. The order is that of the summary line.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An image is pulled.
    Pull,
    /// An image is built.
    Build,
    /// It is made.
    Create,
    /// A new container takes the place of the old one.
    Recreate,
    /// Ours takes the place of what is not ours, as a person released it.
    Replace,
    /// What is there becomes ours as it is, as a person released it.
    Adopt,
    /// The same container is stopped and started.
    Restart,
    /// New files and a signal.
    Reload,
    /// Changed while it runs.
    InPlace,
    /// Started as it is.
    Start,
    /// Stopped as it is.
    Stop,
    /// It is removed.
    Remove,
    /// It is right; what was left beside it goes, or it is looked at once more.
    Settle,
    /// Nothing, until a person releases it.
    Held,
    /// Nothing, because what it needs is held.
    Blocked,
    /// It will be seen once a service runs.
    Deferred,
    /// It cannot be compared here.
    NotChecked,
}

impl Verdict {
    /// Returns what `plan` means for the resource of `change`.
    pub fn of(plan: &Plan, change: &Change) -> Self {
        if plan.held.iter().any(|held| held.id == change.id) {
            return Self::Held;
        }
        if plan.blocked.contains_key(&change.id) {
            return Self::Blocked;
        }
        match change.action {
            Action::Create => Self::of_image(plan, &change.id).unwrap_or(Self::Create),
            Action::Change(Effect::InPlace) => Self::of_state(change).unwrap_or(Self::InPlace),
            Action::Change(Effect::Reload) => Self::Reload,
            Action::Change(Effect::Restart) => Self::Restart,
            Action::Change(Effect::Recreate | Effect::DataAtRisk) => {
                Self::of_image(plan, &change.id).unwrap_or(Self::Recreate)
            }
            Action::Remove => Self::Remove,
            // What nobody released is held; that was seen to above.
            Action::Conflict if plan.adopts(&change.id) => Self::Adopt,
            Action::Conflict => Self::Replace,
            Action::Deferred => Self::Deferred,
            Action::NotChecked => Self::NotChecked,
            Action::Settle => Self::Settle,
        }
    }

    /// Returns what the steps for a resource that did not change itself amount to: it follows another.
    fn of_steps<'a>(steps: impl Iterator<Item = &'a Step>) -> Option<Self> {
        steps
            .filter_map(|step| match step.op {
                Op::WriteRecord { .. } | Op::RemoveRecord { .. } => None,
                Op::CreateContainer { .. } => Some(Self::Recreate),
                Op::Restart(_) | Op::Start(_) | Op::Stop { .. } => Some(Self::Restart),
                Op::Signal { .. } | Op::SwitchFiles { .. } => Some(Self::Reload),
                Op::Pull { .. } => Some(Self::Pull),
                Op::Build { .. } => Some(Self::Build),
                Op::RemoveContainer(_)
                | Op::RemoveImage { .. }
                | Op::RemoveNetwork { .. }
                | Op::RemoveVolume { .. } => Some(Self::Remove),
                _ => Some(Self::InPlace),
            })
            .min()
    }

    /// Returns what is done to a container that differs only in what it is doing.
    fn of_state(change: &Change) -> Option<Self> {
        let [only] = change.fields.as_slice() else { return None };
        if only.path.field != Field::State {
            return None;
        }
        match &only.after {
            Shown::Plain(wanted) if wanted == "stopped" => Some(Self::Stop),
            _ => Some(Self::Start),
        }
    }

    fn of_image(plan: &Plan, id: &ResourceId) -> Option<Self> {
        if !matches!(id, ResourceId::Image(_)) {
            return None;
        }
        let steps = plan.steps.iter().filter(|step| step.group == *id);
        Self::of_steps(steps)
    }

    /// Returns the sign in front of a line.
    pub fn symbol(self) -> char {
        match self {
            Self::Pull | Self::Build | Self::Create => '+',
            Self::Recreate | Self::Replace => '±',
            Self::Adopt
            | Self::Restart
            | Self::Reload
            | Self::InPlace
            | Self::Start
            | Self::Stop
            | Self::Settle => '~',
            Self::Remove => '-',
            Self::Held | Self::Blocked => '!',
            Self::Deferred | Self::NotChecked => '?',
        }
    }

    /// Returns the word, as in the summary.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Build => "build",
            Self::Create => "create",
            Self::Recreate => "recreate",
            Self::Replace => "replace",
            Self::Adopt => "adopt",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::InPlace => "in place",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Settle => "settle",
            Self::Held => "held",
            Self::Blocked => "blocked",
            Self::Deferred => "deferred",
            Self::NotChecked => "not checked",
        }
    }
}

/// Resources that are touched because of others, each with what happens and why.
pub(super) fn followers(plan: &Plan) -> BTreeMap<&ResourceId, (Verdict, &str)> {
    let changed: BTreeSet<&ResourceId> = plan.changes.changes.iter().map(|c| &c.id).collect();
    let mut steps: BTreeMap<&ResourceId, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| !changed.contains(&step.group)) {
        steps.entry(&step.group).or_default().push(step);
    }
    steps
        .into_iter()
        .filter_map(|(id, steps)| {
            let why = steps.first().map_or("", |step| step.why.as_str());
            Some((id, (Verdict::of_steps(steps.into_iter())?, why)))
        })
        .collect()
}

/// Returns whether the new container of `id` starts before the old one stops; `None` where only one of
/// the two happens.
pub(super) fn starts_first(plan: &Plan, id: &ResourceId) -> Option<bool> {
    let place = |wanted: fn(&Op) -> bool| {
        plan.steps.iter().position(|step| step.group == *id && wanted(&step.op))
    };
    let start = place(|op| matches!(op, Op::Start(Target::Name(_))))?;
    let stop = place(|op| matches!(op, Op::Stop { container: Target::Id { .. }, .. }))?;
    Some(start < stop)
}

/// How many resources meet which end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// By verdict; none is zero.
    pub counts: BTreeMap<Verdict, usize>,
    /// How many are as they should be.
    pub unchanged: usize,
}

impl Summary {
    /// Counts the resources of a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut counts = BTreeMap::new();
        let followers = followers(plan);
        let changed = plan.changes.changes.iter().map(|change| Verdict::of(plan, change));
        for verdict in changed.chain(followers.values().map(|(verdict, _)| *verdict)) {
            *counts.entry(verdict).or_default() += 1;
        }
        let following = |id: &&ResourceId| !followers.contains_key(id);
        Self { counts, unchanged: plan.changes.unchanged.iter().filter(following).count() }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counted = self.counts.iter().map(|(verdict, count)| (*count, verdict.word()));
        let all = counted.chain(std::iter::once((self.unchanged, "unchanged")));
        for (place, (count, word)) in all.filter(|(count, _)| *count > 0).enumerate() {
            f.write_str(if place == 0 { "" } else { " · " })?;
            write!(f, "{count} {word}")?;
        }
        Ok(())
    }
}
