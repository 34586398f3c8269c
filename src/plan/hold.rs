//! What is not done without a person's word, and what cannot be done for now.

use std::collections::BTreeSet;

use super::{Held, Op, Release, Verb, planner::Planner};
use crate::{
    desired::{Container, Field, MountSource, Phase, Resource},
    diff::{Action, Change, Effect},
    model::{InnerKind, ResourceId},
    observed::{PortHolder, PortUser},
};

impl Planner<'_> {
    /// Holds what would destroy something, or what is not ours to touch, unless it was released.
    pub(super) fn hold(&mut self) {
        for change in &self.changes.changes {
            let (verb, what, unusable) = match (change.action, &change.id) {
                (Action::Conflict, id) => match (self.fits(change), id) {
                    (true, _) => (Verb::Adopt, "would take as ours what is not", true),
                    (false, ResourceId::Container(_)) => {
                        (Verb::Replace, "would remove a container that is not ours", true)
                    }
                    (false, ResourceId::Network(_)) => {
                        (Verb::Replace, "would make a network anew that is not ours", true)
                    }
                    (false, _) => (Verb::Replace, "would delete a volume that is not ours", true),
                },
                (Action::Remove, ResourceId::Volume(name)) => {
                    let seen = self.observed.volumes.iter().find(|seen| seen.name == *name);
                    if seen.is_some_and(|seen| seen.disposable) {
                        continue;
                    }
                    (Verb::Remove, "would delete the volume with all that is in it", false)
                }
                (Action::Remove, ResourceId::Inner(inner))
                    if !matches!(inner.kind, InnerKind::Grant | InnerKind::Login) =>
                {
                    (Verb::Remove, "would drop it with all that is in it", false)
                }
                (Action::Change(Effect::DataAtRisk), ResourceId::Volume(_)) => {
                    (Verb::Replace, "would delete the volume and make an empty one", false)
                }
                (Action::Change(Effect::DataAtRisk), _) => {
                    (Verb::Replace, "would start without the data it has now", false)
                }
                (Action::Remove, ResourceId::Network(_)) if self.has_foreign_members(change) => {
                    (Verb::Remove, "would cut off containers that are not ours", false)
                }
                (Action::Change(_) | Action::Settle, ResourceId::Network(_))
                    if self.has_foreign_members(change) =>
                {
                    (Verb::Replace, "would cut off containers that are not ours", false)
                }
                _ => continue,
            };
            let release = Release::Change { verb, id: change.id.clone() };
            let instead = Release::Change { verb: Verb::Replace, id: change.id.clone() };
            let is_conflict = change.action == Action::Conflict;
            if self.policy.allow.contains(&release)
                || (is_conflict && self.policy.allow.contains(&instead))
            {
                continue;
            }
            if unusable {
                self.unusable.insert(change.id.clone());
            }
            self.held.push(Held { id: change.id.clone(), what: what.to_owned(), release });
        }
    }

    /// Blocks what would be made anew while somebody else has the name that it is made under. What takes
    /// back a successor that failed would remove theirs.
    pub(super) fn block_taken_names(&mut self) {
        for change in &self.changes.changes {
            let is_replaced = match change.action {
                Action::Conflict => true,
                Action::Change(effect) => effect >= Effect::Recreate,
                Action::Create
                | Action::Remove
                | Action::Deferred
                | Action::NotChecked
                | Action::Settle => false,
            };
            let Some(Resource::Container(wanted)) = self.desired.resources.get(&change.id) else {
                continue;
            };
            let next = wanted.next_name();
            let mut seen = self.observed.containers.iter();
            if is_replaced && seen.any(|seen| seen.name == next && !seen.owner.is_ours()) {
                let why = format!(
                    "its successor needs the name {next}, which a container has that is not ours: rename that one"
                );
                self.blocked.insert(change.id.clone(), why);
            }
        }
    }

    /// Blocks what would be started on a port that somebody else has. It would stop what runs now for
    /// nothing.
    pub(super) fn block_taken_ports(&mut self) {
        for change in &self.changes.changes {
            let Some(Resource::Container(wanted)) = self.desired.resources.get(&change.id) else {
                continue;
            };
            if !self.will_start(change, wanted) {
                continue;
            }
            let taken = wanted.ports.iter().find_map(|(key, bindings)| {
                self.observed.ports.iter().find(|holder| {
                    let mut bindings = bindings.iter();
                    bindings.any(|one| holder.keeps(&one.address, one.port, key.protocol))
                })
            });
            // With a conflict, the container in the way may be the one that has the port.
            let in_the_way = change.subject.as_ref().map(|subject| subject.name.as_str());
            let is_in_the_way = |by: &PortUser| match by {
                PortUser::Container(name) => Some(name.as_str()) == in_the_way,
                PortUser::Program { .. } | PortUser::Unknown => false,
            };
            if let Some(PortHolder { address, port, by, .. }) =
                taken.filter(|holder| !is_in_the_way(&holder.by))
            {
                let ours = match by {
                    PortUser::Container(_) => ", which is not ours",
                    PortUser::Program { .. } | PortUser::Unknown => "",
                };
                let why = format!(
                    "port {port} of {address} is taken by {by}{ours}: free it, or publish on another one"
                );
                self.blocked.insert(change.id.clone(), why);
                if change.subject.is_none() {
                    self.unusable.insert(change.id.clone());
                }
            }
        }
    }

    /// Returns whether the plan starts a container.
    pub(super) fn will_start(&self, change: &Change, wanted: &Container) -> bool {
        let starts = match change.action {
            Action::Conflict if self.adopts(change) => false,
            Action::Create | Action::Conflict => true,
            Action::Change(effect) => {
                effect >= Effect::Restart
                    || change.fields.iter().any(|field| field.path.field == Field::State)
            }
            Action::Settle | Action::Remove | Action::Deferred | Action::NotChecked => false,
        };
        starts && wanted.phase != Phase::Suspended && !self.is_stopped(&change.id)
    }

    /// Blocks what would be started with something of somebody else's that is not there: the engine would
    /// make an empty volume of that name.
    pub(super) fn block_without_external(&mut self) {
        let is_there = |id: &ResourceId| match id {
            ResourceId::Volume(name) => self.observed.volumes.iter().any(|v| v.name == *name),
            ResourceId::Network(name) => self.observed.networks.iter().any(|n| n.name == *name),
            _ => true,
        };
        let missing: BTreeSet<&ResourceId> =
            self.desired.external.iter().filter(|id| !is_there(id)).collect();
        for change in self.changes.changes.iter().filter(|_| !missing.is_empty()) {
            let Some(Resource::Container(wanted)) = self.desired.resources.get(&change.id) else {
                continue;
            };
            let volumes = wanted.mounts.values().filter_map(|mount| match &mount.source {
                MountSource::Volume(name) => Some(ResourceId::Volume(name.clone())),
                MountSource::Bind(_) => None,
            });
            let networks = wanted.networks.keys().map(|name| ResourceId::Network(name.clone()));
            if let Some(id) = volumes.chain(networks).find(|id| missing.contains(id)) {
                let command = match &id {
                    ResourceId::Volume(name) => format!("docker volume create {name}"),
                    _ => {
                        format!("docker network create {}", id.to_string().replace("network/", ""))
                    }
                };
                let why = format!("{id} is somebody else's and is not there; make it: {command}");
                self.blocked.insert(change.id.clone(), why);
                if change.subject.is_none() {
                    self.unusable.insert(change.id.clone());
                }
            }
        }
    }

    /// Blocks whatever is built on what cannot be used.
    pub(super) fn block(&mut self) {
        if self.unusable.is_empty() {
            return;
        }
        for id in self.desired.resources.keys() {
            let culprit = self
                .dependencies(id, |_| false)
                .into_iter()
                .find(|dependency| self.unusable.contains(dependency));
            if let Some(culprit) = culprit
                && self.changes.get(id).is_some()
                && !self.unusable.contains(id)
            {
                let reason = if self.blocked.contains_key(&culprit) { "blocked" } else { "held" };
                let why = format!("needs {culprit}, which is {reason}");
                self.blocked.entry(id.clone()).or_insert(why);
            }
        }
    }

    /// Blocks the removal of a volume that a container goes on using: no engine would do it. What waits for a
    /// person together with its user is asked for as it is.
    pub(super) fn block_used_volumes(&mut self) {
        for change in self.changes.changes.iter().filter(|one| one.action == Action::Remove) {
            let ResourceId::Volume(name) = &change.id else { continue };
            let goes = |id: &str| {
                let removes =
                    |op: &Op| matches!(op, Op::RemoveContainer(one) if one.reference() == id);
                self.drafts.all.iter().any(|draft| removes(&draft.op))
            };
            let mut users = self.users_of_volume(name).into_iter().filter(|seen| !goes(&seen.id));
            let Some(user) = users.next() else { continue };
            let called = ResourceId::Container(user.name.clone());
            let id = user.owner.resource().unwrap_or(&called);
            let is_held = self.held.iter().any(|held| held.id == *id);
            if is_held && self.held.iter().any(|held| held.id == change.id) {
                continue;
            }
            let wanted = match self.desired.resources.get(id) {
                Some(Resource::Container(wanted)) => Some(wanted),
                _ => None,
            };
            let (is_ours, user) = (user.owner.is_ours(), &user.name);
            let why = match wanted {
                _ if !is_ours => format!("{user}, which is not ours, uses it: remove that one"),
                _ if is_held => format!("{user}, which is held, uses it"),
                _ if self.blocked.contains_key(id) => format!("{user}, which is blocked, uses it"),
                Some(wanted) if wanted.phase == Phase::Suspended => format!(
                    "{user}, which is stopped, uses it: start it first with `nself start {}`",
                    wanted.service
                ),
                Some(_) | None => format!("{user}, which stays as it is, uses it"),
            };
            self.held.retain(|held| held.id != change.id);
            self.blocked.insert(change.id.clone(), why);
        }
    }

    /// Returns whether what is in the way of a wanted resource could be taken for it without being made
    /// anew.
    fn fits(&self, change: &Change) -> bool {
        // Of two that claim to be it, ours is.
        let ours = self.observed.containers.iter().filter(|seen| seen.owner.is_ours());
        let mut claims = ours.filter_map(|seen| seen.owner.resource());
        change.fields.iter().all(|field| field.effect < Effect::Recreate)
            && !claims.any(|claimed| *claimed == change.id)
    }

    /// Returns whether what is in the way of a wanted resource becomes ours as it is.
    pub(super) fn adopts(&self, change: &Change) -> bool {
        let replace = Release::Change { verb: Verb::Replace, id: change.id.clone() };
        change.action == Action::Conflict
            && !self.is_stopped(&change.id)
            && !self.policy.allow.contains(&replace)
            && self.fits(change)
    }

    pub(super) fn is_stopped(&self, id: &ResourceId) -> bool {
        self.held.iter().any(|held| held.id == *id) || self.blocked.contains_key(id)
    }

    /// Returns whether somebody else's containers are on a network that would go.
    fn has_foreign_members(&self, change: &Change) -> bool {
        let subject = change.subject.iter().filter(|_| change.action != Action::Settle);
        let mut going =
            subject.map(|subject| &subject.id).chain(change.leftovers.iter().map(|l| &l.id));
        let ours = |name: &String| {
            let seen = self.observed.containers.iter().find(|seen| seen.name == *name);
            seen.is_some_and(|seen| seen.owner.is_ours())
        };
        going.any(|id| {
            let network = self.observed.networks.iter().find(|seen| seen.id == *id);
            network.is_some_and(|network| !network.members.iter().all(ours))
        })
    }
}
