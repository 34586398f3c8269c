//! What holds for a service once the file and its kind are put together.
//!
//! The checks of this room and `desired` ask here, so that both go by the same answers.

use std::collections::BTreeMap;

use super::{GATEWAY, RouteName, Service, SourceWord, Spec, external};
use crate::{
    catalog::{Context, ImageSource, Kind, NO_TURNS},
    model::{Origin, SecretName, ServiceName, Text},
};

/// The network of services that name none.
pub(crate) const DEFAULT_NETWORK: &str = "default";

impl Service {
    /// Returns its kind.
    pub fn kind(&self) -> &'static Kind {
        self.options.kind()
    }

    /// Returns whether it runs elsewhere.
    pub fn is_external(&self) -> bool {
        self.settings.external.as_ref().is_some_and(|external| external.value)
    }

    /// Returns whether its image is the kind's, not the person's.
    pub fn has_image_of_kind(&self) -> bool {
        self.settings.image.is_none() && self.settings.build.is_none() && !self.is_external()
    }

    /// Returns the port it answers on.
    pub fn port(&self) -> Option<u16> {
        self.settings.port.as_ref().map(|port| port.value).or(self.kind().port)
    }

    /// Returns how many containers it has.
    pub fn replicas(&self) -> u16 {
        self.settings.replicas.as_ref().map_or(1, |replicas| replicas.value)
    }
}

impl Spec {
    /// Returns what all names on the engine begin with.
    pub fn prefix(&self) -> String {
        match &self.instance {
            None => self.name.value.to_string(),
            Some(instance) => format!("{}-{instance}", self.name.value),
        }
    }

    /// Returns the name on the engine of a service's first container.
    pub fn container_name(&self, name: &ServiceName, service: &Service) -> String {
        match &service.settings.container_name {
            Some(written) => written.value.to_string(),
            None => format!("{}-{name}", self.prefix()),
        }
    }

    /// Returns the name on the engine of a network of the file.
    pub fn network_name(&self, network: &str) -> String {
        let written = self.networks.iter().find(|(name, _)| name.as_str() == network);
        match written.and_then(|(_, rule)| rule.name.as_ref()) {
            Some(name) => name.value.to_string(),
            None if network == DEFAULT_NETWORK => self.prefix(),
            None => format!("{}-{network}", self.prefix()),
        }
    }

    /// Returns where images of kinds come from.
    pub fn image_source(&self) -> ImageSource {
        match self.images.source.as_ref().map(|source| source.value) {
            None | Some(SourceWord::Registry) => ImageSource::Registry,
            Some(SourceWord::Build) => ImageSource::Build,
        }
    }

    /// Returns the gateway's port for HTTP.
    pub fn http_port(&self) -> u16 {
        self.gateway.http_port.as_ref().map_or(80, |port| port.value)
    }

    /// Returns the gateway's port for HTTPS.
    pub fn https_port(&self) -> u16 {
        self.gateway.https_port.as_ref().map_or(443, |port| port.value)
    }

    /// Returns the host's address on which the gateway answers.
    pub fn gateway_address(&self) -> String {
        let default = if self.production { "0.0.0.0" } else { "127.0.0.1" };
        self.gateway.bind.as_ref().map_or_else(|| default.to_owned(), |a| a.value.0.to_string())
    }

    /// Returns the release of a kind's software that a service runs. In build mode it is the one that
    /// the recipe makes, unless the file says another.
    pub fn version<'a>(&'a self, service: &'a Service) -> &'a str {
        if let Some(version) = &service.settings.version {
            return &version.value;
        }
        let kind = service.kind();
        match (&kind.recipe, self.image_source()) {
            (Some(recipe), ImageSource::Build) if service.has_image_of_kind() => recipe.version,
            _ => kind.releases.first().map_or("", |release| release.version),
        }
    }

    /// Returns the host name under which the gateway serves a service, and where that is written.
    pub fn route(&self, service: &Service) -> Option<(String, Origin)> {
        let kind = service.kind();
        if kind.is_job || service.is_external() {
            return None;
        }
        let (route, origin) = match (&service.settings.route, kind.route) {
            (Some(route), _) => (route.value.clone(), route.origin.clone()),
            (None, Some(label)) => (RouteName::Label(label.to_owned()), Origin::Kind(kind.name)),
            (None, None) => return None,
        };
        Some((route.host(&self.domain.value)?, origin))
    }

    /// Returns whether there is a gateway: some service has a route.
    pub fn has_gateway(&self) -> bool {
        Kind::named(GATEWAY).is_some()
            && self.services.values().any(|service| self.route(service).is_some())
    }

    /// Returns what a kind is told when it draws up a service. The gateway's own part is empty.
    pub fn context<'a>(&'a self, name: &'a ServiceName, service: &'a Service) -> Context<'a> {
        Context {
            project: &self.name.value,
            service: name,
            domain: self.domain.value.as_str(),
            version: self.version(service),
            source: self.image_source(),
            own_image: !service.has_image_of_kind(),
            production: self.production,
            sites: &[],
            http_port: self.http_port(),
            https_port: self.https_port(),
            certificate: None,
            port: service.port(),
            turns: NO_TURNS,
        }
    }

    /// Returns what a service offers to others, after its secrets have changed so often.
    pub fn offers(
        &self,
        name: &ServiceName,
        service: &Service,
        turns: &BTreeMap<SecretName, u32>,
    ) -> Vec<(&'static str, Text)> {
        match &service.settings.url {
            Some(url) if service.is_external() => external::offers(&url.value),
            Some(_) | None => {
                service.options.offers(&Context { turns, ..self.context(name, service) })
            }
        }
    }
}
