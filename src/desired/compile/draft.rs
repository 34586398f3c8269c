//! A desired state while it is put together.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    desired::{Desired, Facts, Field, Network, Path, Resource},
    model::{Diagnostic, InnerKind, Origin, ResourceId, SecretName, ServiceName, Text},
    spec::{NetworkRule, Reference, Service, Spec, Template, TemplatePart},
};

/// What is there so far.
pub(super) struct Draft<'a> {
    pub(super) spec: &'a Spec,
    pub(super) facts: &'a Facts,
    pub(super) desired: Desired,
    pub(super) problems: Vec<Diagnostic>,
    /// For each service its containers, and what must be ready before others may rely on it.
    drawn: BTreeMap<ServiceName, Drawn>,
}

#[derive(Default)]
struct Drawn {
    containers: Vec<ResourceId>,
    ready: Vec<ResourceId>,
    /// Logins that are closed once everybody has gone over to others.
    closing: Vec<ResourceId>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(spec: &'a Spec, facts: &'a Facts) -> Self {
        let desired = Desired {
            project: spec.name.value.clone(),
            project_id: spec.id.clone(),
            instance: spec.instance.clone(),
            resources: BTreeMap::new(),
            after: BTreeMap::new(),
            named: BTreeSet::new(),
            external: BTreeSet::new(),
            origins: BTreeMap::new(),
            ignore: Vec::new(),
            rules: Vec::new(),
            secrets: BTreeMap::new(),
            urls: Vec::new(),
            forms: BTreeMap::new(),
        };
        Self { spec, facts, desired, problems: Vec::new(), drawn: BTreeMap::new() }
    }

    /// Returns the name of something that belongs to a service.
    pub(super) fn name_of(&self, service: &ServiceName, what: &str) -> String {
        format!("{}-{service}-{what}", self.spec.prefix())
    }

    /// Adds a resource. Images are shared: the same one twice is one.
    pub(super) fn add(&mut self, id: ResourceId, resource: Resource) {
        self.desired.resources.insert(id, resource);
    }

    /// Adds where a value of a resource comes from.
    pub(super) fn say(&mut self, id: &ResourceId, path: Path, origin: Origin) {
        self.desired.origins.insert((id.clone(), path), origin);
    }

    /// Makes `id` come after `first`.
    pub(super) fn order(&mut self, id: &ResourceId, first: &ResourceId, reason: impl Into<String>) {
        let after = self.desired.after.entry(id.clone()).or_default();
        after.entry(first.clone()).or_insert_with(|| reason.into());
    }

    /// Notes a container of a service.
    pub(super) fn drew_container(&mut self, service: &ServiceName, id: ResourceId) {
        let drawn = self.drawn.entry(service.clone()).or_default();
        drawn.containers.push(id.clone());
        drawn.ready.push(id);
    }

    /// Notes something inside a service.
    pub(super) fn drew_inner(&mut self, service: &ServiceName, id: ResourceId) {
        let drawn = self.drawn.entry(service.clone()).or_default();
        match &id {
            ResourceId::Inner(inner) if inner.kind == InnerKind::Login => drawn.closing.push(id),
            _ => drawn.ready.push(id),
        }
    }

    /// Adds the network, and the order that needs and references ask for.
    pub(super) fn connect(&mut self) {
        let spec = self.spec;
        let containers = self.desired.containers();
        let places: Vec<(String, String)> = containers
            .flat_map(|one| one.networks.keys().map(|network| (one.name.clone(), network.clone())))
            .collect();
        for (container, network) in places {
            let id = ResourceId::Network(network.clone());
            self.network(&id, network);
            if !self.desired.external.contains(&id) {
                self.order(&ResourceId::Container(container), &id, "attached to it");
            }
        }
        for (name, service) in &spec.services {
            let Some(drawn) = self.drawn.get(name) else { continue };
            let containers = drawn.containers.clone();
            for need in needs(service) {
                let ready = self.drawn.get(need).map_or_else(Vec::new, |d| d.ready.clone());
                for (container, first) in
                    containers.iter().flat_map(|c| ready.iter().map(move |first| (c, first)))
                {
                    self.order(container, first, format!("needs {need}"));
                }
            }
        }
        self.close_logins();
    }

