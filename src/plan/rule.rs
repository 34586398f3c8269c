//! Policies over a plan: what bites is refused, held or said.

use std::collections::BTreeSet;

use super::{Held, Release, container::published, planner::Planner};
use crate::{
    desired::{Demand, Measure, MountSource, Offence, Phase, Resource, Rule, RuleEffect},
    diff::{Action, Change, Effect},
    model::{Origin, PolicyName, ResourceId},
    observed::State,
};

/// Something that is against a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The policy.
    pub policy: PolicyName,
    /// What comes of it.
    pub effect: RuleEffect,
    /// The resource; `None` when it is about the plan as a whole.
    pub id: Option<ResourceId>,
    /// What is wrong, such as `it is privileged`.
    pub why: String,
    /// Where the value comes from that is against it, if there is one.
    pub origin: Option<Origin>,
    /// Where the policy is written.
    pub rule: Origin,
}

impl Planner<'_> {
    /// Finds what is against the policies, and holds what is to be held. What a person released by the
    /// policy's name is not found; what a policy refuses cannot be released.
    pub(super) fn judge(&mut self) {
        for rule in &self.desired.rules {
            let release = Release::Policy(rule.name.clone());
            if rule.effect == RuleEffect::Hold && self.policy.allow.contains(&release) {
                continue;
            }
            match &rule.demand {
                Demand::Deny(..) | Demand::Require(..) => self.judge_containers(rule, &release),
                Demand::AtMost { measure, amount, among } => {
                    let (found, whole) = self.measured(*measure);
                    if whole < *among || !amount.is_exceeded(found.len(), whole) {
                        continue;
                    }
                    let why = exceeded(*measure, found.len(), whole, &amount.to_string());
                    self.find(rule, None, why, None);
                    if rule.effect == RuleEffect::Hold {
                        let one = one_of(*measure, found.len());
                        for id in &found {
                            self.hold_back(rule, id, &one, &release);
                        }
                    }
                }
            }
        }
    }

    fn judge_containers(&mut self, rule: &Rule, release: &Release) {
        for offence in self.desired.offences(rule) {
            // What stays as it is because nobody asked for it, nobody has to put right now.
            if self.changes.left_out(&offence.id).is_some() {
                continue;
            }
            let Offence { id, why, origin } = offence;
            if rule.effect == RuleEffect::Hold && self.is_made_so(&id) {
                self.hold_back(rule, &id, &why, release);
            }
            self.find(rule, Some(id), why, origin);
        }
    }

    fn find(&mut self, rule: &Rule, id: Option<ResourceId>, why: String, origin: Option<Origin>) {
        let (policy, rule_origin) = (rule.name.clone(), rule.origin.clone());
        let finding = Finding { policy, effect: rule.effect, id, why, origin, rule: rule_origin };
        self.findings.push(finding);
    }

    /// Holds one change for a policy, and with a container the volumes that would be taken from it.
    fn hold_back(&mut self, rule: &Rule, id: &ResourceId, why: &str, release: &Release) {
        let mut all = vec![id.clone()];
        if let Some(Resource::Container(wanted)) = self.desired.resources.get(id) {
            let volumes = wanted.mounts.values().filter_map(|mount| match &mount.source {
                MountSource::Volume(name) => Some(ResourceId::Volume(name.clone())),
                MountSource::Bind(_) => None,
            });
            let is_anew = |id: &ResourceId| {
                let change = self.changes.get(id);
                change.is_some_and(|change| matches!(change.action, Action::Change(_)))
            };
            all.extend(volumes.filter(is_anew));
        }
        for id in all {
            let is_absent =
                |change: &Change| matches!(change.action, Action::Create | Action::Conflict);
            if self.changes.get(&id).is_some_and(is_absent) {
                self.unusable.insert(id.clone());
            }
            let what = format!("policy {}: {why}", rule.name);
            let held = Held { id, what, release: release.clone() };
            if !self.held.contains(&held) {
                self.held.push(held);
            }
        }
    }

    /// Blocks what wants a port of the host that one of ours keeps, because its change is held or blocked.
    pub(super) fn block_kept_ports(&mut self) {
        loop {
            let kept = self.changes.changes.iter().find_map(|change| {
                let Some(Resource::Container(wanted)) = self.desired.resources.get(&change.id)
                else {
                    return None;
                };
                if !self.will_start(change, wanted) {
                    return None;
                }
                let ports = wanted.ports.values().flatten().map(|binding| binding.port);
                let ports: BTreeSet<u16> = ports.collect();
                let (port, keeper) = self.observed.containers.iter().find_map(|seen| {
                    let id = seen.owner.resource()?;
                    let keeps = *id != change.id && seen.state == State::Running;
                    let port = published(seen).intersection(&ports).next().copied()?;
                    (keeps && self.is_stopped(id)).then_some((port, id))
                })?;
                let reason = if self.blocked.contains_key(keeper) { "blocked" } else { "held" };
                Some((change, format!("{keeper} has port {port}, and its change is {reason}")))
            });
            let Some((change, why)) = kept else { return };
            self.blocked.insert(change.id.clone(), why);
            if change.subject.is_none() {
                self.unusable.insert(change.id.clone());
            }
        }
    }

    /// Returns whether the plan would make a container that way, or let it be that way once more.
    fn is_made_so(&self, id: &ResourceId) -> bool {
        let runs = self.desired.resources.get(id).is_some_and(|resource| match resource {
            Resource::Container(container) => container.phase != Phase::Suspended,
            _ => false,
        });
        runs && self.changes.get(id).is_some_and(|change| match change.action {
            Action::Create | Action::Change(_) | Action::Conflict => true,
            Action::Remove | Action::Deferred | Action::NotChecked | Action::Settle => false,
        })
    }

    /// Returns the changes that are counted, and how many things there are that could be.
    fn measured(&self, measure: Measure) -> (BTreeSet<ResourceId>, usize) {
        let is_counted = |change: &&Change| match (measure, &change.id) {
            (_, ResourceId::Image(_)) => false,
            (Measure::Removals, _) => change.action == Action::Remove,
            (Measure::Recreates, ResourceId::Container(_)) => is_at_least(change, Effect::Recreate),
            // Whatever mounts a volume that is made anew is made anew with it.
            (Measure::Recreates | Measure::Unavailable, ResourceId::Volume(_)) => {
                is_at_least(change, Effect::Recreate)
            }
            (Measure::Unavailable, ResourceId::Container(_)) => {
                self.is_up(change)
                    && (change.action == Action::Remove || is_at_least(change, Effect::Restart))
            }
            // Its reader is restarted, unless that is counted already.
            (Measure::Unavailable, ResourceId::Files(name)) => {
                let reader = ResourceId::Container(name.clone());
                let counted = self.changes.get(&reader);
                is_at_least(change, Effect::Restart)
                    && !counted.is_some_and(|reader| is_at_least(reader, Effect::Restart))
            }
            (Measure::Recreates, ResourceId::Files(_))
            | (
                Measure::Recreates | Measure::Unavailable,
                ResourceId::Network(_) | ResourceId::Inner(_),
            ) => false,
        };
        let found = self.changes.changes.iter().filter(is_counted).map(|change| change.id.clone());
        let whole = match measure {
            Measure::Removals => self.present().filter(|id| is_object(id)).count(),
            Measure::Recreates => {
                self.present().filter(|id| matches!(id, ResourceId::Container(_))).count()
            }
            Measure::Unavailable => {
                let ours = self.observed.containers.iter().filter(|seen| seen.owner.is_ours());
                ours.filter(|seen| seen.state == State::Running).count()
            }
        };
        (found.collect(), whole)
    }

    /// Returns the resources that are there now.
    fn present(&self) -> impl Iterator<Item = &ResourceId> {
        let changes = self.changes.left_out.iter().map(|left| &left.change);
        let changes = self.changes.changes.iter().chain(changes);
        let there = changes.filter(|change| match change.action {
            Action::Change(_) | Action::Remove | Action::Settle => true,
            Action::Create | Action::Conflict | Action::Deferred | Action::NotChecked => false,
        });
        self.changes.unchanged.iter().chain(there.map(|change| &change.id))
    }

    fn is_up(&self, change: &Change) -> bool {
        let live = |id: &String| self.observed.containers.iter().find(|seen| seen.id == *id);
        let subject = change.subject.as_ref().and_then(|subject| live(&subject.id));
        subject.is_some_and(|seen| seen.state == State::Running)
    }
}

fn is_at_least(change: &Change, least: Effect) -> bool {
    matches!(change.action, Action::Change(effect) if effect >= least)
}

/// Returns whether a resource is something on the engine that is ours alone.
fn is_object(id: &ResourceId) -> bool {
    match id {
        ResourceId::Container(_)
        | ResourceId::Network(_)
        | ResourceId::Volume(_)
        | ResourceId::Inner(_) => true,
        ResourceId::Image(_) | ResourceId::Files(_) => false,
    }
}

fn one_of(measure: Measure, found: usize) -> String {
    let noun = match measure {
        Measure::Removals => "removal",
        Measure::Recreates => "recreate",
        Measure::Unavailable => "stop",
    };
    if found == 1 { format!("the only {noun}") } else { format!("one of {found} {noun}s") }
}

fn exceeded(measure: Measure, found: usize, whole: usize, amount: &str) -> String {
    let (verb, noun) = match measure {
        Measure::Removals => ("removes", "resources that are there"),
        Measure::Recreates => ("makes anew", "containers"),
        Measure::Unavailable => ("stops", "running containers"),
    };
    format!("the plan {verb} {found} of {whole} {noun}, at most {amount} may")
}
