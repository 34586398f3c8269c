//! Whether the engine's machine has room for what is planned: memory, disk, addresses.
//!
//! What cannot succeed is blocked before anything is stopped for it. What is not known of the machine
//! blocks nothing.

use std::collections::BTreeSet;

use super::planner::Planner;
use crate::{
    desired::{Container, Field, Phase, Resource},
    diff::{Action, Change, Effect},
    model::{ByteSize, ResourceId},
    observed::{Disk, Live, SeenContainer, State},
};

/// What a plan asks of the engine's machine, and what that has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes by which the memory limits of what will run exceed those of what runs now. Services without
    /// a limit do not count: nobody knows what they take.
    pub memory_more: i64,
    /// Bytes of memory that are free; `None` when not known.
    pub memory_free: Option<u64>,
    /// How many networks are made beyond those that go, addresses chosen by the engine.
    pub networks_more: usize,
    /// How many more the engine has addresses for; `None` when not known.
    pub networks_left: Option<u32>,
    /// The disk for images and volumes; `None` when not known.
    pub disk: Option<Disk>,
}

impl Capacity {
    /// Returns the bytes by which the limits go beyond what is free, if they do.
    pub fn memory_missing(&self) -> Option<u64> {
        let more = u64::try_from(self.memory_more).ok()?;
        more.checked_sub(self.memory_free?).filter(|missing| *missing > 0)
    }
}

impl Planner<'_> {
    /// Adds up what is asked of the machine.
    pub(super) fn capacity(&self) -> Capacity {
        let host = &self.observed.host;
        let open = self.changes.changes.iter().filter(|change| !self.is_stopped(&change.id));
        Capacity {
            memory_more: open.map(|change| self.memory_more(change)).sum(),
            memory_free: host.memory_free,
            networks_more: self.new_networks().len(),
            networks_left: host.networks_left,
            disk: host.disk,
        }
    }

    /// Blocks what the machine has no room for.
    pub(super) fn block_what_does_not_fit(&mut self) {
        let mut blocked = Vec::new();
        for change in &self.changes.changes {
            let why = match self.desired.resources.get(&change.id) {
                Some(Resource::Container(wanted)) if is_asked_for(change, wanted) => {
                    self.too_much_memory(wanted)
                }
                Some(Resource::Image(_)) if change.action == Action::Create => self.no_disk(),
                Some(Resource::Volume(_)) if change.action == Action::Create => self.no_disk(),
                _ => None,
            };
            blocked.extend(why.map(|why| (change.id.clone(), why)));
        }
        blocked.extend(self.too_many_networks());
        for (id, why) in blocked {
            if self.is_stopped(&id) {
                continue;
            }
            // What is there and stays as it is can still be built on.
            let is_there = self.changes.get(&id).is_some_and(|change| change.subject.is_some());
            if !is_there {
                self.unusable.insert(id.clone());
            }
            self.blocked.insert(id, why);
        }
    }

    fn too_much_memory(&self, wanted: &Container) -> Option<String> {
        let machine = self.observed.engine.memory;
        let asked = [
            ("limit", "limits.memory", wanted.limits.memory),
            ("reservation", "limits.reservation", wanted.limits.reservation),
        ];
        let (word, key, ByteSize(size)) = asked.into_iter().find_map(|(word, key, size)| {
            Some((word, key, size.filter(|size| machine > 0 && size.0 > machine)?))
        })?;
        Some(format!(
            "its memory {word} of {} is more than the engine's machine has, which is {}: lower {key}",
            ByteSize(size),
            ByteSize(machine).rounded()
        ))
    }

    fn no_disk(&self) -> Option<String> {
        let disk = self.observed.host.disk.filter(|disk| disk.is_full())?;
        Some(format!(
            "the engine's disk has {} free, and {} have to stay: docker system df shows what takes it",
            ByteSize(disk.free).rounded(),
            ByteSize(disk.floor()).rounded()
        ))
    }

    /// Returns the networks to be made whose addresses the engine chooses. One that is made anew gives
    /// back what it had.
    fn new_networks(&self) -> BTreeSet<ResourceId> {
        let changes = self.changes.changes.iter();
        let made = changes.filter(|change| match self.desired.resources.get(&change.id) {
            Some(Resource::Network(network)) => {
                change.action == Action::Create && network.subnet.is_none()
            }
            _ => false,
        });
        made.map(|change| change.id.clone()).collect()
    }

    fn too_many_networks(&self) -> Vec<(ResourceId, String)> {
        let new = self.new_networks();
        let going = |change: &&Change| {
            change.action == Action::Remove && matches!(change.id, ResourceId::Network(_))
        };
        // What goes is gone by then, or not: a removal does not wait for a creation.
        let going = self.changes.changes.iter().filter(going).count();
        let Some(left) = self.observed.host.networks_left else { return Vec::new() };
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        if new.len() <= left.saturating_add(going) {
            return Vec::new();
        }
        let why = format!(
            "the engine's address pools hold {left} more, and this needs {}: docker network prune removes \
             unused ones",
            new.len()
        );
        new.into_iter().map(|id| (id, why.clone())).collect()
    }

    /// Returns by how many bytes the limit of what runs afterwards exceeds that of what runs now.
    fn memory_more(&self, change: &Change) -> i64 {
        let seen = change
            .subject
            .as_ref()
            .and_then(|subject| self.observed.containers.iter().find(|seen| seen.id == subject.id));
        let before = seen.map_or(0, limit_in_use);
        let after = match (change.action, self.desired.resources.get(&change.id)) {
            (Action::Create | Action::Conflict | Action::Change(_), Some(resource)) => {
                match resource {
                    Resource::Container(wanted) if wanted.phase != Phase::Suspended => {
                        wanted.limits.memory.map_or(0, |size| size.0)
                    }
                    _ => 0,
                }
            }
            (Action::Remove, _) => 0,
            _ => before,
        };
        let signed = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        signed(after) - signed(before)
    }
}

/// Returns the memory limit of a container that runs; 0 when it has none or does not run.
fn limit_in_use(seen: &SeenContainer) -> u64 {
    match (seen.state, seen.fields.get(&Field::Memory.path())) {
        (State::Running | State::Paused | State::Restarting { .. }, Some(Live::Text(text))) => {
            text.expose().parse().unwrap_or(0)
        }
        _ => 0,
    }
}

/// Returns whether a change gives a container its limits, or starts it.
fn is_asked_for(change: &Change, wanted: &Container) -> bool {
    let is_limit = |field: Field| matches!(field, Field::Memory | Field::Reservation);
    wanted.phase != Phase::Suspended
        && match change.action {
            Action::Create | Action::Conflict => true,
            Action::Change(effect) => {
                effect >= Effect::Restart
                    || change.fields.iter().any(|field| is_limit(field.path.field))
            }
            Action::Settle | Action::Remove | Action::Deferred | Action::NotChecked => false,
        }
}
