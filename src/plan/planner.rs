//! Draws up the plan: one group of steps for each change, then the edges between groups.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Finding, Held, Op, Past, Plan, Policy, Target, away, container,
    draft::{Drafts, Role},
    emptied, record,
};
use crate::{
    desired::{
        Container, Desired, Files, ImageOrigin, InnerResource, Phase, Reload, Resource, RuleEffect,
        Volume,
    },
    diff::{Action, Change, Changes, Effect},
    model::{Digest, Keyring, ResourceId},
    observed::{Observed, SeenContainer, State},
};

/// Turns differences into a plan.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    mut changes: Changes,
    policy: &Policy,
    past: &Past,
    keyring: &Keyring,
) -> Plan {
    let emptied = emptied::volumes(desired, &changes, policy);
    emptied::refill(desired, &mut changes, &emptied);
    let mut planner = Planner {
        desired,
        observed,
        changes: &changes,
        policy,
        keyring,
        drafts: Drafts::default(),
        held: Vec::new(),
        findings: Vec::new(),
        unusable: BTreeSet::new(),
        blocked: BTreeMap::new(),
        emptied,
    };
    planner.judge();
    planner.hold();
    planner.block_taken_names();
    planner.block_taken_ports();
    planner.block_kept_ports();
    planner.block_what_does_not_fit();
    planner.block_without_external();
    planner.block();
    let of_volumes = |change: &&Change| {
        change.action == Action::Remove && matches!(change.id, ResourceId::Volume(_))
    };
    for change in changes.changes.iter().filter(|change| !of_volumes(change)) {
        if !planner.is_stopped(&change.id) {
            planner.group(change);
        }
    }
    planner.take_off_emptied_volumes();
    // Only now it is known who goes on using one.
    planner.block_used_volumes();
    for change in changes.changes.iter().filter(of_volumes) {
        if !planner.is_stopped(&change.id) {
            planner.group(change);
        }
    }
    planner.order();
    let adopts = changes.changes.iter().filter(|change| planner.adopts(change));
    let adopted = adopts.filter_map(|change| {
        change.subject.as_ref().map(|subject| (change.id.clone(), subject.id.clone()))
    });
    let mut adopted: BTreeMap<ResourceId, String> = adopted.collect();
    let capacity = planner.capacity();
    let Planner { drafts, held, blocked, findings, .. } = planner;
    let mut steps = drafts.into_steps();
    if findings.iter().any(|finding| finding.effect == RuleEffect::Refuse) {
        steps.clear();
        adopted.clear();
    }
    let away = away::predict(&changes, observed, &steps, past);
    let title = match &desired.instance {
        None => desired.project.to_string(),
        Some(instance) => format!("{} · {instance}", desired.project),
    };
    let intent = record::intent(desired, observed, &changes, &steps, adopted);
    let recorded = observed.record.clone();
    let engine = observed.engine.clone();
    Plan {
        title,
        engine,
        changes,
        steps,
        held,
        blocked,
        findings,
        away,
        capacity,
        intent,
        recorded,
    }
}

pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) changes: &'a Changes,
    pub(super) policy: &'a Policy,
    pub(super) keyring: &'a Keyring,
    pub(super) drafts: Drafts,
    pub(super) held: Vec<Held>,
    pub(super) findings: Vec<Finding>,
    /// Held resources on which nothing can be built.
    pub(super) unusable: BTreeSet<ResourceId>,
    pub(super) blocked: BTreeMap<ResourceId, String>,
    /// Volumes that are made anew: nothing may use them while that happens.
    pub(super) emptied: BTreeSet<String>,
}

