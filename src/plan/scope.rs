//! Part of a project: some services with what they need, and what cannot stay as it is beside them.
//!
//! Everything else that differs is left out: it is named, and it stays.

use std::collections::BTreeSet;

use super::container::published;
use crate::{
    catalog::gateway,
    desired::{Desired, Field, Resource, Url},
    diff::{Action, Change, Changes, LeftOut, Note, Shown},
    model::{ResourceId, ServiceName},
    observed::{Observed, SeenContainer},
};

/// Leaves out of `changes` what `targets` have nothing to do with; no targets are all of the project.
pub fn narrow(
    mut changes: Changes,
    desired: &Desired,
    observed: &Observed,
    targets: &BTreeSet<ServiceName>,
) -> Changes {
    if targets.is_empty() {
        return changes;
    }
    let mut scope = Scope { desired, observed, targets, inside: BTreeSet::new() };
    let changed = changes.changes.iter().map(|change| &change.id);
    for id in desired.resources.keys().chain(changed) {
        if service_of(id, desired, targets).is_some_and(|service| targets.contains(&service)) {
            scope.add(id);
        }
    }
    scope.add_routes(&changes);
    let in_the_way = scope.add_in_the_way(&changes);
    let all = std::mem::take(&mut changes.changes);
    for change in all {
        if scope.inside.contains(&change.id) {
            changes.changes.push(change);
        } else {
            let service = service_of(&change.id, desired, targets);
            changes.left_out.push(LeftOut { change, service });
        }
    }
    changes.notes.retain(|note| scope.inside.contains(&note.id));
    for (id, why) in in_the_way {
        changes.note(&id, why);
    }
    changes.targets.clone_from(targets);
    changes
}

/// Leaves out of `changes` what belongs to the services in `spared`, also where others need it, and what cannot be
/// without it: whatever needs a resource of theirs that is not there, and removals of what stays in use.
pub fn spare(mut changes: Changes, desired: &Desired, spared: &BTreeSet<ServiceName>) -> Changes {
    if spared.is_empty() {
        return changes;
    }
    // A service is left as a whole, and with it whoever needs what it does not have yet.
    let mut left = spared.clone();
    let mut missing = BTreeSet::new();
    let mut waiting = BTreeSet::new();
    loop {
        let before = waiting.len();
        for change in &changes.changes {
            if waiting.contains(&change.id) {
                continue;
            }
            let service = service_of(&change.id, desired, &left);
            let is_left = service.as_ref().is_some_and(|service| left.contains(service));
            let need = needs_one_of(&change.id, desired, &missing).cloned();
            if !is_left && need.is_none() {
                continue;
            }
            if let Some(need) = need.filter(|_| !is_left) {
                let text = format!("waits for {need}, which is only reported");
                changes.notes.push(Note { id: change.id.clone(), text });
            }
            left.extend(service);
            waiting.insert(change.id.clone());
            if matches!(change.action, Action::Create | Action::Conflict) {
                missing.insert(change.id.clone());
            }
        }
        if waiting.len() == before {
            break;
        }
    }
    // What stays as it is may still use what is everybody's and not wanted any more.
    let is_live = |change: &Change| waiting.contains(&change.id) && change.subject.is_some();
    if changes.changes.iter().any(is_live) {
        let removals = changes.changes.iter().filter(|change| change.action == Action::Remove);
        let everybodys = removals.filter(|one| service_of(&one.id, desired, &left).is_none());
        let kept: Vec<ResourceId> = everybodys.map(|change| change.id.clone()).collect();
        waiting.extend(kept);
    }
    for change in std::mem::take(&mut changes.changes) {
        if waiting.contains(&change.id) {
            let service = service_of(&change.id, desired, &left);
            let place = changes.left_out.partition_point(|left| left.change.id <= change.id);
            changes.left_out.insert(place, LeftOut { change, service });
        } else {
            changes.changes.push(change);
        }
    }
    changes
}

/// Returns which of `missing` a resource needs, directly or by others.
fn needs_one_of<'a>(
    id: &ResourceId,
    desired: &Desired,
    missing: &'a BTreeSet<ResourceId>,
) -> Option<&'a ResourceId> {
    if missing.is_empty() {
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        for need in desired.after.get(id).into_iter().flat_map(|after| after.keys()) {
            if let Some(found) = missing.get(need) {
                return Some(found);
            }
            if seen.insert(need) {
                open.push(need);
            }
        }
    }
    None
}

