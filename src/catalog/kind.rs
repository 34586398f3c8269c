//! The static part of a kind.

use std::collections::BTreeMap;

use crate::model::{ProjectName, SecretName, ServiceName};

/// One kind of service.
#[derive(Debug)]
pub struct Kind {
    /// Its name in `kind = "…"`, and the name of the file it is declared in.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub summary: &'static str,
    /// The repository of its official image; `None` for the person's own image or build.
    pub image: Option<&'static str>,
    /// The releases it knows, the default one first. Empty where there is no image.
    pub releases: &'static [Release],
    /// How to make it from package registries, without an image registry.
    pub recipe: Option<Recipe>,
    /// The port it answers on.
    pub port: Option<u16>,
    /// What others may refer to as `${service.KEY}`.
    pub offers: &'static [Offer],
    /// The label of its route when the file gives none, such as `mail`.
    pub route: Option<&'static str>,
    /// Whether it runs to its end (a job) instead of for ever.
    pub is_job: bool,
}

/// One release of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// What a person writes, such as `17`.
    pub version: &'static str,
    /// The pinned tag of the official image, such as `17.6`.
    pub tag: &'static str,
}

/// A Dockerfile with its files, embedded in the binary.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// The release it makes, in the words of [`Release::version`].
    pub version: &'static str,
    /// Paths and contents of the build context; one of them is `Dockerfile`. It begins with
    /// `ARG BASE` / `FROM ${BASE}`, and finds the machine's CA bundle, possibly empty, in
    /// `ca-bundle.crt`, which is added to the context.
    pub files: &'static [(&'static str, &'static str)],
    /// How long it takes on two cores and what it downloads, for people.
    pub effort: &'static str,
}

/// A value that a service offers to others.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// The key behind the dot.
    pub key: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// Where images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageSource {
    /// Pulled from an image registry.
    Registry,
    /// Built from package registries with the kind's recipe.
    Build,
}

/// What a kind is told of the project when it draws up its blueprint.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The service; also its host name on the project's network.
    pub service: &'a ServiceName,
    /// The project's domain, such as `shop.localhost`.
    pub domain: &'a str,
    /// The release, as [`Release::version`].
    pub version: &'a str,
    /// Where its image comes from.
    pub source: ImageSource,
    /// Whether the person named the image, of which the kind knows nothing but its contract.
    pub own_image: bool,
    /// Whether the production rules hold.
    pub production: bool,
    /// What the gateway is to serve, in the order of host names.
    pub sites: &'a [super::Site],
    /// The host's port on which the gateway answers HTTP, as people type it.
    pub http_port: u16,
    /// The host's port on which the gateway answers HTTPS, as people type it.
    pub https_port: u16,
    /// The certificate for all of `sites`; `None` while there are none.
    pub certificate: Option<&'a super::Certificate>,
    /// The port the person gave for the service, for kinds that have none of their own.
    pub port: Option<u16>,
    /// How often each secret has changed. Where two values must be valid for a while, there are two logins
    /// from the first change on, and each change goes over to the other one.
    pub turns: &'a BTreeMap<SecretName, u32>,
}

/// No secret has ever changed.
pub const NO_TURNS: &BTreeMap<SecretName, u32> = &BTreeMap::new();

impl Context<'_> {
    /// Returns how often a secret has changed.
    pub fn turn(&self, secret: &SecretName) -> u32 {
        self.turns.get(secret).copied().unwrap_or(0)
    }
}
