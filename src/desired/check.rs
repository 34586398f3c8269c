//! An independent look at a desired state: whatever made it, it must hold together.
//!
//! It shares no code with the compiler on purpose, so that a slip there is seen here. What it finds is a
//! mistake of nself, not of a person.

use std::collections::{BTreeMap, BTreeSet};

use super::{Container, Desired, Files, MountSource, Resource};
use crate::model::{Diagnostic, ResourceId};

/// Host names, and so names of containers and networks, have at most 63 characters (RFC 1035); engines
/// take 255 for a volume.
const LONGEST_NAME: usize = 63;
const LONGEST_VOLUME: usize = 255;

/// Returns what does not hold together; nothing, of everything that was compiled.
pub fn check(desired: &Desired) -> Vec<Diagnostic> {
    let mut checker = Checker { desired, problems: Vec::new() };
    checker.graph();
    checker.names();
    checker.ports();
    for (id, resource) in &desired.resources {
        match resource {
            Resource::Container(container) => checker.container(id, container),
            Resource::Files(files) => checker.files(id, files),
            Resource::Inner(inner) => {
                let container = ResourceId::Container(inner.container.clone());
                checker.follows(id, &container);
            }
            Resource::Image(_) | Resource::Network(_) | Resource::Volume(_) => {}
        }
    }
    checker.secrets();
    checker.problems
}