/// Returns the service that a resource belongs to, `None` where it is everybody's. What the file does not
/// speak of any more is judged by its name, `others` being further services that may have had it.
fn service_of(
    id: &ResourceId,
    desired: &Desired,
    others: &BTreeSet<ServiceName>,
) -> Option<ServiceName> {
    if let Some(resource) = desired.resources.get(id) {
        return match resource {
            Resource::Container(container) => Some(container.service.clone()),
            Resource::Volume(volume) => Some(volume.service.clone()),
            Resource::Files(files) => {
                desired.container(&files.container).map(|container| container.service.clone())
            }
            Resource::Inner(inner) => Some(inner.id.service.clone()),
            Resource::Image(image) => {
                let mut users = desired.containers().filter(|one| one.image == image.reference);
                let first = users.next()?.service.clone();
                users.all(|one| one.service == first).then_some(first)
            }
            Resource::Network(_) => None,
        };
    }
    let (name, is_container) = match id {
        ResourceId::Inner(inner) => return Some(inner.service.clone()),
        ResourceId::Container(name) => (name, true),
        ResourceId::Volume(name) => (name, false),
        ResourceId::Image(_) | ResourceId::Network(_) | ResourceId::Files(_) => return None,
    };
    let own = name.strip_prefix(&desired.prefix())?.strip_prefix('-')?;
    let services = desired.containers().map(|container| &container.service).chain(others);
    let by_name = services.filter(|service| {
        let Some(rest) = own.strip_prefix(service.as_str()) else { return false };
        match rest.strip_prefix('-') {
            None => rest.is_empty(),
            // A replica has a number; what is in a volume has one word, as far as one can tell: with two
            // it may be another service's.
            Some(rest) if is_container => rest.chars().all(|c| c.is_ascii_digit()),
            Some(rest) => !rest.contains('-'),
        }
    });
    let named = by_name.max_by_key(|service| service.as_str().len()).cloned();
    // A container that nobody wants is the service's that it is called after.
    let (base, number) = own.rsplit_once('-').unwrap_or((own, ""));
    let is_replica = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    let own = if is_replica { base } else { own };
    named.or_else(|| own.parse().ok().filter(|_| is_container))
}

struct Scope<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    targets: &'a BTreeSet<ServiceName>,
    inside: BTreeSet<ResourceId>,
}

impl Scope<'_> {
    /// Adds a resource with all that it needs.
    fn add(&mut self, id: &ResourceId) {
        let mut open = vec![id.clone()];
        while let Some(id) = open.pop() {
            if self.inside.insert(id.clone()) {
                open.extend(
                    self.desired.after.get(&id).into_iter().flatten().map(|(id, _)| id.clone()),
                );
            }
        }
    }

    /// Adds the gateway where it does not serve a targeted service as it should.
    fn add_routes(&mut self, changes: &Changes) {
        let urls = self.desired.urls.iter().filter(|url| self.targets.contains(&url.service));
        let hosts: Vec<&str> = urls.map(Url::host).collect();
        for (id, resource) in &self.desired.resources {
            let Resource::Files(files) = resource else { continue };
            let container = ResourceId::Container(files.container.clone());
            let serves = |host: &&str| files.files.contains_key(&gateway::site_file(host));
            let is_due = |host: &str| {
                is_file_due(changes.get(id), host) || is_alias_due(changes.get(&container), host)
            };
            if hosts.iter().filter(|host| serves(host)).any(|host| is_due(host)) {
                self.add(&container);
            }
        }
    }

    /// Adds what has a port or a name that something in here is about to take, until nothing has; returns
    /// why each is here.
    fn add_in_the_way(&mut self, changes: &Changes) -> Vec<(ResourceId, String)> {
        let mut reasons = Vec::new();
        loop {
            let found = changes.changes.iter().find_map(|change| {
                let inside = self.inside.contains(&change.id);
                inside.then(|| self.in_the_way(change, changes)).flatten()
            });
            let Some((id, why)) = found else { return reasons };
            self.add(&id);
            reasons.push((id, why));
        }
    }

    fn in_the_way(&self, change: &Change, changes: &Changes) -> Option<(ResourceId, String)> {
        let Some(Resource::Container(wanted)) = self.desired.resources.get(&change.id) else {
            return None;
        };
        let ports: BTreeSet<u16> = wanted.ports.values().flatten().map(|one| one.port).collect();
        self.observed.containers.iter().find_map(|seen: &SeenContainer| {
            let id = seen.owner.resource()?;
            if *id == change.id || self.inside.contains(id) || changes.get(id).is_none() {
                return None;
            }
            let port = published(seen).intersection(&ports).next().copied();
            let has = match port {
                Some(port) => format!("port {port}"),
                None if seen.name == wanted.name => "the name".to_owned(),
                None => return None,
            };
            Some((id.clone(), format!("comes along: it has {has} that {} wants", change.id)))
        })
    }
}

fn is_file_due(change: Option<&Change>, host: &str) -> bool {
    let path = Field::Content.key(gateway::site_file(host));
    change.is_some_and(|change| {
        change.action == Action::Create || change.fields.iter().any(|field| field.path == path)
    })
}

/// Returns whether a container is about to answer to `host` inside the project.
fn is_alias_due(change: Option<&Change>, host: &str) -> bool {
    let says = |shown: &Shown| matches!(shown, Shown::Plain(text) if text.contains(host));
    change.is_some_and(|change| {
        let mut aliases = change.fields.iter().filter(|field| field.path.field == Field::Alias);
        change.action == Action::Create
            || aliases.any(|field| says(&field.after) && !says(&field.before))
    })
}