impl<'a> Planner<'a> {
    /// Returns what a resource rests on, directly or through others, but not through those at which
    /// `ends` says to end.
    pub(super) fn dependencies(
        &self,
        id: &ResourceId,
        ends: impl Fn(&ResourceId) -> bool,
    ) -> BTreeSet<ResourceId> {
        let mut all = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            for dependency in self.desired.after.get(id).into_iter().flatten().map(|(id, _)| id) {
                if all.insert(dependency.clone()) && !ends(dependency) {
                    open.push(dependency);
                }
            }
        }
        all
    }

    /// Makes containers anew that are as they should be, and mount a volume that is not.
    fn take_off_emptied_volumes(&mut self) {
        for wanted in self.desired.containers() {
            let id = ResourceId::Container(wanted.name.clone());
            if !self.uses_emptied_volume(wanted) || self.drafts.of(&id).next().is_some() {
                continue;
            }
            let Some(seen) = self.keeper(wanted) else { continue };
            let anew = Action::Change(Effect::Recreate);
            let change = Change::new(&id, anew, "its volume is made anew");
            container::group(self, &change.about(&seen.id, &seen.name), wanted);
        }
    }

    fn group(&mut self, change: &Change) {
        match (&change.id, self.desired.resources.get(&change.id)) {
            (_, Some(Resource::Image(image))) => {
                let reference = image.reference.clone();
                let op = match &image.origin {
                    ImageOrigin::Pull(from) => Op::Pull { image: reference, from: from.clone() },
                    ImageOrigin::Build(build) => {
                        Op::Build { image: reference, build: build.clone() }
                    }
                };
                self.drafts.push(&change.id, Role::Prepare, op, &change.reason, None);
            }
            (_, Some(Resource::Network(network))) => self.network(change, network),
            (_, Some(Resource::Volume(volume))) => self.volume(change, volume),
            (_, Some(Resource::Files(files))) => self.files(change, files),
            (_, Some(Resource::Container(wanted))) => container::group(self, change, wanted),
            (_, Some(Resource::Inner(inner))) => self.inner(change, inner),
            (ResourceId::Container(_), None) => {
                for (id, name) in subjects(change) {
                    let is_tool = self.observed.tools.iter().any(|tool| tool.id == id);
                    let target = Target::Id { id, name };
                    if is_tool {
                        // It never ran.
                        let remove = Op::RemoveContainer(target);
                        self.drafts.push(&change.id, Role::Disturb, remove, &change.reason, None);
                        continue;
                    }
                    let stop = Op::Stop { container: target.clone(), grace: None };
                    let stopped =
                        self.drafts.push(&change.id, Role::Disturb, stop, &change.reason, None);
                    let remove = Op::RemoveContainer(target);
                    self.drafts.push(
                        &change.id,
                        Role::Disturb,
                        remove,
                        &change.reason,
                        Some(stopped),
                    );
                }
            }
            (ResourceId::Network(_), None) => {
                for (id, _) in subjects(change) {
                    let op = Op::RemoveNetwork { id };
                    self.drafts.push(&change.id, Role::Disturb, op, &change.reason, None);
                }
            }
            (ResourceId::Volume(name), None) => {
                let op = Op::RemoveVolume { name: name.clone() };
                self.drafts.push(&change.id, Role::Disturb, op, &change.reason, None);
            }
            (ResourceId::Inner(inner), None) => {
                let sibling = self.desired.resources.values().find_map(|resource| match resource {
                    Resource::Inner(other) if other.id.service == inner.service => Some(other),
                    _ => None,
                });
                if let Some(sibling) = sibling {
                    let mut gone = sibling.clone();
                    gone.id = inner.clone();
                    gone.spec.attributes.clear();
                    gone.spec.kind = inner.kind;
                    gone.spec.database.clone_from(&inner.database);
                    gone.spec.name.clone_from(&inner.name);
                    let container = Target::Name(gone.container.clone());
                    let op = Op::DropInner { inner: gone, container };
                    self.drafts.push(&change.id, Role::Disturb, op, &change.reason, None);
                }
            }
            (ResourceId::Image(name), None) if change.action == Action::Remove => {
                let op = Op::RemoveImage { image: name.clone() };
                self.drafts.push(&change.id, Role::Disturb, op, &change.reason, None);
            }
            (ResourceId::Image(_) | ResourceId::Files(_), None) => {}
        }
    }

    fn network(&mut self, change: &Change, network: &crate::desired::Network) {
        let id = &change.id;
        let labels = self.labels(id);
        let create = Op::CreateNetwork { network: network.clone(), labels };
        match change.action {
            Action::Create => {
                self.drafts.push(id, Role::Make, create, &change.reason, None);
            }
            Action::Conflict if self.adopts(change) => {}
            Action::Change(_) | Action::Conflict => {
                let mut last = None;
                for (network, _) in subjects(change) {
                    let op = Op::RemoveNetwork { id: network };
                    last = Some(self.drafts.push(id, Role::Disturb, op, "it is made anew", last));
                }
                let mut last = self.drafts.push(id, Role::Act, create, "it is made anew", last);
                // Whatever stays as it is lost its place with the old network.
                for container in self.desired.containers() {
                    let Some(attachment) = container.networks.get(&network.name) else { continue };
                    let Some(seen) = self.keeper(container) else { continue };
                    let op = Op::Connect {
                        container: target(seen),
                        network: network.name.clone(),
                        attachment: attachment.clone(),
                    };
                    last =
                        self.drafts.push(id, Role::Act, op, "back on the new network", Some(last));
                }
            }
            Action::Settle => {
                for leftover in &change.leftovers {
                    let op = Op::RemoveNetwork { id: leftover.id.clone() };
                    self.drafts.push(id, Role::Disturb, op, &change.reason, None);
                }
            }
            Action::Remove | Action::Deferred | Action::NotChecked => {}
        }
    }

    fn volume(&mut self, change: &Change, volume: &Volume) {
        let id = &change.id;
        let create = Op::CreateVolume { volume: volume.clone(), labels: self.labels(id) };
        match change.action {
            Action::Create => {
                self.drafts.push(id, Role::Make, create, &change.reason, None);
            }
            Action::Conflict if self.adopts(change) => {}
            Action::Change(_) | Action::Conflict => {
                let remove = Op::RemoveVolume { name: volume.name.clone() };
                let removed = self.drafts.push(id, Role::Disturb, remove, "it is made anew", None);
                self.drafts.push(id, Role::Act, create, "it is made anew", Some(removed));
            }
            Action::Remove | Action::Deferred | Action::NotChecked | Action::Settle => {}
        }
    }

    fn files(&mut self, change: &Change, files: &Files) {
        let id = &change.id;
        if change.action == Action::NotChecked {
            return;
        }
        // While a secret is yet to be generated the steps are only shown; they cannot be taken, and
        // need not: `apply` generates it and plans again.
        let digest = files.digest(self.keyring);
        let digest = digest.unwrap_or_else(|| Digest::of(b"secrets to come"));
        let before = self.observed.files.get(id).and_then(|seen| seen.current.clone());
        let only_loaded = change.action != Action::Create
            && change.fields.iter().all(|field| field.path.field == crate::desired::Field::Loaded);
        let reader = self
            .desired
            .container(&files.container)
            .filter(|container| !self.is_started_anew(container))
            .and_then(|container| self.keeper(container).map(|seen| (container, seen)))
            .filter(|(_, seen)| seen.state == State::Running);
        let mut last = None;
        if !only_loaded {
            let write = Op::WriteFiles { files: files.clone(), digest: digest.clone() };
            last = Some(self.drafts.push(id, Role::Prepare, write, &change.reason, last));
            if let (Some((_, seen)), Some(check)) = (&reader, &files.check) {
                let op = Op::CheckFiles {
                    container: target(seen),
                    check: check.clone(),
                    dir: format!("{}/{digest}", files.mount),
                };
                last = Some(self.drafts.push(id, Role::Prepare, op, "before they are used", last));
            }
            let switch = Op::SwitchFiles {
                volume: files.volume.clone(),
                digest: digest.as_str().to_owned(),
            };
            last = Some(self.drafts.push(id, Role::Act, switch, "they are complete", last));
        }
        let Some((container, seen)) = reader else { return };
        let back = before.map(|digest| Op::SwitchFiles { volume: files.volume.clone(), digest });
        match &files.reload {
            Reload::Signal(signal) => {
                let op = Op::Signal { container: target(seen), signal: signal.clone() };
                let signalled = self.drafts.push(id, Role::Act, op, "to load them", last);
                self.drafts.on_failure(signalled, back.into_iter().collect());
            }
            Reload::RestartFor(_) if change.action == Action::Change(Effect::InPlace) => {}
            Reload::Restart | Reload::RestartFor(_) => {
                let op = Op::Restart(target(seen));
                let restarted = self.drafts.push(id, Role::Disturb, op, "to load them", last);
                let ready = container::await_ready(target(seen), container);
                let awaited = self.drafts.push(
                    id,
                    Role::Act,
                    ready.clone(),
                    "after the restart",
                    Some(restarted),
                );
                let undo: Vec<Op> =
                    back.into_iter().chain([Op::Restart(target(seen)), ready]).collect();
                self.drafts.on_failure(restarted, undo.clone());
                self.drafts.on_failure(awaited, undo);
            }
        }
    }

    fn inner(&mut self, change: &Change, inner: &InnerResource) {
        match change.action {
            Action::Create | Action::Change(_) | Action::Deferred => {
                // A service that a person stopped stays stopped, and so does what is in it.
                let runs = self.desired.container(&inner.container);
                if runs.is_some_and(|container| container.phase == Phase::Suspended) {
                    return;
                }
                let container = Target::Name(inner.container.clone());
                let op = Op::Ensure { inner: inner.clone(), container };
                self.drafts.push(&change.id, Role::Act, op, &change.reason, None);
            }
            Action::Remove | Action::Conflict | Action::NotChecked | Action::Settle => {}
        }
    }

    /// Returns the live container that a wanted one is compared with.
    pub(super) fn keeper(&self, wanted: &Container) -> Option<&'a SeenContainer> {
        let id = ResourceId::Container(wanted.name.clone());
        let by_id = |id: &str| self.observed.containers.iter().find(|seen| seen.id == id);
        match self.changes.get(&id).or_else(|| self.changes.left_out(&id)) {
            Some(change) if change.action == Action::Conflict && !self.adopts(change) => None,
            Some(change) => by_id(&change.subject.as_ref()?.id),
            None => self
                .observed
                .containers
                .iter()
                .find(|seen| seen.owner.resource() == Some(&id) || seen.name == wanted.name),
        }
    }

    /// Returns whether the plan starts this container, so that it finds new files by itself.
    fn is_started_anew(&self, wanted: &Container) -> bool {
        let id = ResourceId::Container(wanted.name.clone());
        if self.uses_emptied_volume(wanted) {
            return true;
        }
        let Some(change) = self.changes.get(&id) else { return false };
        if self.is_stopped(&id) {
            return false;
        }
        match change.action {
            Action::Conflict => !self.adopts(change),
            Action::Create => true,
            Action::Change(effect) => effect >= Effect::Restart,
            Action::Remove | Action::Deferred | Action::NotChecked | Action::Settle => false,
        }
    }

    /// Returns whether a container mounts a volume that is made anew, so that it has to go first.
    pub(super) fn uses_emptied_volume(&self, wanted: &Container) -> bool {
        wanted.mounts.values().any(|mount| match &mount.source {
            crate::desired::MountSource::Volume(name) => self.emptied.contains(name),
            crate::desired::MountSource::Bind(_) => false,
        })
    }

    /// Returns the labels of a new object.
    pub(super) fn labels(&self, id: &ResourceId) -> BTreeMap<String, String> {
        record::object_labels(self.desired, id, self.keyring)
    }
}

/// Returns the live objects of a change: the one that counts, then the others.
pub(super) fn subjects(change: &Change) -> Vec<(String, String)> {
    let first = change.subject.iter().map(|subject| (subject.id.clone(), subject.name.clone()));
    let rest = change.leftovers.iter().map(|other| (other.id.clone(), other.name.clone()));
    first.chain(rest).collect()
}

/// Returns the target for a live container.
pub(super) fn target(seen: &SeenContainer) -> Target {
    Target::Id { id: seen.id.clone(), name: seen.name.clone() }
}