struct Checker<'a> {
    desired: &'a Desired,
    problems: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn say(&mut self, message: String) {
        self.problems.push(Diagnostic::error("unsound", message).help("this is a bug in nself"));
    }

    fn is_there(&self, id: &ResourceId) -> bool {
        self.desired.resources.contains_key(id)
    }

    /// `id` needs `first` and must come after it.
    fn follows(&mut self, id: &ResourceId, first: &ResourceId) {
        if !self.is_there(first) {
            self.say(format!("{id} needs {first}, which is not there"));
        }
        if !self.desired.after.get(id).is_some_and(|after| after.contains_key(first)) {
            self.say(format!("{id} needs {first} and may come before it"));
        }
    }

    fn graph(&mut self) {
        for (id, firsts) in &self.desired.after {
            for (end, reason) in
                std::iter::once((id, None)).chain(firsts.iter().map(|(f, r)| (f, Some(r))))
            {
                if !self.is_there(end) {
                    self.say(format!("the order names {end}, which is not there"));
                }
                if reason.is_some_and(String::is_empty) {
                    self.say(format!("{id} comes after {end} without a reason"));
                }
            }
        }
        // Takes away what waits for nothing until nothing changes; what is left goes in circles.
        let mut waits: BTreeMap<&ResourceId, usize> = BTreeMap::new();
        let mut leads: BTreeMap<&ResourceId, Vec<&ResourceId>> = BTreeMap::new();
        for (id, firsts) in &self.desired.after {
            waits.insert(id, firsts.len());
            for first in firsts.keys() {
                waits.entry(first).or_insert(0);
                leads.entry(first).or_default().push(id);
            }
        }
        let mut free: Vec<_> = waits.iter().filter(|(_, n)| **n == 0).map(|(id, _)| *id).collect();
        let mut left = waits.len();
        while let Some(id) = free.pop() {
            left -= 1;
            for next in leads.get(id).into_iter().flatten() {
                if let Some(count) = waits.get_mut(next) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(next);
                    }
                }
            }
        }
        if left > 0 {
            self.say(format!("{left} resources wait for each other"));
        }
    }

    fn names(&mut self) {
        let prefix = self.desired.prefix();
        for (id, resource) in &self.desired.resources {
            let (name, own, longest) = match resource {
                Resource::Network(network) => {
                    (&network.name, ResourceId::Network(network.name.clone()), LONGEST_NAME)
                }
                Resource::Volume(volume) => {
                    (&volume.name, ResourceId::Volume(volume.name.clone()), LONGEST_VOLUME)
                }
                Resource::Container(container) => {
                    (&container.name, ResourceId::Container(container.name.clone()), LONGEST_NAME)
                }
                Resource::Files(files) => {
                    (&files.container, ResourceId::Files(files.container.clone()), LONGEST_NAME)
                }
                Resource::Image(image) => {
                    if *id != ResourceId::Image(image.reference.to_string()) {
                        self.say(format!("{id} is called {}", image.reference));
                    }
                    continue;
                }
                Resource::Inner(inner) => {
                    if *id != ResourceId::Inner(inner.id.clone()) {
                        self.say(format!("{id} is called something else"));
                    }
                    continue;
                }
            };
            if own != *id {
                self.say(format!("{id} is called {name}"));
            }
            if name.len() > longest {
                self.say(format!("the name of {id} is longer than {longest}"));
            }
            let free = self.desired.named.contains(id);
            if !free && *name != prefix && !name.starts_with(&format!("{prefix}-")) {
                self.say(format!("the name of {id} does not begin with {prefix}"));
            }
        }
    }

    fn ports(&mut self) {
        let mut holders: BTreeMap<(u16, &str), Vec<(&str, &str)>> = BTreeMap::new();
        let mut clashes = Vec::new();
        for container in self.desired.containers() {
            for (key, bindings) in &container.ports {
                for binding in bindings.iter().filter(|binding| binding.port != 0) {
                    let others = holders.entry((binding.port, key.protocol)).or_default();
                    let is_any = |address: &str| matches!(address, "0.0.0.0" | "::");
                    for (address, holder) in others.iter() {
                        let same = *address == binding.address
                            || is_any(address)
                            || is_any(&binding.address);
                        if same {
                            clashes.push((binding.port, (*holder).to_owned(), &container.name));
                        }
                    }
                    others.push((&binding.address, &container.name));
                }
            }
        }
        for (port, one, other) in clashes {
            self.say(format!("both {one} and {other} publish port {port} of the host"));
        }
    }

    fn container(&mut self, id: &ResourceId, container: &Container) {
        self.follows(id, &ResourceId::Image(container.image.to_string()));
        if container.networks.is_empty() {
            self.say(format!("{id} is on no network"));
        }
        for network in container.networks.keys() {
            let network = ResourceId::Network(network.clone());
            if !self.desired.external.contains(&network) {
                self.follows(id, &network);
            }
        }
        for (target, mount) in &container.mounts {
            if !target.starts_with('/') {
                self.say(format!("{id} mounts something at {target}"));
            }
            if container.tmpfs.contains_key(target) {
                self.say(format!("{id} mounts two things at {target}"));
            }
            let MountSource::Volume(name) = &mount.source else { continue };
            let volume = ResourceId::Volume(name.clone());
            if self.desired.external.contains(&volume) {
                continue;
            }
            self.follows(id, &volume);
            let shared = self.desired.named.contains(&volume);
            if let Some(Resource::Volume(volume)) = self.desired.resources.get(&volume) {
                if volume.disposable && !mount.read_only {
                    self.say(format!("{id} could write to its configuration at {target}"));
                }
                if !shared && volume.service != container.service {
                    self.say(format!("{id} mounts the volume of {}", volume.service));
                }
            }
        }
    }

    fn files(&mut self, id: &ResourceId, files: &Files) {
        self.follows(id, &ResourceId::Volume(files.volume.clone()));
        let reader = ResourceId::Container(files.container.clone());
        self.follows(&reader, id);
        let mounted = self.desired.container(&files.container).and_then(|container| {
            let mount = container.mounts.get(&files.mount)?;
            Some(mount.source == MountSource::Volume(files.volume.clone()) && mount.read_only)
        });
        if mounted != Some(true) {
            self.say(format!("{reader} does not mount {id} read-only at {}", files.mount));
        }
    }

    fn secrets(&mut self) {
        let mut used = BTreeSet::new();
        for resource in self.desired.resources.values() {
            for value in resource.fields().0.values() {
                if let super::Value::Secret(text) = value {
                    used.extend(text.secrets().cloned());
                }
            }
        }
        let known: BTreeSet<_> = self.desired.secrets.keys().cloned().collect();
        for name in used.difference(&known) {
            self.say(format!("nobody says where the secret {name} comes from"));
        }
        for name in known.difference(&used) {
            self.say(format!("the secret {name} is not used"));
        }
    }
}
