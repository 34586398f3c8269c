//! Steps while the plan is being drawn up: in any order, then put into a stable one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Op, Step};
use crate::model::ResourceId;

/// A step that has a number for now.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) group: ResourceId,
    pub(super) op: Op,
    pub(super) why: String,
    pub(super) after: BTreeSet<usize>,
    pub(super) on_failure: Vec<Op>,
    /// What it waits for beyond `after`.
    pub(super) role: Role,
}

/// What kind of step it is with respect to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Gets something ready and disturbs nothing: pull, build, write, check.
    Prepare,
    /// Makes an object that does not run yet: waits for the objects it is made of.
    Make,
    /// Disturbs something that runs: waits for all it depends on, and for everything that can fail
    /// early.
    Disturb,
    /// Starts or changes something: waits for all it depends on.
    Act,
    /// Comes after what containers need of this one, and none of them waits for it: tidying up, or seeing that
    /// what was started goes on running where there is nothing to ask it. A chain of such services would be
    /// half a second slower at every link otherwise, and none of them any readier.
    Aside,
}

/// The steps of a plan while it is drawn up.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub(super) all: Vec<Draft>,
    groups: BTreeMap<ResourceId, Vec<usize>>,
}

impl Drafts {
    /// Adds a step behind `previous` of its own group and returns its number.
    pub(super) fn push(
        &mut self,
        group: &ResourceId,
        role: Role,
        op: Op,
        why: impl Into<String>,
        previous: Option<usize>,
    ) -> usize {
        self.groups.entry(group.clone()).or_default().push(self.all.len());
        self.all.push(Draft {
            group: group.clone(),
            op,
            why: why.into(),
            after: previous.into_iter().collect(),
            on_failure: Vec::new(),
            role,
        });
        self.all.len() - 1
    }

    /// Says what brings back what worked before when step `number` fails.
    pub(super) fn on_failure(&mut self, number: usize, ops: Vec<Op>) {
        self.all[number].on_failure = ops;
    }

    /// Returns the numbers of a group's steps.
    pub(super) fn of(&self, group: &ResourceId) -> impl Iterator<Item = usize> {
        self.groups.get(group).into_iter().flatten().copied()
    }

    /// Adds an edge, unless it would close a circle.
    pub(super) fn wait(&mut self, number: usize, earlier: usize) {
        if number != earlier && !self.reaches(earlier, number) {
            self.all[number].after.insert(earlier);
        }
    }

    /// Returns whether `from` waits, directly or not, for `to`.
    fn reaches(&self, from: usize, to: usize) -> bool {
        let mut open = vec![from];
        let mut seen = BTreeSet::new();
        while let Some(number) = open.pop() {
            if number == to {
                return true;
            }
            if seen.insert(number) {
                open.extend(&self.all[number].after);
            }
        }
        false
    }

    /// Puts the steps into the final order: each after all it waits for, and otherwise by resource.
    pub(super) fn into_steps(self) -> Vec<Step> {
        let mut place = BTreeMap::new();
        let mut open: BTreeSet<(ResourceId, usize)> = BTreeSet::new();
        let mut waiting: Vec<usize> = self.all.iter().map(|draft| draft.after.len()).collect();
        let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); self.all.len()];
        for (number, draft) in self.all.iter().enumerate() {
            for earlier in &draft.after {
                dependants[*earlier].push(number);
            }
            if draft.after.is_empty() {
                open.insert((draft.group.clone(), number));
            }
        }
        let mut order = Vec::with_capacity(self.all.len());
        while let Some((_, number)) = open.pop_first() {
            place.insert(number, order.len());
            order.push(number);
            for dependant in &dependants[number] {
                waiting[*dependant] -= 1;
                if waiting[*dependant] == 0 {
                    open.insert((self.all[*dependant].group.clone(), *dependant));
                }
            }
        }
        let mut drafts: Vec<Option<Draft>> = self.all.into_iter().map(Some).collect();
        order
            .into_iter()
            .filter_map(|number| drafts[number].take())
            .map(|draft| Step {
                group: draft.group,
                op: draft.op,
                why: draft.why,
                after: draft
                    .after
                    .iter()
                    .filter_map(|earlier| place.get(earlier).copied())
                    .collect(),
                on_failure: draft.on_failure,
            })
            .collect()
    }
}