    /// Makes the closing of a login the last of all: after whatever knows a secret of its service, or
    /// needs the service.
    fn close_logins(&mut self) {
        let closing: Vec<_> = self
            .drawn
            .iter()
            .filter(|(_, drawn)| !drawn.closing.is_empty())
            .map(|(name, drawn)| (name.clone(), drawn.closing.clone()))
            .collect();
        for (service, logins) in closing {
            let is_own = |resource: &Resource| match resource {
                Resource::Inner(inner) => inner.id.service == service,
                Resource::Container(container) => container.service == service,
                Resource::Files(files) => self
                    .desired
                    .container(&files.container)
                    .is_some_and(|container| container.service == service),
                Resource::Image(_) | Resource::Network(_) | Resource::Volume(_) => false,
            };
            let resources = &self.desired.resources;
            let own = resources.values().filter(|resource| is_own(resource));
            let secrets: BTreeSet<&SecretName> =
                own.flat_map(Resource::texts).flat_map(|(_, text)| text.secrets()).collect();
            let needing = self.spec.services.iter().filter(|(name, service_of)| {
                **name != service && needs(service_of).any(|need| *need == service)
            });
            let needing = needing.filter_map(|(name, _)| self.drawn.get(name));
            let mut firsts: BTreeSet<ResourceId> =
                needing.flat_map(|drawn| drawn.containers.clone()).collect();
            firsts.extend(
                resources
                    .iter()
                    .filter(|(_, resource)| !is_own(resource))
                    .filter(|(_, resource)| {
                        let mut all = resource.secrets();
                        all.any(|name| secrets.contains(name))
                    })
                    .map(|(id, _)| id.clone()),
            );
            for (login, first) in logins.iter().flat_map(|l| firsts.iter().map(move |f| (l, f))) {
                self.order(login, first, "until everybody has gone over to the other login");
            }
        }
    }

    /// Adds a network by its name on the engine, unless it is somebody else's.
    fn network(&mut self, id: &ResourceId, name: String) {
        let declared = self.spec.networks.iter();
        let rule = declared.map(|(key, rule)| (self.spec.network_name(key.as_str()), rule));
        let rule = rule.into_iter().find(|(called, _)| *called == name).map(|(_, rule)| rule);
        let mut network = Network { name, internal: false, options: BTreeMap::new(), subnet: None };
        self.say(id, Field::Driver.path(), Origin::Default);
        if let Some(NetworkRule { name: own, external, internal, subnet, options }) = rule {
            if own.is_some() {
                self.desired.named.insert(id.clone());
            }
            if external.as_ref().is_some_and(|external| external.value) {
                self.desired.external.insert(id.clone());
                return;
            }
            if let Some(internal) = internal {
                network.internal = internal.value;
                self.say(id, Field::Internal.path(), internal.origin.clone());
            }
            if let Some(subnet) = subnet {
                network.subnet = Some(subnet.value.clone());
                self.say(id, Field::Subnet.path(), subnet.origin.clone());
            }
            for (key, option) in options {
                network.options.insert(key.clone(), option.value.clone());
                self.say(id, Field::DriverOption.key(key), option.origin.clone());
            }
        }
        self.add(id.clone(), Resource::Network(network));
    }

    /// Puts what other services offer into a template.
    pub(super) fn text(&self, template: &Template) -> Text {
        let mut text = Text::default();
        for part in &template.parts {
            match part {
                TemplatePart::Plain(plain) => text.push_str(plain),
                TemplatePart::Reference(Reference::Secret(name), _) => {
                    text.push(Text::secret(name.clone()));
                }
                TemplatePart::Reference(Reference::Offer { service: name, key }, _) => {
                    let offers = self
                        .spec
                        .services
                        .get(name)
                        .map(|s| self.spec.offers(name, s, &self.facts.turns));
                    let mut offers = offers.into_iter().flatten();
                    if let Some((_, value)) = offers.find(|(offer, _)| offer == key) {
                        text.push(value);
                    }
                }
                // Put in when the file was read.
                TemplatePart::Reference(
                    Reference::Variable(_) | Reference::ProjectName | Reference::ProjectDomain,
                    _,
                ) => {}
            }
        }
        text.joined()
    }
}

/// Returns the services that a service refers to or needs.
fn needs(service: &Service) -> impl Iterator<Item = &ServiceName> {
    let settings = &service.settings;
    let references = settings.env.values().flat_map(|template| template.value.references());
    let referred = references.filter_map(|(reference, _)| match reference {
        Reference::Offer { service, .. } => Some(service),
        Reference::Secret(_)
        | Reference::Variable(_)
        | Reference::ProjectName
        | Reference::ProjectDomain => None,
    });
    settings.needs.iter().map(|need| &need.value).chain(referred)
}
