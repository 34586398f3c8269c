//! The order in which resources come to be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::{Direction, graph::DiGraph};

use super::Desired;
use crate::model::ResourceId;

impl Desired {
    /// Returns the resources in an order in which each comes after all that it waits for, and else by
    /// their names: the same desired state always has the same order.
    ///
    /// # Errors
    /// When resources wait for each other: some of them, in a circle. A compiled state has no circle.
    pub fn order(&self) -> Result<Vec<ResourceId>, Vec<ResourceId>> {
        let mut graph: DiGraph<&ResourceId, ()> = DiGraph::new();
        // Nodes go in by name, so that comparing their numbers compares their names.
        let nodes: BTreeMap<_, _> =
            self.resources.keys().map(|id| (id, graph.add_node(id))).collect();
        for (id, firsts) in &self.after {
            for first in firsts.keys() {
                if let (Some(from), Some(to)) = (nodes.get(first), nodes.get(id)) {
                    graph.add_edge(*from, *to, ());
                }
            }
        }
        let waits = |node| graph.neighbors_directed(node, Direction::Incoming).count();
        let mut waits: Vec<usize> = graph.node_indices().map(waits).collect();
        let free = graph.node_indices().filter(|node| waits[node.index()] == 0);
        let mut free: BTreeSet<_> = free.collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(node) = free.pop_first() {
            order.push(graph[node].clone());
            for next in graph.neighbors(node) {
                waits[next.index()] -= 1;
                if waits[next.index()] == 0 {
                    free.insert(next);
                }
            }
        }
        // What still waits either goes in a circle or waits for one; going back finds it.
        let Some(mut node) = graph.node_indices().find(|node| waits[node.index()] > 0) else {
            return Ok(order);
        };
        let mut seen = BTreeSet::new();
        while seen.insert(node) {
            let mut before = graph.neighbors_directed(node, Direction::Incoming);
            node = before.find(|before| waits[before.index()] > 0).unwrap_or(node);
        }
        Err(self.circle(graph[node]))
    }

    /// Returns the shortest way from `start` through what it waits for back to itself.
    fn circle(&self, start: &ResourceId) -> Vec<ResourceId> {
        let mut came_from: BTreeMap<&ResourceId, &ResourceId> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(id) = queue.pop_front() {
            for first in self.after.get(id).into_iter().flat_map(BTreeMap::keys) {
                if first == start {
                    let mut path = vec![start.clone()];
                    let mut at = id;
                    while at != start {
                        path.push(at.clone());
                        at = came_from[at];
                    }
                    path.push(start.clone());
                    path.reverse();
                    return path;
                }
                if !came_from.contains_key(first) {
                    came_from.insert(first, id);
                    queue.push_back(first);
                }
            }
        }
        vec![start.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        desired::{Network, Resource},
        model::ProjectName,
    };

    fn desired(edges: &[(&str, &str)]) -> Desired {
        let id = |name: &str| ResourceId::Network(name.to_owned());
        let network = |name: &str| {
            let options = BTreeMap::new();
            Resource::Network(Network { name: name.into(), internal: false, options, subnet: None })
        };
        let mut desired = Desired {
            named: std::collections::BTreeSet::new(),
            external: std::collections::BTreeSet::new(),
            project: ProjectName::new("x").unwrap(),
            project_id: "x".into(),
            instance: None,
            resources: BTreeMap::new(),
            after: BTreeMap::new(),
            origins: BTreeMap::new(),
            ignore: Vec::new(),
            rules: Vec::new(),
            secrets: BTreeMap::new(),
            urls: Vec::new(),
            forms: BTreeMap::new(),
        };
        for (one, first) in edges {
            for name in [one, first] {
                desired.resources.insert(id(name), network(name));
            }
            let after = desired.after.entry(id(one)).or_default();
            after.insert(id(first), "test".into());
        }
        desired
    }

    fn names(ids: &[ResourceId]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_comes_after_what_it_waits_for() {
        let order = desired(&[("a", "d"), ("b", "a"), ("c", "d")]).order().unwrap();
        assert_eq!(names(&order), ["network/d", "network/a", "network/b", "network/c"]);
    }

    #[test]
    fn a_circle_is_shown_as_one() {
        let circle =
            desired(&[("a", "b"), ("b", "c"), ("c", "b"), ("d", "d")]).order().unwrap_err();
        assert_eq!(names(&circle), ["network/b", "network/c", "network/b"]);
    }
}
