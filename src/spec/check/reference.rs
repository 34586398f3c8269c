//! Mistakes in what services say of each other: references, needs, cycles.

use std::collections::{BTreeMap, BTreeSet};

use super::unknown_service;
use crate::{
    model::{Diagnostic, Origin, ServiceName, decode::suggest},
    spec::{Reference, Service, Spec},
};

/// Adds what is wrong with references and needs.
pub(super) fn check(spec: &Spec, broken: &BTreeSet<ServiceName>, problems: &mut Vec<Diagnostic>) {
    let mut graph = Graph::new();
    for (name, service) in &spec.services {
        let mut targets: BTreeMap<&ServiceName, &Origin> = BTreeMap::new();
        for need in &service.settings.needs {
            if need.value == *name {
                let problem = Diagnostic::error("self-reference", format!("`{name}` needs itself"));
                let help = "take it out: a service does not wait for itself";
                problems.push(problem.at(&need.origin, "").help(help));
            } else if spec.services.contains_key(&need.value) {
                targets.insert(&need.value, &need.origin);
            } else if !broken.contains(&need.value) {
                problems.push(unknown_service(spec, &need.value, &need.origin));
            }
        }
        for (reference, place) in of(service) {
            let Reference::Offer { service: target, key } = reference else { continue };
            if target == name {
                let message = format!("`{name}` refers to itself");
                problems.push(Diagnostic::error("self-reference", message).at(place, ""));
            } else if let Some(found) = spec.services.get(target) {
                targets.insert(target, place);
                problems.extend(offered(spec, target, found, key, place));
            } else if !broken.contains(target) {
                problems.push(unknown_service(spec, target, place));
            }
        }
        if let Some(url) = service.settings.url.as_ref().filter(|_| service.is_external()) {
            for (reference, place) in url.value.references() {
                if matches!(reference, Reference::Offer { .. }) {
                    let message = "the url of an external service can refer to secrets only";
                    problems.push(Diagnostic::error("reference-not-here", message).at(place, ""));
                }
            }
        }
        graph.insert(name, targets);
    }
    problems.extend(cycles(&graph));
}

/// Returns the references of a service, each with its place.
pub(super) fn of(service: &Service) -> impl Iterator<Item = (&Reference, &Origin)> {
    let templates = service.settings.env.values().chain(&service.settings.url);
    templates.flat_map(|template| template.value.references())
}

/// Says that `key` is not offered, if so.
fn offered(
    spec: &Spec,
    name: &ServiceName,
    service: &Service,
    key: &str,
    place: &Origin,
) -> Option<Diagnostic> {
    let offers = spec.offers(name, service, crate::catalog::NO_TURNS);
    if offers.iter().any(|(offer, _)| *offer == key) {
        return None;
    }
    let kind = service.kind();
    let problem = |by: &str| {
        Diagnostic::error("not-offered", format!("`{name}.{key}` is not offered by {by}"))
    };
    if !service.is_external() && kind.offers.iter().any(|offer| offer.key == key) {
        let (note, help) = match service.port() {
            None => (
                format!("offered once `{name}` has a port"),
                format!("add to [services.{name}]: port = 8000"),
            ),
            Some(_) => (
                "not with these settings".to_owned(),
                format!("see what a {} offers: nself explain {name}", kind.name),
            ),
        };
        return Some(problem(name.as_str()).at(place, note).help(help));
    }
    let (by, keys): (_, Vec<_>) = if service.is_external() {
        let by = format!("`{name}`, which is external");
        (by, offers.iter().map(|(key, _)| *key).collect())
    } else {
        (kind.name.to_owned(), kind.offers.iter().map(|offer| offer.key).collect())
    };
    let note = match suggest(key, keys.iter().copied()) {
        _ if keys.is_empty() => "offers nothing".to_owned(),
        Some(near) if keys.len() > 6 => format!("did you mean `{near}`?"),
        Some(_) | None => format!("offers: {}", keys.join(", ")),
    };
    Some(problem(&by).at(place, note))
}

/// For each service those that must be ready before it, each with the place that says so.
type Graph<'a> = BTreeMap<&'a ServiceName, BTreeMap<&'a ServiceName, &'a Origin>>;

/// Says of each group of services that wait for each other how they do.
///
/// The search keeps its own stack: a chain of some thousand services would overflow the program's.
fn cycles(graph: &Graph<'_>) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut done: BTreeSet<&ServiceName> = BTreeSet::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        let mut path = vec![*start];
        let mut on_path = BTreeSet::from([*start]);
        let mut ahead = vec![next_of(graph, start)];
        while let Some(targets) = ahead.last_mut() {
            match targets.pop() {
                Some(target) if on_path.contains(target) => {
                    let from = path.iter().position(|name| *name == target).unwrap_or(0);
                    problems.push(cycle(graph, &path[from..]));
                }
                Some(target) if done.contains(target) => {}
                Some(target) => {
                    path.push(target);
                    on_path.insert(target);
                    ahead.push(next_of(graph, target));
                }
                None => {
                    ahead.pop();
                    if let Some(last) = path.pop() {
                        on_path.remove(last);
                        done.insert(last);
                    }
                }
            }
        }
    }
    problems
}

fn next_of<'a>(graph: &Graph<'a>, name: &ServiceName) -> Vec<&'a ServiceName> {
    // Taken from the end, so that they come in the order of their names.
    graph.get(name).map_or_else(Vec::new, |targets| targets.keys().rev().copied().collect())
}

/// Nobody follows a longer one from its first service to its last.
const LONGEST_CYCLE: usize = 10;

fn cycle(graph: &Graph<'_>, path: &[&ServiceName]) -> Diagnostic {
    let shown = if path.len() > LONGEST_CYCLE { LONGEST_CYCLE - 2 } else { path.len() };
    let mut names: Vec<String> = path[..shown].iter().map(ToString::to_string).collect();
    if shown < path.len() {
        names.push(format!("{} more", path.len() - shown));
    }
    names.extend(path.first().map(ToString::to_string));
    let message = format!("services wait for each other: {}", names.join(" → "));
    let mut problem = Diagnostic::error("cycle", message);
    for (index, name) in path[..shown].iter().enumerate() {
        let target = path[(index + 1) % path.len()];
        if let Some(origin) = graph.get(name).and_then(|targets| targets.get(target)) {
            problem = problem.at(origin, format!("{name} waits for {target}"));
        }
    }
    problem.help("one of them has to start without the other")
}
