//! What waits for what: the edges between the groups of a plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Op, container,
    draft::{Drafts, Role},
    planner::Planner,
};
use crate::{
    desired::{Field, Resource},
    model::ResourceId,
    observed::{Live, SeenContainer},
};

impl Planner<'_> {
    /// Adds all edges between groups.
    pub(super) fn order(&mut self) {
        let handovers = self.port_handovers();
        let mut early: BTreeSet<usize> = handovers.values().flatten().copied().collect();
        early.extend(self.removals_from_emptied_volumes());
        // What is paused is let go on before it stops, and that early too.
        let before = early.iter().flat_map(|number| &self.drafts.all[*number].after);
        let unpauses = |number: &&usize| matches!(self.drafts.all[**number].op, Op::Unpause(_));
        let resumed: Vec<usize> = before.filter(unpauses).copied().collect();
        early.extend(resumed);
        self.wait_for_dependencies(&early);
        // First what has to be, then what is better so: preparations may wait for a volume to go.
        self.wait_for_removals();
        self.wait_for_names();
        self.wait_for_preparations();
        for (start, stops) in handovers {
            for stop in stops {
                self.drafts.wait(start, stop);
            }
        }
    }

    /// Makes each group wait for the groups its resource rests on.
    ///
    /// A container that lets go of a port or of a volume for others does so early: it cannot wait for
    /// what it needs when that is what waits for it.
    fn wait_for_dependencies(&mut self, early: &BTreeSet<usize>) {
        let groups: BTreeSet<ResourceId> =
            self.drafts.all.iter().map(|draft| draft.group.clone()).collect();
        for group in &groups {
            // A group waits for what it rests on itself, so there is no need to look behind one.
            for dependency in self.dependencies(group, |id| groups.contains(id)) {
                if !groups.contains(&dependency) {
                    continue;
                }
                let material = matches!(
                    dependency,
                    ResourceId::Image(_) | ResourceId::Network(_) | ResourceId::Volume(_)
                );
                // What is inside a service is reached by the name that its container gets last.
                let is_container = matches!(group, ResourceId::Container(_));
                let earlier = self.drafts.of(&dependency);
                let earlier: Vec<usize> = earlier
                    .filter(|number| {
                        !(is_container && self.drafts.all[*number].role == Role::Aside)
                    })
                    .collect();
                let own: Vec<usize> = self.drafts.of(group).collect();
                for number in own {
                    let waits = match self.drafts.all[number].role {
                        Role::Make | Role::Prepare => material,
                        Role::Disturb | Role::Act if early.contains(&number) => {
                            material && !matches!(dependency, ResourceId::Volume(_))
                        }
                        Role::Disturb | Role::Act => true,
                        // It comes after a step of its own group that has waited.
                        Role::Aside => false,
                    };
                    if waits {
                        // What rests on what has no circles: `desired` sees to that.
                        self.drafts.all[number].after.extend(&earlier);
                    }
                }
            }
        }
    }

    /// Makes whatever disturbs wait for everything that can fail early.
    fn wait_for_preparations(&mut self) {
        let of = |role: Role, drafts: &Drafts| -> Vec<usize> {
            (0..drafts.all.len()).filter(|number| drafts.all[*number].role == role).collect()
        };
        let preparations = of(Role::Prepare, &self.drafts);
        for number in of(Role::Disturb, &self.drafts) {
            for earlier in &preparations {
                self.drafts.wait(number, *earlier);
            }
        }
    }

    /// Makes networks and volumes go after the containers on them.
    fn wait_for_removals(&mut self) {
        for number in 0..self.drafts.all.len() {
            let users: Vec<&SeenContainer> = match &self.drafts.all[number].op {
                Op::RemoveVolume { name } => self.users_of_volume(name),
                Op::RemoveNetwork { id } => {
                    let gone = !self.desired.resources.contains_key(&self.drafts.all[number].group);
                    let network = self.observed.networks.iter().find(|seen| seen.id == *id);
                    let members = network.filter(|_| gone).map(|seen| &seen.members);
                    let is_member =
                        |seen: &&SeenContainer| members.is_some_and(|m| m.contains(&seen.name));
                    self.observed.containers.iter().filter(is_member).collect()
                }
                _ => continue,
            };
            let removals: Vec<usize> = self
                .drafts
                .all
                .iter()
                .enumerate()
                .filter(|(_, draft)| match &draft.op {
                    Op::RemoveContainer(target) => {
                        users.iter().any(|seen| seen.id == target.reference())
                    }
                    _ => false,
                })
                .map(|(number, _)| number)
                .collect();
            for removal in removals {
                self.drafts.wait(number, removal);
            }
        }
    }

    /// Makes whatever takes a name wait for the container of ours that gives it up.
    fn wait_for_names(&mut self) {
        for number in 0..self.drafts.all.len() {
            let taker = &self.drafts.all[number];
            let (Op::CreateContainer { name, .. } | Op::Rename { to: name, .. }) = &taker.op else {
                continue;
            };
            let Some(holder) = self.observed.containers.iter().find(|seen| seen.name == *name)
            else {
                continue;
            };
            let gives_up = |op: &Op| match op {
                Op::Rename { container, .. } | Op::RemoveContainer(container) => {
                    container.reference() == holder.id
                }
                _ => false,
            };
            let drafts = self.drafts.all.iter().enumerate();
            let of_others =
                drafts.filter(|(_, draft)| draft.group != taker.group && gives_up(&draft.op));
            // The first of them: who steps aside may be renamed once more, when its own name is free.
            let earlier = of_others.map(|(number, _)| number).min();
            if let Some(earlier) = earlier {
                self.drafts.wait(number, earlier);
            }
        }
    }

    /// Returns the containers that mount a volume, whether they run or not.
    pub(super) fn users_of_volume(&self, name: &str) -> Vec<&SeenContainer> {
        let mounts = |seen: &&SeenContainer| {
            seen.fields.0.iter().any(|(path, live)| match live {
                Live::Text(text) => {
                    path.field == Field::Mount
                        && text
                            .expose()
                            .strip_prefix("volume:")
                            .and_then(|m| m.rsplit_once(':'))
                            .is_some_and(|(volume, _)| volume == name)
                }
                Live::Verifier(_) => false,
            })
        };
        self.observed.containers.iter().filter(mounts).collect()
    }

    /// Returns the steps that take containers off volumes that are made anew.
    fn removals_from_emptied_volumes(&self) -> Vec<usize> {
        let drafts = self.drafts.all.iter().enumerate();
        drafts
            .filter(|(_, draft)| matches!(draft.op, Op::Stop { .. } | Op::RemoveContainer(_)))
            .filter(|(_, draft)| match self.desired.resources.get(&draft.group) {
                Some(Resource::Container(wanted)) => self.uses_emptied_volume(wanted),
                _ => false,
            })
            .map(|(number, _)| number)
            .collect()
    }

    /// Returns, for each start that wants a port of the host, the stops of those who have it.
    fn port_handovers(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut handovers = BTreeMap::new();
        for (start, draft) in self.drafts.all.iter().enumerate() {
            let Some(Resource::Container(wanted)) = self.desired.resources.get(&draft.group) else {
                continue;
            };
            if !matches!(draft.op, Op::Start(_)) || wanted.ports.is_empty() {
                continue;
            }
            let ports: BTreeSet<u16> =
                wanted.ports.values().flatten().map(|binding| binding.port).collect();
            let holds = |id: &str| {
                let seen = self.observed.containers.iter().find(|seen| seen.id == id);
                seen.is_some_and(|seen| !ports.is_disjoint(&container::published(seen)))
            };
            let stops = self.drafts.all.iter().enumerate().filter(|(_, other)| match &other.op {
                Op::Stop { container, .. } => {
                    other.group != draft.group && holds(container.reference())
                }
                _ => false,
            });
            handovers.insert(start, stops.map(|(number, _)| number).collect());
        }
        handovers
    }
}
